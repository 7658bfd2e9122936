"""A trained network as a function: sets or graphs in, probabilities or predicted numbers out."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import awkward as ak
import torch
from jaxtyping import Float
from torch import Tensor, nn

from hepml.data import Graph, ParticleSet
from hepml.deploy._answers import Answers, Probabilities, answers_of
from hepml.deploy._array_scores import (
    checked_array,
    checked_bad,
    has_columns,
    scores_by_columns,
    scores_of_momenta,
)
from hepml.deploy._arrays import BadInArrays, jets_passing, reading_columns
from hepml.deploy._device import available
from hepml.errors import InputError
from hepml.io import Columns
from hepml.models import Network, example_sets, outputs_of
from hepml.training import RunFolder, example_batch, load_checkpoint

# What OpenMP knows of its threads survives a fork, and the threads do not: a child that asks for
# them waits for ever.
os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


class Tagger:
    """The probabilities of classes for sets or graphs, or predicted numbers, from a model.

    Parameters
    ----------
    model
        Maps a :class:`~hepml.data.ParticleSet`, or a :class:`~hepml.data.Graph` where the columns
        have edges, to logits (rows, classes). It is put into evaluation mode and moved to the
        device.
    columns
        What the model was trained on: names of features and classes, and how to read files.
    feature_names, context_names, class_names
        Instead of columns, where arrays are scored but no files: the order of the features and of
        the numbers of each set, and the names of the classes ("0", "1", ... by default).
    name
        What tables and figures call it; the model's class by default.
    device
        Where the model runs: "cpu", "cuda", ...; "auto" is a GPU if there is one.
    batch_size
        How many sets it takes at once. The scores do not depend on it; memory does, which models
        that look at pairs of particles need much of.
    answers
        What the outputs mean, if they are not the classes of the columns.
    empty
        The score, in every class, of sets without particles, such as NaN or -1; by default what the
        model makes of them.

    Raises
    ------
    InputError
        If the model does not take sets of particles, has not one output for each class, or the
        device is not there.

    Examples
    --------
    >>> from hepml.models import ParticleFlow
    >>> tagger = Tagger(ParticleFlow(), class_names=["qcd", "top"])
    >>> jets = ak.zip({"pt": [[20., 9.], []], "eta": [[0.1, 0.2], []], "phi": [[1., 1.1], []],
    ...                "mass": [[0.1, 0.1], []]}, with_name="Momentum4D")
    >>> print(tagger(jets).type)
    2 * {qcd: float32, top: float32}
    """

    def __init__(
        self,
        model: nn.Module,
        columns: Columns | None = None,
        *,
        feature_names: Sequence[str] = (),
        context_names: Sequence[str] = (),
        class_names: Sequence[str] = (),
        name: str | None = None,
        device: torch.device | str = "auto",
        batch_size: int = 128,
        empty: float | None = None,
        answers: Answers | None = None,
    ) -> None:
        if batch_size < 1:
            raise InputError(
                "batch_size", expected="at least 1", got=str(batch_size), fix="128 is the default"
            )
        if columns is not None and getattr(model, "context", None) == 0:
            # Context that the network was not built for would be read for nothing.
            columns = columns.with_context([])
        self.columns = columns
        # Where it was loaded from, and the options of the training run.
        self.checkpoint: Path | None = None
        self.run: Mapping[str, Any] = {}
        self.device = available(device)
        self.batch_size, self.empty = batch_size, empty
        self.told_of_cut = False
        self.name = type(model).__name__ if name is None else name
        self.model = model.eval().to(self.device)
        self.dtype = next((p.dtype for p in model.parameters()), torch.get_default_dtype())
        self.feature_names = tuple(feature_names if columns is None else columns.feature_names)
        self.context_names = tuple(context_names if columns is None else columns.context_names)
        example = (
            example_sets(len(self.feature_names), len(self.context_names))
            if columns is None
            else example_batch(columns)
        )
        per = "set" if answers is None else answers.per
        outputs = outputs_of(self.model, example.to(self.device, self.dtype), per)
        if answers is None:
            names = tuple(class_names) or (() if columns is None else columns.class_names)
            answers = Probabilities(names or tuple(map(str, range(outputs))))
        self.answers = answers
        if answers.outputs != outputs:
            raise InputError(
                "model",
                expected=f"one output for each of the classes {', '.join(answers.names)}",
                got=f"{outputs} outputs",
                fix="build the model with outputs=<number of classes>",
            )

    @classmethod
    def load(
        cls,
        checkpoint: str | Path,
        *,
        model: Network | Sequence[Network] | None = None,
        device: torch.device | str = "auto",
        batch_size: int = 128,
        empty: float | None = None,
    ) -> "Tagger":
        """Build the tagger that a checkpoint describes; nothing in the file is executed.

        Parameters
        ----------
        checkpoint
            A file of ``hepml train`` or of :func:`hepml.training.save_checkpoint`; or the folder of
            a run, which stands for its best epoch.
        model
            The class, or its name ``"package.module:Class"``, where it is not one of hepml's. The
            name that the checkpoint holds is shown if this is missing, and imported never.
        device, batch_size, empty
            As for the constructor.

        Raises
        ------
        FileError
            If the file is missing, damaged, or not a checkpoint of hepml.
        InputError
            If the class cannot be imported.
        """
        best = RunFolder(Path(checkpoint)).best
        path = best if best.is_file() else checkpoint
        network, columns, info = load_checkpoint(path, model=model)
        # Those who wrote a checkpoint without columns find their features as to_awkward names them.
        channels = int(info.arguments.get("features", 0))
        context = int(info.arguments.get("context", 0))
        answers = None if columns is None else answers_of(info.task, columns, path)
        tagger = cls(
            network,
            columns,
            feature_names=[f"feature_{i}" for i in range(channels)],
            context_names=[f"context_{i}" for i in range(context)],
            device=device,
            batch_size=batch_size,
            empty=empty,
            answers=None if columns is None or not info.task else answers,
        )
        tagger.checkpoint, tagger.run = Path(path), info.run
        return tagger

    def __repr__(self) -> str:
        parameters = sum(each.numel() for each in self.model.parameters())
        context = f", context ({', '.join(self.context_names)})" if self.context_names else ""
        return (
            f"Tagger({self.name} with {parameters:,} parameters, "
            f"{'classes' if self.classifies else 'targets'} ({', '.join(self.answers.names)}), "
            f"features ({', '.join(self.feature_names)}){context}, "
            f"{'with' if self.columns else 'without'} columns, {self.device})"
        )

    @overload
    def __call__(self, particles: ParticleSet | Graph) -> Float[Tensor, "rows names"]: ...

    @overload
    def __call__(
        self,
        particles: ak.Array,
        *,
        context: ak.Array | None = None,
        unit: Literal["GeV", "MeV"] | None = None,
        bad: BadInArrays = "error",
    ) -> ak.Array: ...

    def __call__(
        self,
        particles: Any,
        *,
        context: Any = None,
        unit: Literal["GeV", "MeV"] | None = None,
        bad: BadInArrays = "error",
    ) -> Any:
        """The probabilities of the classes.

        Parameters
        ----------
        particles
            A :class:`~hepml.data.ParticleSet` or a Graph; or an awkward array with all branches
            that the columns read, see :meth:`from_columns`; or one of momenta: jets * particles, or
            events * jets * particles, and so on. Its records have coordinates that vector knows
            (px, py, pz, E; pt, eta, phi, mass; ...) and a field for each of `feature_names`;
            further fields do no harm.
        context
            Beside momenta: the jets that they belong to, with a field for each of `context_names`.
        unit
            Of the momenta, "GeV" or "MeV"; it must be said where the columns have another unit than
            GeV, since the array may be in theirs. Features are taken as they come.
        bad
            What becomes of jets with NaN or infinite numbers: "error" raises, "nan" gives them
            NaN, as :func:`predict` does.

        Returns
        -------
        :
            For a ParticleSet or Graph a tensor (sets, classes) on its device, of a network for
            particles, nodes or edges a row for each; of one that predicts numbers, these and their
            widths. For an
            awkward array one without its innermost axis, of records with a field for each of these
            names; None where a jet is missing, as after ``ak.mask`` or ``ak.firsts``. For an array
            of dask_awkward another one.

        Raises
        ------
        InputError
            If fields are missing, if the array is not jagged, has missing values in its fields, NaN
            or infinity, or if its unit must be said.

        Notes
        -----
        A jet without particles gets the score that the model gives to the empty set: a number, and
        the same each time, but one without meaning; or `empty`, if the tagger was made with it. A
        missing particle is none of its jet's.
        """
        if isinstance(particles, ParticleSet | Graph):
            if context is not None or unit is not None or bad != "error":
                raise InputError(
                    "context, unit, bad",
                    expected=f"none of them beside a {type(particles).__name__}, which holds its "
                    "context, is in GeV and has neither NaN nor infinity",
                    got=f"context={context!r:.40}, unit={unit!r}, bad={bad!r}",
                    fix="leave them out: they are for awkward arrays",
                )
            return self.values(particles)
        particles = checked_array("particles", particles)
        by_columns = self.columns is not None and context is unit is None
        if by_columns and has_columns(particles, reading_columns(self.columns)):
            return self.from_columns(particles, bad=bad)
        return scores_of_momenta(self, particles, context, unit=unit, bad=checked_bad(bad))

    def from_columns(self, events: Any, *, bad: BadInArrays = "error") -> ak.Array:
        """The probabilities of the jets of an array that the tagger's own columns read.

        So nobody writes features, units or indices again that the columns already hold: the scores
        are those that :func:`predict` writes for a file with these branches.

        Parameters
        ----------
        events
            Records with the branches as fields: ``tree.arrays()``, or NanoEvents, whose
            ``events.Jet.pt`` is the column ``Jet_pt``. A record is what an entry of the file is:
            a jet or, with an index, an event of jets.
        bad
            As in a call.

        Returns
        -------
        :
            A record of the classes for each jet, in the structure of the events.

        Raises
        ------
        ColumnError
            If a branch is missing.
        DataError
            If a jet is bad, or a value missing in a branch.
        InputError
            If the tagger has no columns, or the events are no records.

        Notes
        -----
        Every jet gets a score, whether it passes the cut of the columns or not; one warning says
        how many do not, and :meth:`passes_cut` says which.
        """
        return scores_by_columns(self, checked_array("events", events), bad=checked_bad(bad))

    def passes_cut(self, events: Any) -> ak.Array:
        """Which jets of an array pass the cut of the columns, in the structure of the scores.

        Parameters
        ----------
        events
            As in :meth:`from_columns`.
        """
        cut = None if self.columns is None else self.columns.cut
        return jets_passing(events, reading_columns(self.columns).replace(cut=cut))

    @property
    def classifies(self) -> bool:
        """Whether the outputs are probabilities of classes."""
        return isinstance(self.answers, Probabilities)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes; none, of a network that predicts numbers."""
        return self.answers.names if isinstance(self.answers, Probabilities) else ()

    def logits(self, particles: ParticleSet | Graph) -> Float[Tensor, "rows outputs"]:
        """What the model gives, batch by batch, without gradients, on the device of the particles.

        Raises
        ------
        InputError
            If the particles or nodes have not as many features, or the sets not as much context, as
            the model was trained on.
        """
        features = particles.nodes if isinstance(particles, Graph) else particles.features
        _check_channels("features", self.feature_names, features.shape[1])
        if self.context_names:
            context = particles.context
            _check_channels(
                "context", self.context_names, 0 if context is None else context.shape[1]
            )
        starts = range(0, max(len(particles), 1), self.batch_size)
        with torch.no_grad():
            batches = (particles[start : start + self.batch_size] for start in starts)
            outputs = [self.model(batch.to(self.device, self.dtype)) for batch in batches]
        return torch.cat(outputs).to(particles.device)

    def probabilities(self, particles: ParticleSet | Graph) -> Float[Tensor, "rows classes"]:
        """The softmax of the logits in float64, in which the purest jets still differ.

        Raises
        ------
        InputError
            If the model predicts numbers, not classes.
        """
        if not self.classifies:
            raise InputError(
                f"tagger {self.name}",
                expected="a network that tells classes",
                got=f"one that predicts {', '.join(self.answers.names)}",
                fix="ask for values(particles)",
            )
        return self.values(particles)

    def values(self, particles: ParticleSet | Graph) -> Float[Tensor, "rows names"]:
        """What the outputs mean, in float64: probabilities, or targets in their own units."""
        filled = particles.counts > 0
        if self.empty is None or bool(filled.all()) or self.answers.per != "set":
            return self.answers(self.logits(particles))
        scores = self.answers(self.logits(particles[filled]))
        everything = scores.new_full((len(particles), scores.shape[1]), self.empty)
        everything[filled] = scores
        return everything


def _check_channels(what: str, names: Sequence[str], found: int) -> None:
    """Refuse other numbers of channels than the model was trained on."""
    if found != len(names):
        raise InputError(
            "particles",
            expected=f"{len(names)} {what}" + (f" ({', '.join(names)})" if names else ""),
            got=f"{found} {what}",
            fix="read them with the columns of the tagger",
        )
