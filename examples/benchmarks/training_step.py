"""Where the time of training goes: loading, transfer, forward, backward, optimiser, metrics.

    python examples/benchmarks/training_step.py [--network LorentzNet] [--jets N] [--batch-size N]

The task, the data and the trainer are those of `hepml train`; Lightning's profiler looks at them.
The first epoch is not counted.
"""

import argparse
import logging
import warnings
from collections.abc import Sequence
from typing import Any

import _measure as measure
import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.profilers import SimpleProfiler

from hepml.io import recognise
from hepml.models import MODELS
from hepml.training import ParticleData, TaggingTask

# The endings of the profiler's names.
LOADING, TRANSFER = "train_dataloader_next", "batch_to_device"
FORWARD, BACKWARD = ".training_step", ".backward"
# Holds forward and backward, too.
OPTIMISER, EPOCH = ".optimizer_step", "run_training_epoch"
DATA = measure.ROOT / "data"


class Forget(Callback):
    """Drops what the profiler measured in the first epoch."""

    def __init__(self, clock: SimpleProfiler) -> None:
        self.clock = clock

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:  # noqa: ARG002
        if trainer.current_epoch == 0:
            self.clock.recorded_durations.clear()


def main(words: Sequence[str] | None = None) -> None:
    """Train two epochs, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--network", choices=MODELS, default="LorentzNet")
    parser.add_argument("--jets", type=int, default=640)
    parser.add_argument("--batch-size", type=int, default=32)
    measure.add_arguments(parser, rounds=1)
    arguments = parser.parse_args(words)

    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    layout = recognise(str(DATA / "train.root"))
    columns = layout.columns.with_features(())
    torch.manual_seed(1)
    task = TaggingTask(MODELS[arguments.network]())
    data = ParticleData(
        str(DATA / "train.root"),
        columns=columns,
        batch_size=arguments.batch_size,
        max_sets=arguments.jets,
    )
    clock = SimpleProfiler()
    trainer = Trainer(
        max_epochs=1 + arguments.rounds,
        profiler=clock,
        callbacks=[Forget(clock)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(task, data)
    shares = parts(clock)
    results = {
        "network": arguments.network,
        "jets": arguments.jets,
        "batch_size": arguments.batch_size,
        "machine": measure.machine(("torch", "lightning")),
        "seconds": shares,
    }
    total = sum(shares.values())
    rows = [[part, f"{each:.3f}", f"{each / total:.1%}"] for part, each in shares.items()]
    text = [
        measure.described(results["machine"]),
        f"{arguments.network}: an epoch of {arguments.jets} jets in batches of "
        f"{arguments.batch_size}, {arguments.rounds * arguments.jets / total:.0f} jets/s",
        "",
        measure.table(["part", "seconds", "share"], rows),
    ]
    measure.print_and_save("training_step", "\n".join(text), results, arguments.output)


def parts(clock: SimpleProfiler) -> dict[str, float]:
    """Seconds of each part."""

    def seconds(ending: str) -> float:
        recorded = clock.recorded_durations.items()
        return sum(sum(each) for name, each in recorded if name.endswith(ending))

    learning = seconds(FORWARD) + seconds(BACKWARD)
    outside = seconds(LOADING) + seconds(TRANSFER) + seconds(OPTIMISER)
    return {
        "loading": seconds(LOADING),
        "transfer": seconds(TRANSFER),
        "forward": seconds(FORWARD),
        "backward": seconds(BACKWARD),
        "optimiser": seconds(OPTIMISER) - learning,
        "metrics and the rest": seconds(EPOCH) - outside,
    }


if __name__ == "__main__":
    main()
