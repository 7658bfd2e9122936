"""The symmetries by name."""

from difflib import get_close_matches

from hepml.errors import InputError
from hepml.symmetry._images import PhiRotation, Translation
from hepml.symmetry._lorentz import (
    BeamBoost,
    BeamRotation,
    Lorentz,
    Parity,
    Rotation,
    TimeReversal,
)
from hepml.symmetry._motion import (
    BodyPermutation,
    MotionReversal,
    SpaceInversion,
    SpaceRotation,
    SpaceTranslation,
)
from hepml.symmetry._safety import CollinearSplitting, SoftEmission
from hepml.symmetry._sets import BatchComposition, Permutation
from hepml.symmetry._symmetry import Symmetry

# The names by which claims and the command line call them, for outputs of whole sets; the last five
# for energies of sets of bodies.
SYMMETRIES: dict[str, Symmetry] = {
    "permutation": Permutation(),
    "batch composition": BatchComposition(),
    "lorentz": Lorentz(),
    "lorentz with beams": Lorentz(references=("beams",)),
    "rotation": Rotation(),
    "beam rotation": BeamRotation(),
    "beam boost": BeamBoost(),
    "parity": Parity(),
    "time reversal": TimeReversal(),
    "soft emission": SoftEmission(),
    "collinear splitting": CollinearSplitting(),
    "phi rotation": PhiRotation(),
    "translation": Translation(),
    "motion reversal": MotionReversal(),
    "space translation": SpaceTranslation(),
    "space rotation": SpaceRotation(),
    "space inversion": SpaceInversion(),
    "body permutation": BodyPermutation(),
}


def find_symmetry(symmetry: Symmetry | str) -> Symmetry:
    """The symmetry of a name; a symmetry is returned as it is.

    Parameters
    ----------
    symmetry
        The name may have hyphens or underscores for its spaces.

    Raises
    ------
    InputError
        If there is none of this name; the message lists the nearest. If it is a class.

    Examples
    --------
    >>> find_symmetry("beam boost")
    BeamBoost(outputs=None, inputs=None, references=(), reference_mass=1.0)
    """
    if isinstance(symmetry, Symmetry):
        return symmetry
    if not isinstance(symmetry, str):
        name = getattr(symmetry, "__name__", type(symmetry).__name__)
        raise InputError(
            "symmetry",
            expected="a symmetry, or its name",
            got=repr(symmetry),
            fix=f"make one: {name}()" if isinstance(symmetry, type) else "see SYMMETRIES",
        )
    name = " ".join(symmetry.lower().replace("_", " ").replace("-", " ").split())
    if name in SYMMETRIES:
        return SYMMETRIES[name]
    words = {*name.split()}
    near = get_close_matches(name, SYMMETRIES) or [
        each for each in SYMMETRIES if words & {*each.split()}
    ]
    raise InputError(
        f"symmetry {symmetry!r}",
        expected=f"one of {', '.join(SYMMETRIES)}",
        got="a name of none",
        fix=f"try {' or '.join(map(repr, near))}" if near else "choose one of these",
    )
