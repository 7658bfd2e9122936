"""Ragged aggregation: segment operations over offsets, scatter operations over an index."""

from hepml.ops._reference import scatter_sum, segment_gather, segment_index, segment_sum

__all__ = ["scatter_sum", "segment_gather", "segment_index", "segment_sum"]
