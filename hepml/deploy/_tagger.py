"""A trained network as a function: particles in, the probabilities of the classes out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import torch
from jaxtyping import Float
from torch import Tensor, nn

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.io import Columns
from hepml.training import load_checkpoint
from hepml.training._folder import RunFolder
from hepml.training._network import Network, outputs_of

# The names under which vector knows the coordinates of a momentum.
_COORDINATES = {
    *("px", "py", "pz", "E", "x", "y", "z", "t", "e", "energy"),
    *("pt", "rho", "phi", "eta", "theta", "mass", "M", "m", "tau"),
}


class Tagger:
    """The probabilities of the classes for sets of particles, from a trained model.

    Parameters
    ----------
    model
        Maps a :class:`~hepml.data.ParticleSet` to logits (sets, classes). It is put into evaluation
        mode and moved to the device.
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
    ) -> None:
        if batch_size < 1:
            raise InputError(
                "batch_size", expected="at least 1", got=str(batch_size), fix="128 is the default"
            )
        if columns is not None and getattr(model, "context", None) == 0:
            # Context that the network was not built for would be read for nothing.
            columns = columns.with_context([])
        self.columns = columns
        self.device = _available(device)
        self.batch_size = batch_size
        self.name = type(model).__name__ if name is None else name
        self.model = model.eval().to(self.device)
        self.dtype = next((p.dtype for p in model.parameters()), torch.get_default_dtype())
        self.feature_names = tuple(feature_names if columns is None else columns.feature_names)
        self.context_names = tuple(context_names if columns is None else columns.context_names)
        outputs = outputs_of(self.model, self._example())
        names = tuple(class_names) or (() if columns is None else columns.class_names)
        self.class_names = names or tuple(map(str, range(outputs)))
        if len(self.class_names) != outputs:
            raise InputError(
                "model",
                expected=f"one output for each of the classes {', '.join(self.class_names)}",
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
        device, batch_size
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
        return cls(
            network,
            columns,
            feature_names=[f"feature_{i}" for i in range(channels)],
            context_names=[f"context_{i}" for i in range(context)],
            device=device,
            batch_size=batch_size,
        )

    def __call__(self, particles: Any) -> Any:
        """The probabilities of the classes.

        Parameters
        ----------
        particles
            A :class:`~hepml.data.ParticleSet`, or an awkward array of momenta: jets * particles, or
            events * jets * particles, and so on. The records have coordinates that vector knows
            (px, py, pz, E; pt, eta, phi, mass; ...) in GeV, and a field for each of
            `feature_names`; further fields do no harm.

        Returns
        -------
        :
            For a ParticleSet a tensor (sets, classes) on its device. For an awkward array one
            without its innermost axis, of records with a field for each of `class_names`.

        Raises
        ------
        InputError
            If fields are missing, if the array is not jagged, has missing values, NaN or infinity.

        Notes
        -----
        A jet without particles gets the score that the model gives to the empty set: a number, and
        the same each time, but one without meaning.
        """
        if isinstance(particles, ParticleSet):
            return self.probabilities(particles)
        return self._awkward_scores(particles)

    def logits(self, particles: ParticleSet) -> Float[Tensor, "sets classes"]:
        """What the model gives, batch by batch, without gradients, on the device of the particles.

        Raises
        ------
        InputError
            If the particles have not as many features, or the sets not as much context, as the
            model was trained on.
        """
        _check_channels("features", self.feature_names, particles.features.shape[1])
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

    def probabilities(self, particles: ParticleSet) -> Float[Tensor, "sets classes"]:
        """The softmax of the logits in float64, in which the purest jets still differ."""
        return self.logits(particles).double().softmax(1)

    def _awkward_scores(self, momenta: Any) -> Any:
        """Flatten to jets, score, and give the scores the structure of the jets."""
        momenta = ak.Array(momenta)
        if missing := [name for name in self.feature_names if name not in momenta.fields]:
            raise InputError(
                "momenta",
                expected=f"fields for the features {', '.join(self.feature_names)}",
                got=f"fields {', '.join(momenta.fields) or '(none)'}; {', '.join(missing)} missing",
                fix="add them: momenta['name'] = values; `feature_names` of the tagger lists them",
            )
        # Other fields of an analysis may be anything, missing values included; and vector would
        # refuse a record of its own kind without some of its fields.
        needed = [name for name in momenta.fields if name in {*_COORDINATES, *self.feature_names}]
        momenta = ak.without_parameters(momenta)[needed]
        counts = []
        # An array with missing lists is left for ParticleSet to refuse, with its type.
        while momenta.ndim > 2 and not _misses_lists(momenta):
            counts.append(ak.num(momenta, axis=1))
            momenta = ak.flatten(momenta, axis=1)
        particles = ParticleSet.from_awkward(momenta, self.feature_names, dtype=self.dtype)
        table = self.probabilities(particles).float().numpy()
        scores = ak.zip({name: table[:, i] for i, name in enumerate(self.class_names)})
        for number in reversed(counts):
            scores = ak.unflatten(scores, number)
        return scores

    def _example(self) -> ParticleSet:
        """Two sets that look like jets, to see what the model makes of them.

        Of particles, and not a few: networks of others pad, or look for nearest neighbours.
        """
        number = torch.arange(56, dtype=torch.float64)
        pt, eta, phi = 100 / (1 + number), 0.4 * number.sin(), 0.4 * (2.4 * number).cos()
        momentum = torch.stack([pt * phi.cos(), pt * phi.sin(), pt * eta.sinh()], 1)
        energy = (momentum.square().sum(1, keepdim=True) + 0.14**2).sqrt()
        return ParticleSet(
            torch.cat([energy, momentum], 1),
            torch.tensor([0, 24, 56]),
            torch.zeros(56, len(self.feature_names), dtype=torch.float64),
            context=torch.zeros(2, len(self.context_names), dtype=torch.float64)
            if self.context_names
            else None,
        ).to(self.device, self.dtype)


def _check_channels(what: str, names: Sequence[str], found: int) -> None:
    """Refuse other numbers of channels than the model was trained on."""
    if found != len(names):
        raise InputError(
            "particles",
            expected=f"{len(names)} {what}" + (f" ({', '.join(names)})" if names else ""),
            got=f"{found} {what}",
            fix="read them with the columns of the tagger",
        )


def _misses_lists(array: Any) -> bool:
    """Whether a list of the two outer levels is missing, which flattening would hide."""
    return any(bool(ak.any(ak.is_none(array, axis=axis), axis=None)) for axis in (0, 1))


def _available(device: torch.device | str) -> torch.device:
    """The device, or an error that lists those of this machine."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        there = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        raise InputError(
            f"device {str(device)!r}",
            expected=f"one of this machine: {', '.join(there)}",
            got=str(error).splitlines()[0],
            fix="choose one of these",
        ) from error
    return chosen
