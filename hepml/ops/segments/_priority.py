"""The kernels of every operation, in order of preference."""

from hepml.ops._kernel import Kernel
from hepml.ops.native import _library
from hepml.ops.segments import _native, _reference, _torch, _torch_scatter, _triton

OPERATIONS = (
    *("segment_sum", "segment_mean", "segment_max", "segment_min"),
    *("segment_softmax", "segment_logsumexp", "segment_gather"),
    *("scatter_sum", "scatter_mean", "scatter_max", "scatter_min"),
)
# These choose among numbers and compute none.
_EXACT = ("segment_max", "segment_min", "segment_gather", "scatter_max", "scatter_min")


def _kernels(operation: str) -> tuple[Kernel, ...]:
    """The kernels of an operation, the fastest first."""
    tolerance = 0.0 if operation in _EXACT else 4.0
    triton = getattr(_triton, operation, None)
    native = getattr(_native, operation, None)
    return (
        *([Kernel("triton", operation, triton, tolerance, _triton.why_not)] if triton else []),
        *([Kernel("native", operation, native, tolerance, _library.why_not)] if native else []),
        Kernel("torch", operation, getattr(_torch, operation), tolerance),
        Kernel(
            "torch_scatter",
            operation,
            getattr(_torch_scatter, operation),
            tolerance,
            _torch_scatter.why_not,
        ),
        Kernel("reference", operation, getattr(_reference, operation), 0.0),
    )


KERNELS = {operation: _kernels(operation) for operation in OPERATIONS}
