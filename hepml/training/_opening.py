"""The line with which a run begins."""

from collections.abc import Sequence
from importlib.util import find_spec

from torch import nn

from hepml.data import Per
from hepml.io import Columns
from hepml.training._data import ParticleData
from hepml.training._pretrained import Taken


def opening(
    model: nn.Module,
    columns: Columns,
    data: ParticleData,
    *,
    batch_size: int,
    devices: int,
    finished: int,
    standardised: int = 0,
    taken: Taken | None = None,
    without: int = 0,
    share: float = 0.0,
    per: Per = "set",
) -> str:
    """What is going to be trained on what."""
    validated = data.validation_stream.sets if data.validation_stream is not None else 0
    batch, size = data.train_stream.batch_size, sum(p.numel() for p in model.parameters())
    parts = [
        f"{type(model).__name__} with {size:,} parameters",
        f"{data.train_stream.sets:,} jets to learn from, {validated:,} to validate with",
        _mixing(data, devices),
        *_learned(columns),
        f"features {_few(columns.feature_names)}",
        f"context {_few(columns.context_names)}",
    ]
    if columns.edge_feature_names:
        parts.append(f"features of edges {_few(columns.edge_feature_names)}")
    if taken is not None and not finished:
        parts.append(str(taken))
    frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    if frozen:
        parts.append(f"{frozen:,} parameters are frozen")
    if standardised:
        items = "nodes" if columns.edges else "particles"
        parts.append(f"standardised by {standardised:,} {items}")
    if without:
        parts.append(f"{without:,} jets without a target are left out")
    if share:
        parts.append(f"{share:.1%} of the {per}s (of a sample) have no target and are left out")
    parts += _reweighted(data, columns)
    if batch < batch_size:
        parts.append(f"batches of {batch:,}, not {batch_size:,}: there are no more jets")
    if find_spec("tensorboard") is None:
        parts.append("TensorBoard is not installed: figures go to metrics.csv alone")
    if finished:
        parts.append(f"resumed after epoch {finished}")
    return "; ".join(parts)


def _learned(columns: Columns) -> list[str]:
    """What is to be learned."""
    found = [
        (what if per == "set" else f"{what} of {per}s", names)
        for per in columns.levels
        for what, names in (
            ("classes", columns.class_names_of(per)),
            ("targets", columns.target_names_of(per)),
        )
    ]
    return [f"{what} {_few(names)}" for what, names in found if names]


def _reweighted(data: ParticleData, columns: Columns) -> list[str]:
    """How the spectra of the classes are changed, and what cannot be reached."""
    reweight = data.train_stream.reweight
    if reweight is None:
        return []
    names = columns.class_names or ("all",)
    how = "weighted" if reweight.by == "loss" else "drawn"
    text = f"jets {how} by {' and '.join(reweight.expressions)}"
    if reweight.by == "sampling":
        text += f", {data.train_stream.acceptance:.0%} of them in an epoch"
    for counts, what in ((reweight.empty, "no jets"), (reweight.limited, "too few jets")):
        among = [f"{n} of {name}" for n, name in zip(counts, names, strict=True) if n]
        if among:
            text += f"; bins with {what}: {_few(among)}"
    return [text]


def _mixing(data: ParticleData, devices: int) -> str:
    """How the jets to learn from are shuffled, and what that costs."""
    stream, workers = data.train_stream, max(data.workers, 1)
    readers = workers * devices
    pools = stream.mixing(workers, devices).pools
    sets = stream.sets // (readers * pools)
    if readers == pools == 1:
        text = "all shuffled together"
    else:
        text = f"{sets:,} at a time shuffled" + (f" by each of {readers}" if readers > 1 else "")
        text += f", in {stream.shuffle_memory:g} MB" if pools > 1 else ""
    reads = stream.reads(workers, devices)
    if reads > 1.5:
        text += (
            f" (each part of the files is read {reads:.1f} times: more shuffle_memory or fewer "
            "workers read faster)"
        )
    return text


def _few(names: Sequence[str], most: int = 16) -> str:
    """Names in a line, not all of them if there are many."""
    if len(names) > most:
        return f"{', '.join(names[:3])}, ... ({len(names)})"
    return ", ".join(names) or "none"
