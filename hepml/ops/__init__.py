"""Ragged aggregation: segment operations over offsets, scatter operations over an index."""

from hepml.ops._reference import (
    scatter_max,
    scatter_mean,
    scatter_min,
    scatter_sum,
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
    "scatter_max",
    "scatter_mean",
    "scatter_min",
    "scatter_sum",
    "segment_gather",
    "segment_index",
    "segment_logsumexp",
    "segment_max",
    "segment_mean",
    "segment_min",
    "segment_softmax",
    "segment_sum",
]
