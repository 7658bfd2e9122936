"""The label of an experiment on a figure, as its collaboration asks for."""

from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure

from hepml.errors import InputError
from hepml.training._plots import _plain, _style

# The style of the name, and that of what follows it.
_EXPERIMENTS = {
    "CMS": ("normal", "italic"),
    "ATLAS": ("italic", "normal"),
    "LHCb": ("normal", "normal"),
    "ALICE": ("normal", "normal"),
}


def experiment_label(text: str | None) -> Callable[[Figure], None]:
    """What puts a label such as "CMS Simulation Preliminary" above the first axes of a figure.

    Parameters
    ----------
    text
        The experiment and the rest of its label; None for no label.

    Raises
    ------
    InputError
        If the first word is no experiment whose style is known.

    Notes
    -----
    mplhep's labels, which look alike, open a figure of pyplot beside the one that they label.
    """
    if text is None:
        return lambda _: None
    word, _, rest = text.strip().partition(" ")
    known = {each.lower(): each for each in _EXPERIMENTS}
    if word.lower() not in known:
        raise InputError(
            f"experiment {text!r}",
            expected=f"a label that begins with {', '.join(_EXPERIMENTS)}",
            got=repr(word),
            fix="write for example 'CMS Simulation Preliminary'",
        )
    name = known[word.lower()]
    of_name, of_rest = _EXPERIMENTS[name]

    def label(figure: Figure) -> None:
        axes = figure.axes[0]
        above: Any = {"va": "baseline", "ha": "left", "textcoords": "offset points"}
        with _style():
            title = axes.annotate(
                name,
                (0, 1),
                (0, 6),
                "axes fraction",
                **above,
                weight="bold",
                style=of_name,
                size=30,
            )
            axes.annotate(_plain(rest.strip()), (1, 0), (8, 0), title, **above, style=of_rest)

    return label
