"""Top jets against QCD jets: the recipe of the public top-tagging reference set."""

import json
import platform
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import hepml
from hepml.datasets._workers import in_order
from hepml.datasets.detector._atlas_card import ATLAS_CARD, IMPACT_RESOLUTION
from hepml.datasets.jets._file import JetTable, jet_files
from hepml.datasets.jets._generation import SELECTION, Process, Yield, generate_jets
from hepml.datasets.jets._pythia import Veto, required
from hepml.datasets.jets._selection import TOP
from hepml.errors import InputError

_COLLISION = (
    "Beams:idA = 2212",
    "Beams:idB = 2212",
    "Beams:eCM = 14000.",
    "PartonLevel:MPI = off",
    "ParticleDecays:limitTau0 = on",
    # Particles that fly further on average, in mm, meet the detector.
    "ParticleDecays:tau0Max = 10.",
)

QCD = Process(
    tops=False,
    settings=(*_COLLISION, "HardQCD:all = on", "PhaseSpace:pTHatMin = 250."),
    veto=Veto(scale=100.0, particle=None, early_pt=350.0, late_pt=450.0, radius=0.8),
)

TOPS = Process(
    tops=True,
    settings=(
        *_COLLISION,
        "Top:gg2ttbar = on",
        "Top:qqbar2ttbar = on",
        "24:onMode = off",
        "24:onIfAny = 1 2 3 4 5",
    ),
    veto=Veto(scale=100.0, particle=TOP, early_pt=350.0, late_pt=450.0, radius=0.8),
)

_JETS_PER_TASK = 500


@dataclass(frozen=True)
class _Task:
    """A part of one file: so many jets of either class, and where in the file they start."""

    file: int
    jets: int
    tops: int
    seed: tuple[int, ...]


def _run_task(task: _Task, report: Callable[[int], object]) -> tuple[JetTable, dict[str, Yield]]:
    """Generate the jets of a task, in mixed order."""
    # The last number tells the streams of a task apart: 1 for tops, 0 for QCD, 2 for the order.
    parts, yields = [], {}
    for process, name, jets in ((TOPS, "top", task.tops), (QCD, "qcd", task.jets - task.tops)):
        if jets:
            seed = (*task.seed, int(process.tops))
            table, yields[name] = generate_jets(process, jets=jets, seed=seed, report=report)
            parts.append(table)
    order = np.random.default_rng((*task.seed, 2)).permutation(task.jets)
    return JetTable.concatenate(parts)[order], yields


def _tasks(sizes: Sequence[int], *, seed: int, signal_fraction: float) -> list[_Task]:
    """The tasks of all files, each file with its share of either class."""
    tasks: list[_Task] = []
    for file, size in enumerate(sizes):
        for start in range(0, size, _JETS_PER_TASK):
            stop = min(start + _JETS_PER_TASK, size)
            tops = round(signal_fraction * stop) - round(signal_fraction * start)
            tasks.append(_Task(file, stop - start, tops, (seed, len(tasks))))
    return tasks


def generate_top_tagging(
    output: str | Path,
    *,
    jets: int,
    seed: int,
    workers: int = 1,
    signal_fraction: float = 0.5,
    split: Sequence[float] | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> list[Path]:
    """Generate top and QCD jets of 550 to 650 GeV as the public top-tagging reference set has them.

    Parameters
    ----------
    output
        The ROOT file to make; with a split, the folder for ``train.root``, ``val.root`` and
        ``test.root``.
    jets
        How many, signal and background together.
    seed
        Any whole number from 0. The jets depend on it, on ``jets``, ``signal_fraction`` and
        ``split``, and on the versions of the packages, and on nothing else: not on ``workers``.
    workers
        Processes that work at the same time.
    signal_fraction
        The part of top jets in each file.
    split
        Three parts, which sum to 1, for training, validation and test.
    overwrite
        Whether files that exist are replaced.
    progress
        Whether a bar on the standard error counts the jets.

    Returns
    -------
    list of Path
        The files that were made.

    Raises
    ------
    InputError
        If a number is out of its range.
    FileError
        If a file cannot be written, or exists and ``overwrite`` is false.
    MissingDependencyError
        If pythia8mc or fastjet is not installed.

    Notes
    -----
    Files get their names when all are complete; an exception or Ctrl-C leaves none. The workers
    are spawned processes: a script needs ``if __name__ == "__main__":`` around the call.

    Pythia 8 with its default tune makes pp collisions at 14 TeV, without multi-parton interactions
    and without pile-up: top pairs of any pTHat with both W decaying to quarks, or QCD 2 -> 2 of
    pTHat > 250 GeV. Each is one run, in which Pythia mixes all pTHat by cross-section; events are
    given up early only where that loses (almost) no jet, as ``data/README.md`` of the project
    measures. The detector is that of the Delphes ATLAS card, in numpy. Kept is the leading anti-kt
    R = 0.8 jet of an event if 550 < pt < 650 GeV and |eta| < 2, and for tops if a top and its three
    quarks lie within 0.8 of its axis; of its constituents the 200 hardest.

    Every file holds its recipe as JSON: ``json.loads(uproot.open(file)["recipe"])``.

    References
    ----------
    A. Butter, G. Kasieczka, T. Plehn, M. Russell, SciPost Phys. 5 (2018) 028, arXiv:1707.08966.
    G. Kasieczka et al., SciPost Phys. 7 (2019) 014, arXiv:1902.09914, section 2.
    C. Bierlich et al. (Pythia 8.3), SciPost Phys. Codebases 8 (2022), arXiv:2203.11601.
    """
    _check_arguments(jets=jets, seed=seed, workers=workers, signal_fraction=signal_fraction)
    output = Path(output)
    if split is None:
        paths, sizes = [output], [jets]
    else:
        paths = [output / f"{name}.root" for name in ("train", "val", "test")]
        sizes = _split_sizes(jets, split)
    # Here rather than in the first worker, so that the error comes at once.
    required("pythia8mc")
    required("fastjet")
    tasks = _tasks(sizes, seed=seed, signal_fraction=signal_fraction)
    yields: list[list[dict[str, Yield]]] = [[] for _ in paths]
    with (
        jet_files(paths, overwrite=overwrite) as files,
        tqdm(total=jets, unit="jet", disable=not progress, smoothing=0.05) as bar,
        closing(in_order(_run_task, tasks, workers=workers, progress=bar.update)) as results,
    ):
        for task, (table, task_yields) in zip(tasks, results, strict=True):
            files[task.file].append(table)
            yields[task.file].append(task_yields)
        for file, path, size, file_yields in zip(files, paths, sizes, yields, strict=True):
            request = {
                "jets": jets,
                "seed": seed,
                "signal_fraction": signal_fraction,
                "split": None if split is None else list(split),
            }
            recipe = _recipe(request, file=path.name, size=size, yields=file_yields)
            file.finish({"recipe": json.dumps(recipe, indent=1)})
    return paths


def _recipe(
    request: dict[str, Any], *, file: str, size: int, yields: Sequence[dict[str, Yield]]
) -> dict[str, Any]:
    """All that is needed to make a file again, and the cross-sections that came out."""
    processes = {}
    for name, process in (("top", TOPS), ("qcd", QCD)):
        parts = [part[name] for part in yields if name in part]
        events = sum(part.events for part in parts)
        weighted = sum(part.events * part.cross_section for part in parts)
        processes[name] = {
            **asdict(process),
            "events_after_veto": events,
            "jets_selected": sum(part.jets for part in parts),
            "cross_section_of_selected_jets_mb": weighted / events if events else None,
        }
    return {
        "recipe": "top-tagging",
        "request": request,
        "file": file,
        "jets_in_file": size,
        "jets_per_task": _JETS_PER_TASK,
        "versions": {
            "hepml": hepml.__version__,
            **{name: version(name) for name in ("pythia8mc", "fastjet", "numpy", "awkward")},
            "python": platform.python_version(),
        },
        "selection": asdict(SELECTION),
        "processes": processes,
        "detector": asdict(ATLAS_CARD),
        "impact_resolution": asdict(IMPACT_RESOLUTION),
    }


def _check_arguments(*, jets: int, seed: int, workers: int, signal_fraction: float) -> None:
    """Refuse numbers that make no sense."""
    for name, value, least in (("jets", jets, 1), ("seed", seed, 0), ("workers", workers, 1)):
        if value < least:
            raise InputError(
                name, expected=f"a whole number from {least}", got=str(value), fix=f"choose {least}"
            )
    if not 0 <= signal_fraction <= 1:
        raise InputError(
            "signal_fraction",
            expected="a number from 0 to 1",
            got=str(signal_fraction),
            fix="give the part of top jets, as 0.5",
        )


def _split_sizes(jets: int, split: Sequence[float]) -> list[int]:
    """The numbers of jets in the three files."""
    if len(split) != 3 or min(split) < 0 or not np.isclose(sum(split), 1):
        raise InputError(
            "split",
            expected="three parts that sum to 1, for training, validation and test",
            got=str(list(split)),
            fix="give for example 0.6, 0.2, 0.2",
        )
    bounds = [round(jets * sum(split[:i])) for i in range(3)] + [jets]
    sizes = [stop - start for start, stop in pairwise(bounds)]
    if min(sizes) < 1:
        raise InputError(
            "split",
            expected="at least one jet in each file",
            got=f"{sizes} of {jets} jets",
            fix="ask for more jets or another split",
        )
    return sizes
