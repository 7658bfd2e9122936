"""The classes of JetClass-II: their number in each group is that of the paper."""

from hepml.io.columns._jetclass2 import JETCLASS2_CLASSES


def test_classes_are_as_many_as_in_the_paper():
    assert len(JETCLASS2_CLASSES) == len(set(JETCLASS2_CLASSES)) == 188
    qcd = [name for name in JETCLASS2_CLASSES if name.startswith("QCD_")]
    four_body = [name for name in JETCLASS2_CLASSES if name.startswith("X_YY_")]
    assert (len(four_body), len(qcd)) == (146, 27)


def test_landmarks_are_in_their_places():
    places = {0: "X_bb", 14: "X_tauhtauh", 15: "X_YY_bbbb", 130: "X_YY_csq", 161: "QCD_bbccss"}
    assert all(JETCLASS2_CLASSES[place] == name for place, name in places.items())
    assert JETCLASS2_CLASSES[187] == "QCD_light"
