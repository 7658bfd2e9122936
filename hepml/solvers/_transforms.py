"""Whether somebody differentiates forwards, or transforms the function that runs."""

from torch._C._functorch import peek_interpreter_stack
from torch.autograd import forward_ad


def transformed() -> bool:
    """Whether derivatives are carried forwards, or a transformation of ``torch.func`` is active.

    Notes
    -----
    Detached tensors and the graphs of ``torch.autograd`` lose those derivatives without a word.
    """
    return forward_ad._current_level >= 0 or peek_interpreter_stack() is not None
