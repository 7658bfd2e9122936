"""The label of an experiment on a figure, as its collaboration asks for."""

from collections.abc import Callable

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, TextArea

from hepml.errors import InputError
from hepml.figures import style, without_markup

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
        with style():
            words: list[Artist] = [
                TextArea(name, textprops={"weight": "bold", "style": of_name, "size": 30}),
                TextArea(without_markup(rest.strip()), textprops={"style": of_rest, "size": 22}),
            ]
            axes.add_artist(
                AnchoredOffsetbox(
                    "lower left",
                    child=HPacker(children=words, align="baseline", pad=0, sep=8),
                    bbox_to_anchor=(0, 1),
                    bbox_transform=axes.transAxes,
                    frameon=False,
                    borderpad=0.2,
                )
            )

    return label
