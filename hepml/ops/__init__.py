"""Ragged aggregation: segment operations over offsets, scatter operations over an index, messages
between all pairs of each set.

Each operation runs on the first of its kernels that can take the arguments; ``python -m hepml.ops``
lists them, and the environment variable ``HEPML_KERNEL`` forces one. All have first and second
derivatives, and none breaks the graph of ``torch.compile``. Under forward-mode derivatives,
``torch.func`` and gradients in batches the definition itself runs, in plain operations of torch:
the values are the same, memory and time are not.
"""

from hepml.ops._arguments import check_rows
from hepml.ops._bounds import check_index, last_bound
from hepml.ops._memory import check_memory
from hepml.ops._transforms import is_batched, is_transformed
from hepml.ops.edges._edges import (
    Edges,
    all_pairs,
    checked_edges,
    nearest_neighbours,
    neighbours_within,
)
from hepml.ops.pairs._messages import pair_messages, pair_moments
from hepml.ops.segments._scatter import scatter_max, scatter_mean, scatter_min, scatter_sum
from hepml.ops.segments._segment import (
    segment_counts,
    segment_gather,
    segment_index,
    segment_logsumexp,
    segment_max,
    segment_mean,
    segment_min,
    segment_softmax,
    segment_sum,
)

__all__ = [
    "Edges",
    "all_pairs",
    "check_index",
    "check_memory",
    "check_rows",
    "checked_edges",
    "is_batched",
    "is_transformed",
    "last_bound",
    "nearest_neighbours",
    "neighbours_within",
    "pair_messages",
    "pair_moments",
    "scatter_max",
    "scatter_mean",
    "scatter_min",
    "scatter_sum",
    "segment_counts",
    "segment_gather",
    "segment_index",
    "segment_logsumexp",
    "segment_max",
    "segment_mean",
    "segment_min",
    "segment_softmax",
    "segment_sum",
]
