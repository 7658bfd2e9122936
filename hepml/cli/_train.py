"""``hepml train``: from files to a trained tagger."""

import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from inspect import signature
from pathlib import Path
from typing import Any, Literal, NoReturn

from jsonargparse import (  # type: ignore[attr-defined]
    ActionConfigFile,
    ArgumentParser,
    Namespace,
    get_loader,
    set_loader,
)

from hepml.cli._missing import add_missing_option
from hepml.cli._network import given_options, named_networks, network_of
from hepml.cli._several import SEVERAL_OPTIONS, add_several_options, several_summary, train_several
from hepml.errors import InputError
from hepml.io import present
from hepml.models import MODELS, NETWORKS
from hepml.training import (
    TrainedRun,
    choose_columns,
    first_rank,
    read_info,
    renamed_options,
    train,
)

# Every option of `train` but the network, its arguments and the files: type and help.
_OPTIONS: dict[str, tuple[Any, str]] = {
    "pretrained": (str | None, "checkpoint or run whose network and weights are the beginning"),
    "freeze": (list[str], "layers that stay: names, patterns, or all-but-head"),
    "slower": (list[str], "layers that learn more slowly: PATTERN=FACTOR"),
    "validation": (list[str], "files to validate with after each epoch"),
    "columns": (str | dict[str, Any] | None, "preset or YAML file; default: recognised"),
    "features": (str, "`all`, `none`, or names of features: a,b,c"),
    "context": (str, "likewise, of the numbers of each jet that the columns name as context"),
    "target": (list[str], "what to predict: a column, or NAME=EXPRESSION; default: classes"),
    "loss": (
        Literal["cross-entropy", "mse", "huber", "gaussian"] | None,
        "gaussian predicts a width as well",
    ),
    "missing_target": (Literal["error", "drop"], "what to do with jets whose target is NaN"),
    "validation_fraction": (float | None, "fraction of the entries to hold out and validate with"),
    "validation_cut": (str | None, "validate with sets that pass this, such as `entry % 5 == 0`"),
    "max_sets": (int | None, "learn from so many jets only, drawn evenly over all files"),
    "max_validation_sets": (int | None, "validate with so many only, drawn evenly likewise"),
    "bad": (Literal["error", "drop"], "what to do with jets that cannot be, such as NaN momenta"),
    "standardise": (
        Literal["robust", "none"],
        "inputs by median and quantiles of the files, or as they are",
    ),
    "class_weights": (list[str], "`balanced`, or numbers: top=2 qcd=1"),
    "reweight": (list[str], "one or two expressions of jets whose spectra the classes shall share"),
    "reweight_to": (str, "flat, or the class whose spectrum the others get"),
    "reweight_by": (Literal["sampling", "loss"], "draw jets anew in each epoch, or weight them"),
    "reweight_bins": (list[str], "for each a number of bins, or edges: 500,550,600"),
    "epochs": (int, "how often all jets are seen"),
    "batch_size": (int, "jets at a time, on each device"),
    "learning_rate": (float | Literal["find"], "the maximum of the schedule; find: search it"),
    "weight_decay": (float, "of the optimiser"),
    "warmup": (float, "fraction of the steps in which the learning rate rises"),
    "optimiser": (Literal["adamw", "adam", "sgd", "radam-lookahead"], "what changes the weights"),
    "schedule": (Literal["one-cycle", "cosine", "constant", "plateau"], "of the learning rate"),
    "patience": (int | None, "stop after so many epochs without a better one"),
    "clip_gradient": (float | None, "shorten gradients to this norm"),
    "accumulate": (int, "batches to each step of the optimiser"),
    "ema": (float | None, "validate and keep a moving average of the weights: 0.999"),
    "loggers": (
        list[Literal["tensorboard", "mlflow", "wandb"]],
        "tensorboard, mlflow, wandb: where figures go beside metrics.csv",
    ),
    "precision": (Literal["32", "bf16-mixed", "64"], "of the arithmetic"),
    "accelerator": (str, "auto, cpu, gpu, ..."),
    "devices": (int, "number of them"),
    "workers": (int, "processes that read; 0 reads in the process that learns"),
    "shuffle_memory": (int | float, "megabytes of jets that are shuffled together"),
    "seed": (int, "decides weights at the start, order of jets and dropout"),
}

_SEVERAL_WORDS = (
    *("freeze", "slower", "validation", "target", "class_weights", "reweight", "reweight_bins"),
    "loggers",
)


_MODE = "hepml train"


def _configuration(text: str) -> Any:
    """What a configuration says, under the names that options have now."""
    plain = get_loader("yaml")(text)
    return renamed_options(plain) if isinstance(plain, dict) else plain


set_loader(_MODE, _configuration)


class _Parser(ArgumentParser):
    """A parser that knows the arguments of a network as soon as it knows its name."""

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, *rest: Any, **more: Any
    ) -> Any:
        """Take the first word for the network, and add the arguments of that network."""
        words = list(sys.argv[1:] if args is None else args)
        network, given = network_of(words), given_options(words)
        stored: Mapping[str, Any] = {}
        if "--pretrained" in given:
            info = read_info(given["--pretrained"])
            stored = info.arguments
            # A class of the user's own is named by the user, or its module is not run.
            if network is None and info.model in MODELS:
                network = info.model
        if words and words[0] in MODELS:
            del words[0]
        if network in MODELS or ":" in (network or ""):
            (kind,) = named_networks([str(network)])
            sizes = {"outputs", "features", "context", "edge_features"} & {
                *signature(kind).parameters
            }
            self.add_class_arguments(kind, "model", skip=sizes, fail_untyped=False)
            for name, value in stored.items():
                if f"model.{name}" in self.get_defaults():
                    self.set_defaults({f"model.{name}": value})
            # Last, so that no configuration file overrides it.
            words += ["--network", str(network)]
        folder = Path(given.get("--config", "")).parent
        if "--config" in given and "--output" not in given and (folder / "checkpoints").is_dir():
            # The folder of a run, which may have moved since it wrote its own name.
            words += ["--output", str(folder)]
        return super().parse_args(words, *rest, **more)


def make_parser() -> ArgumentParser:
    """The options of ``hepml train``; those of the network come with its name."""
    parser = _Parser(
        parser_mode=_MODE,
        usage="%(prog)s [NETWORK] FILE [FILE ...] [options]",
        description="Train a network on files. `hepml train NETWORK --help` lists the options of "
        f"the network, by chapter: {_chapters()}. `--network package.module:Class` trains one of "
        "your own.",
    )
    parser.add_argument("--config", action=ActionConfigFile, help="YAML file with any of these")
    parser.add_argument(
        "--network", type=str, help="the network; may be the first word if it is hepml's"
    )
    parser.add_argument("files", nargs="+", type=str, help="files to learn from, or patterns")
    parser.add_argument("-o", "--output", type=str, help="folder of the run; default: runs/NETWORK")
    defaults = signature(train).parameters
    for name, (kind, text) in _OPTIONS.items():
        extra: dict[str, Any] = {"nargs": "+"} if name in _SEVERAL_WORDS else {}
        spelling = "--" + name.replace("_", "-")
        # Jets are what most sets are.
        other = [spelling.replace("sets", "jets")] if spelling.endswith("sets") else []
        other += ["--from"] * (name == "pretrained")
        parser.add_argument(
            spelling,
            *other,
            type=str if extra else kind,
            default=list(defaults[name].default) if extra else defaults[name].default,
            help=text,
            **extra,
        )
    add_missing_option(parser)
    add_several_options(parser)
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    parser.add_argument("--overwrite", action="store_true", help="remove the run in the folder")
    return parser


def _chapters() -> str:
    """The networks of each chapter."""
    chapters: dict[str, list[str]] = {}
    for name, entry in NETWORKS.items():
        chapters.setdefault(entry.chapter, []).append(name)
    return "; ".join(f"{chapter}: {', '.join(names)}" for chapter, names in chapters.items())


def run(config: Namespace) -> int:
    """Train, and say where everything is."""
    options = config.as_dict()
    options.pop("config", None)
    network = options.pop("network")
    if network not in MODELS and ":" not in (network or ""):
        _refuse_network(network, options["files"])
    name = network.rpartition(":")[2]
    if options.pop("missing") == "skip":
        for given in filter(options.get, ("files", "validation")):
            columns = options["columns"]
            columns = None if columns is None else choose_columns(columns, "all", options[given])
            options[given] = present(options[given], columns)
    output = options.pop("output") or str(Path("runs") / name.lower())
    files = options.pop("files")
    several = train_several(network, options, files=files, output=output)
    if several is not None:
        print(several_summary(name, several))
        return 0
    options = {k: v for k, v in options.items() if k not in SEVERAL_OPTIONS}
    trained = train(network, files, output=output, **options)
    if first_rank():
        print(_summary(network, trained, options["validation"]))
    return 0


def _refuse_network(network: str | None, files: Sequence[str]) -> NoReturn:
    """Say which networks there are; a first word that is no file was probably meant as one."""
    given = network or (files[0] if files and not Path(files[0]).suffix else None)
    near = get_close_matches(given or "", NETWORKS, n=1, cutoff=0.4)
    raise InputError(
        "network",
        expected=f"one of {', '.join(NETWORKS)}, or package.module:Class",
        got=repr(given) if given else "none",
        fix=f"`--network {given}`"
        if ":" in (given or "")
        else f"name it first: `hepml train {given} FILES`"
        if given in NETWORKS
        else f"try {near[0]}"
        if near
        else "name it first, as in `hepml train LorentzNet FILES`",
    )


def _summary(network: str, trained: TrainedRun, validation: Sequence[str]) -> str:
    """What was reached, where the files are, and what to do next."""
    figures = dict(trained.figures)
    epoch = int(figures.pop("epoch"))
    reached = ", ".join(f"{k.replace('_', ' ')} {v:.4f}" for k, v in figures.items())
    parameters = sum(p.numel() for p in trained.model.parameters())
    folder, name = trained.folder, network.rpartition(":")[2]
    return "\n".join(
        [
            f"{name} with {parameters:,} parameters; best epoch {epoch}: {reached}",
            f"run         {folder.path}/ ({', '.join(part.name for part in folder.contents)})",
            f"checkpoint  {folder.best}",
            f"next        hepml evaluate {folder.best} {' '.join(validation) or 'FILES'}"
            + (f" --network {network}" if ":" in network else ""),
        ]
    )
