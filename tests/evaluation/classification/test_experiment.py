import pytest
from matplotlib.text import Text

from hepml.errors import InputError
from hepml.evaluation import experiment_label
from hepml.evaluation.classification._jet_plots import learning_figure

LOSSES = {"flow": {"epoch": [1.0, 2.0], "train_loss": [0.7, 0.5]}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("CMS Simulation Preliminary", {"CMS", "Simulation Preliminary"}),
        ("atlas Internal", {"ATLAS", "Internal"}),
        ("LHCb", {"LHCb"}),
    ],
)
def test_the_label_stands_on_the_figure(text, words):
    figure = learning_figure(LOSSES)
    experiment_label(text)(figure)
    assert words <= {each.get_text() for each in figure.findobj(Text)}


def test_no_label_by_default_and_none_of_unknown_experiments():
    figure = learning_figure(LOSSES)
    experiment_label(None)(figure)
    assert not {each.get_text() for each in figure.findobj(Text)} & {"CMS", "ATLAS"}
    with pytest.raises(InputError, match="begins with CMS, ATLAS, LHCb, ALICE, got 'UA1'"):
        experiment_label("UA1 Preliminary")
