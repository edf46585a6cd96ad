"""A tensor that refuses what an Apple GPU refuses: it knows no float64."""

import torch


class AppleTensor(torch.Tensor):
    """On the CPU, but each float64 that would be made beside it is refused until `.cpu()`."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        result = super().__torch_function__(func, types, args, kwargs or {})
        if func is torch.Tensor.cpu:
            return result.as_subclass(torch.Tensor)
        if isinstance(result, cls) and result.dtype == torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        return result


def on_apple(values: torch.Tensor) -> torch.Tensor:
    """The same numbers as such a tensor."""
    return values.as_subclass(AppleTensor)
