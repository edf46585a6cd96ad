"""What an assignment on attention may withhold, some of each kind."""

from lmcourse.grading.withholding.withheld import Withheld

ATTENTION = Withheld(
    names=("lmcourse.attention.attention", "lmcourse.attention.MultiHeadAttention.forward"),
    operators=("_?scaled_dot_product_.*", "_native_multi_head_attention"),
    attributes=("torch.nn.MultiheadAttention",),
    say="writing it is the task",
)
