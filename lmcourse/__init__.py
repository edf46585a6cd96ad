"""The implementations behind the course *How language models work*.

A module imports only from those that stand before it in this list:

    devices     where tensors live
    neurons     softmax, cross-entropy
    tokenizers  text to ids and back
    data        generated corpora, real data sets, batches
    metrics     what a number about a model means
    plots       figures that carry their own description

    attention   scaled dot-product, additive and multi-head attention

    grading     assignments: release, check, grade (the only part that knows nbgrader)
    doctor      is this machine ready?
    __main__    the command `lmcourse`

Chapters stand under the same names in `book/`.
"""

__version__ = "0.1.0"
