"""Sums over senders of products of components, as matrix products in blocks of edges."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from hepml.ops import Edges, last_bound, segment_index, segment_sum

# Of a block: jets of 50 particles fill 3 of 4; shorter ones are slower, longer ones no faster.
_LENGTH = 16


class Blocks(NamedTuple):
    """Edges in blocks of equal length, each of one receiver: the last may have empty slots."""

    # Bounds of the blocks of each receiver.
    offsets: Int64[Tensor, " bounds"]
    # The pair of each slot; of an empty one, which counts for nothing, the first.
    edges: Int64[Tensor, "blocks length"]
    senders: Int64[Tensor, "blocks length"]
    empty: Bool[Tensor, "blocks length"]
    counts: Int64[Tensor, " items"]


def blocks_of(edges: Edges) -> Blocks:
    """The blocks of edges."""
    counts = edges.offsets.diff()
    blocks = (counts + _LENGTH - 1) // _LENGTH
    offsets = torch.cat([blocks.new_zeros(1), blocks.cumsum(0)])
    size = last_bound(offsets)
    receivers = segment_index(offsets, size)
    number = torch.arange(size, device=counts.device) - offsets[receivers]
    first = edges.offsets[receivers] + _LENGTH * number
    index = first[:, None] + torch.arange(_LENGTH, device=counts.device)
    empty = index >= edges.offsets[receivers + 1][:, None]
    # Of the same receiver: what another set holds, infinite perhaps, must not enter times 0.
    index = torch.where(empty, index[:, :1], index)
    return Blocks(offsets, index, edges.senders[index], empty, counts)


def mean_products(
    x: Float[Tensor, "edges copies1 components1"],
    y: Float[Tensor, "items copies2 components2"],
    blocks: Blocks,
) -> Float[Tensor, "items copies components1 components2"]:
    """``mean_j x_ij y_j``, of all pairs of components, as matrix products within blocks."""
    in_blocks = _rows(x, blocks.edges).masked_fill(blocks.empty[:, :, None], 0.0)
    sums = (in_blocks.mT @ _rows(y, blocks.senders)).transpose(0, 1)
    total = segment_sum(sums.flatten(1), blocks.offsets) / blocks.counts.clamp(min=1)[:, None]
    return total.reshape(total.shape[0], *sums.shape[1:])


def _rows(
    x: Float[Tensor, "_ copies components"], index: Int64[Tensor, "blocks length"]
) -> Float[Tensor, "copies blocks length components"]:
    """Rows of each block, the copies apart."""
    rows = x.transpose(0, 1).contiguous().index_select(1, index.flatten())
    return rows.reshape(x.shape[1], *index.shape, x.shape[2])
