"""``hepml check``: the certificate of a trained tagger."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal, Union

from jsonargparse import ArgumentParser, Namespace
from jsonargparse.typing import NonNegativeInt, PositiveInt
from tqdm.auto import tqdm

from hepml.cli._check_report import CERTIFICATE, Certified, certificate_table, write_certificate
from hepml.cli._kinds import is_of_motion
from hepml.cli._network import add_network_option, named_networks
from hepml.cli._subject import Subject
from hepml.cli.motion._check import motion
from hepml.data import Graph, ParticleSet, Per
from hepml.deploy import Tagger
from hepml.errors import InputError
from hepml.io import read
from hepml.outputs import require_free_folder
from hepml.symmetry import (
    BatchComposition,
    Permutation,
    Symmetry,
    check,
    find_precisions,
    find_symmetry,
    random_jets,
    trace,
)

# Random elements beside those that round nothing.
_RANDOM = 2


def make_parser() -> ArgumentParser:
    """The options of ``hepml check``."""
    parser = ArgumentParser(
        usage="hepml check CHECKPOINT [FILE ...] [options]",
        description="Measure the symmetries of a network, with its own weights and with weights of "
        "order one, in several precisions: a line for each on standard output; all violations as "
        "JSON and plots in a folder. By default with elements that round nothing, which show the "
        "arithmetic of the network, and beside it what rounding boosted momenta does. A violation "
        "is the change of an output that the symmetry forbids, relative to what exchanging "
        "particles or jets does to it. Of a broken claim, the first layer that breaks it is named, "
        "and the exit status is 1.",
    )
    parser.add_argument("checkpoint", type=str, help="a name ending in .ckpt, or folder of a run")
    parser.add_argument(
        "files", nargs="*", type=str, help="files with jets, or trajectories; without, random jets"
    )
    parser.add_argument(
        "--symmetry",
        nargs="+",
        type=str,
        default=[],
        metavar="NAME",
        help="which to measure, as in lorentz beam-boost; default: those that the model claims",
    )
    parser.add_argument(
        "--gamma",
        nargs="+",
        type=float,
        default=[],
        help="Lorentz factors of boosts; default 1.01 2 10 100 1000; of elements that round "
        "nothing the nearest (2^k + 2^-k)/2, by default up to 8192",
    )
    parser.add_argument(
        "--precision",
        nargs="+",
        type=str,
        default=["float64", "float32"],
        help="among float64, wide (float32 with inputs in float64), float32, bfloat16 and, on a "
        "GPU, tf32",
    )
    parser.add_argument(
        "--max-sets", "--max-jets", type=PositiveInt, default=16, help="measure on the first"
    )
    parser.add_argument(
        "--elements",
        type=Union[Literal["exact"], PositiveInt],  # noqa: UP007
        default="exact",
        help="how many random elements at each strength; or exact: such as round nothing, where "
        "the symmetry has them, and two random ones beside",
    )
    parser.add_argument("--draws", type=PositiveInt, default=1, help="draws of random weights")
    parser.add_argument("--seed", type=NonNegativeInt, default=0, help="of everything random")
    parser.add_argument("-o", "--output", type=str, default="symmetries", help="folder to write to")
    parser.add_argument("--overwrite", action="store_true", help="replace the certificate in it")
    parser.add_argument("--device", type=str, default="auto", help="auto, cpu, cuda, cuda:1, ...")
    add_network_option(parser)
    return parser


def run(config: Namespace) -> int:
    """Print a line for each symmetry, and write the certificate."""
    folder = Path(config.output)
    require_free_folder(folder, CERTIFICATE, "a certificate", overwrite=config.overwrite)
    asked = [find_symmetry(name) for name in config.symmetry]
    subject = motion(config) if is_of_motion(config.checkpoint) else _jets(config)
    claims: Sequence[str] = getattr(subject.model, "claims", ())
    symmetries = asked or [find_symmetry(name) for name in claims]
    symmetries = [_of_rows(symmetry, subject.rows) for symmetry in symmetries]
    if not symmetries:
        raise InputError(
            f"checkpoint {config.checkpoint}",
            expected="a model with the property `claims`, or names of symmetries",
            got=f"{subject.name}, which claims nothing",
            fix=f"name them: --symmetry {subject.example}",
        )
    if len(subject.inputs) < 2:
        raise InputError(
            subject.noun,
            expected="two or more: a violation is relative to how much the outputs differ",
            got=str(len(subject.inputs)),
            fix=f"raise --max-sets, or give files with more {subject.noun}",
        )
    config.precision = [each.name for each in find_precisions(config.precision, subject.device)]
    reports = [
        Certified(
            replace(random, claimed=random.symmetry.name in claims),
            exact and replace(exact, claimed=exact.symmetry.name in claims),
        )
        for random, exact in _measure(config, subject, symmetries)
    ]
    print(f"{subject.name} on {subject.described}")
    print(certificate_table(reports, config.precision))
    for certified in reports:
        symmetry = certified.random.symmetry
        if certified.random.claimed and certified.verdict == "broken" and not symmetry.vanishing:
            found = trace(
                subject.model, subject.inputs, symmetry, apply=subject.apply, seed=config.seed
            )
            print(f"{symmetry.name}: {found.where}")
    paths = write_certificate(folder, config, subject, reports)
    print(f"wrote {', '.join(str(path) for path in paths)}")
    return int(any(each.random.claimed and each.verdict == "broken" for each in reports))


def _jets(config: Namespace) -> Subject:
    """A tagger, and the jets to measure with."""
    networks = named_networks(config.network)
    tagger = Tagger.load(config.checkpoint, model=networks, device=config.device)
    graphs = tagger.columns is not None and bool(tagger.columns.edges)
    if graphs and not config.files:
        raise InputError(
            "files",
            expected=f"files with graphs, to measure {tagger.name} with",
            got="none",
            fix="name some that it was trained or validated with",
        )
    if tagger.answers.per == "edge":
        raise InputError(
            f"checkpoint {config.checkpoint}",
            expected="outputs of graphs, sets, particles or nodes",
            got=f"{tagger.name}, which has outputs of edges",
            fix="check the network of such a run with outputs of nodes or graphs",
        )
    jets, source = _found_jets(config, tagger)
    noun = "graphs" if graphs else "jets"
    return Subject(
        tagger.name, tagger.model, jets, noun, source, tagger.device, rows=tagger.answers.per
    )


def _of_rows(symmetry: Symmetry, per: Per) -> Symmetry:
    """The symmetry, for outputs of what a network has outputs of."""
    if per != "set" and isinstance(symmetry, Permutation | BatchComposition):
        return replace(symmetry, outputs="particles")
    return symmetry


def _found_jets(config: Namespace, tagger: Tagger) -> tuple[ParticleSet | Graph, str]:
    """The jets to measure with, and where they come from."""
    if not config.files:
        jets = random_jets(
            config.max_sets,
            features=len(tagger.feature_names),
            context=len(tagger.context_names),
            seed=config.seed,
        )
        return jets.to(tagger.device), "random jets (600 GeV, some 30 pions and photons each)"
    if tagger.columns is None:
        raise InputError(
            f"checkpoint {config.checkpoint}",
            expected="columns, which say how to read files",
            got="none",
            fix="leave out the files: random jets are made",
        )
    jets = read(config.files, tagger.columns.without_labels(), max_sets=config.max_sets)
    noun = "graphs" if tagger.columns.edges else "jets"
    return jets.to(tagger.device), f"{noun} of {', '.join(config.files)}"


def _measure(
    config: Namespace, subject: Subject, symmetries: Sequence[Symmetry]
) -> list[Certified]:
    """The reports, with a progress bar on standard error."""
    found = []
    with tqdm(total=len(symmetries), disable=None, leave=False, dynamic_ncols=True) as bar:
        for symmetry in symmetries:
            bar.set_description(symmetry.name)
            gamma = config.gamma if symmetry.strength_name == "gamma" else []
            measure = partial(
                check,
                *(subject.model, subject.inputs, symmetry),
                apply=subject.apply,
                strengths=tuple(gamma) or None,
                dtypes=config.precision,
                draws=config.draws,
                seed=config.seed,
            )
            both = config.elements == "exact" and symmetry.has_exact_elements and not symmetry.exact
            number = _RANDOM if config.elements == "exact" else config.elements
            exact = measure(elements="exact") if both else None
            found.append(Certified(measure(elements=number), exact))
            bar.update()
    return found
