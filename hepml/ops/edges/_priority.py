"""The kernels of the searches for neighbours, in order of preference."""

from hepml.ops._kernel import Kernel
from hepml.ops.edges import _native, _reference, _torch

EDGE_KERNELS = {
    operation: (
        Kernel("native", operation, getattr(_native, name), 0.0, _native.why_not),
        Kernel("torch", operation, getattr(_torch, name), 0.0),
        Kernel("reference", operation, getattr(_reference, name), 0.0),
    )
    for operation, name in (("nearest_neighbours", "nearest"), ("neighbours_within", "within"))
}
