"""Taggers on the arrays of an analysis: by their own columns, or of momenta."""

import os
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import torch
import uproot
from support.small_jets import write_jets

from hepml.data import ParticleSet
from hepml.deploy import Tagger, predict
from hepml.errors import ColumnError, DataError, InputError
from hepml.io import PRESETS, Collection, Columns
from hepml.models import ParticleFlow

COLUMNS = PRESETS["hepml"]


def make_tagger(columns=COLUMNS, **options):
    """A network with weights that nobody trained: scores only have to differ."""
    torch.manual_seed(0)
    context = len(columns.context_names)
    model = ParticleFlow(features=len(columns.feature_names), context=context)
    return Tagger(model, columns, **options)


@pytest.fixture
def file(tmp_path):
    return write_jets(tmp_path / "jets.root", 40, jet_pt=np.arange(40, dtype=np.float32) + 1)


def predicted(tagger, file, tmp_path):
    """The scores that predict writes, and the branches of the file as one array."""
    predict(tagger, file, tmp_path / "out.root", overwrite=True)
    with uproot.open(tmp_path / "out.root") as out, uproot.open(file) as source:
        return out["scores"]["score_top"].array(), source[source.keys()[0]].arrays()


def assert_same(found, expected):
    assert str(found.type) == str(expected.type)
    flat = [ak.to_numpy(ak.drop_none(ak.flatten(a, axis=None))) for a in (found, expected)]
    np.testing.assert_allclose(*flat, rtol=0, atol=1e-6)


def test_arrays_with_the_branches_get_the_scores_of_predict(file, tmp_path):
    tagger = make_tagger(COLUMNS.replace(context={"log_pt": "log(jet_pt)"}))
    expected, tree = predicted(tagger, file, tmp_path)
    assert_same(tagger.from_columns(tree).top, expected)
    assert_same(tagger(tree).top, expected)
    events = ak.unflatten(tree, [3, 0, 37])
    assert_same(tagger(events).top, ak.unflatten(expected, [3, 0, 37]))
    keep = ak.Array(np.arange(40) % 3 > 0)
    assert_same(tagger(ak.mask(tree, keep)).top, ak.mask(expected, keep))
    assert_same(tagger(ak.firsts(events)).top, ak.firsts(ak.unflatten(expected, [3, 0, 37])))


@pytest.mark.skipif("HEPML_TEST_DATA" not in os.environ, reason="HEPML_TEST_DATA is not set")
@pytest.mark.parametrize(
    ("preset", "name", "tree"),
    [
        ("deepjet", "deepjet-ttbar/ntuple_ttbar.root", "deepntuplizer/tree"),
        ("pfnano", "cms-pfnano/pfnano.root", "Events"),
    ],
)
@pytest.mark.slow
def test_arrays_of_real_files_get_the_scores_of_predict(tmp_path, preset, name, tree):
    path = Path(os.environ["HEPML_TEST_DATA"]) / name
    tagger = make_tagger(PRESETS[preset].without_labels(), class_names=["other", "top"])
    predict(tagger, path, tmp_path / "out.root")
    expected = uproot.open(tmp_path / "out.root")["scores"]["score_top"].array()
    with uproot.open(path) as source:
        events = source[tree].arrays(filter_name="/^([CN]pfcan_|jet_|FatJet_pt$|.*PFCands)/")
    assert_same(tagger(events).top, expected)


def test_a_jet_with_nan_gets_nan_on_request(file, tmp_path):
    tagger = make_tagger()
    expected, tree = predicted(tagger, file, tmp_path)
    spoilt = ak.to_list(tree.part_px)
    spoilt[5][0] = float("nan")
    tree["part_px"] = ak.values_astype(ak.Array(spoilt), np.float32)
    with pytest.raises(DataError, match="array, entry 5, column 'part_px'"):
        tagger(tree)
    scores = tagger(tree, bad="nan").top
    assert np.flatnonzero(np.isnan(scores)).tolist() == [5]
    keep = np.arange(40) != 5
    assert_same(scores[keep], expected[keep])


def test_the_cut_is_not_applied_and_said_once(file, tmp_path):
    tagger = make_tagger(COLUMNS.replace(cut="jet_pt > 10"))
    expected, tree = predicted(tagger, file, tmp_path)
    with pytest.warns(UserWarning, match=r"'jet_pt > 10', .*ParticleFlow.* not passed by 10 of 40"):
        scores = tagger(tree)
    assert_same(scores.top, expected)
    assert len(tagger(tree)) == 40
    assert ak.sum(tagger.passes_cut(ak.unflatten(tree, [15, 25])), axis=1).to_list() == [5, 25]
    quiet = make_tagger(COLUMNS.replace(cut="jet_pt > 0"))
    assert_same(quiet(tree).top, expected)
    with pytest.warns(UserWarning, match="cannot be computed from these arrays"):
        make_tagger(COLUMNS.replace(cut="lost > 0"))(tree)


def test_what_is_missing_is_named(file, tmp_path):
    tagger = make_tagger()
    _, tree = predicted(tagger, file, tmp_path)
    with pytest.raises(ColumnError, match=r"array, column 'part_charge' .feature charge"):
        tagger.from_columns(ak.without_field(tree, "part_charge"))
    with pytest.raises(InputError, match="or give events with the branches of the tagger's col"):
        tagger(ak.without_field(tree, "part_charge"))
    with pytest.raises(InputError, match="expected columns, which say how to read"):
        Tagger(ParticleFlow()).from_columns(tree)


def momenta(size=6, scale=1.0):
    """Momenta of jets with two particles each."""
    random = np.random.default_rng(1)
    fields = {
        "pt": scale * random.exponential(30, size),
        "eta": random.normal(size=size),
        "phi": random.normal(size=size),
        "mass": scale * np.full(size, 0.14),
    }
    return ak.unflatten(ak.zip(fields, with_name="Momentum4D"), size // 2 * [2])


def test_the_unit_of_momenta_is_said_where_it_is_not_clear():
    columns = Columns(Collection({name: name for name in ("pt", "eta", "phi", "mass")}))
    tagger = make_tagger(columns, class_names=["qcd", "top"])
    expected = tagger(momenta()).top
    assert_same(tagger(momenta(scale=1000), unit="MeV").top, expected)
    in_mev = make_tagger(columns.replace(unit="MeV"), class_names=["qcd", "top"])
    with pytest.raises(InputError, match=r"unit: .*the columns of the tagger are in MeV, got None"):
        in_mev(momenta())
    assert_same(in_mev(momenta(), unit="GeV").top, expected)
    assert_same(in_mev(momenta(scale=1000), unit="MeV").top, expected)
    # Each record a jet with lists: these are the columns' own branches, in their unit.
    lists = ak.Array(dict(zip(momenta().fields, ak.unzip(momenta(scale=1000)), strict=True)))
    assert_same(in_mev(lists).top, expected)


@pytest.mark.usefixtures("unchecked_types")
def test_other_options_are_refused():
    tagger = make_tagger(COLUMNS.with_features([]))
    for option, expected in {"unit": "'GeV' or 'MeV'", "bad": "'error' or 'nan'"}.items():
        with pytest.raises(InputError, match=f"{option}: expected {expected}.* got 'drop'"):
            tagger(momenta(), **{option: "drop"})


def test_options_of_arrays_mean_nothing_beside_sets():
    tagger = make_tagger(COLUMNS.with_features([]))
    sets = ParticleSet.from_awkward(momenta()).to(torch.float32)
    for options in ({"unit": "MeV"}, {"bad": "nan"}, {"context": momenta()}):
        with pytest.raises(InputError, match="none of them beside a ParticleSet"):
            tagger(sets, **options)


def test_missing_jets_and_particles_of_momenta():
    tagger = make_tagger(COLUMNS.with_features([]))
    jets = momenta()
    expected = tagger(jets).top
    keep = ak.Array([True, False, True])
    assert_same(tagger(ak.mask(jets, keep)).top, ak.mask(expected, keep))
    events = ak.unflatten(jets, [2, 0, 1])
    assert_same(tagger(ak.firsts(events)).top, ak.firsts(ak.unflatten(expected, [2, 0, 1])))
    hard = jets.pt > ak.min(jets.pt, axis=1)
    assert_same(tagger(ak.mask(jets, hard)).top, tagger(jets[hard]).top)


def test_momenta_with_nan_get_nan_on_request():
    tagger = make_tagger(COLUMNS.with_features([]))
    jets = momenta()
    expected = ak.to_numpy(tagger(jets).top)
    jets = ak.with_field(jets, ak.Array([[1.0, 2.0], [3.0, np.nan], [1.0, 2.0]]), "eta")
    with pytest.raises(InputError, match="finite"):
        tagger(jets)
    scores = ak.to_numpy(tagger(jets, bad="nan").top)
    assert np.isnan(scores).tolist() == [False, True, False]
    assert scores.shape == expected.shape


def test_context_beside_momenta():
    columns = COLUMNS.with_features([]).replace(context={"ht": "jet_pt"})
    tagger = make_tagger(columns)
    jets = momenta()
    of_jets = ak.Array({"ht": [1.0, 2.0, 3.0], "other": ["a", "b", "c"]})
    scores = tagger(jets, context=of_jets).top
    assert len(set(scores.to_list())) == 3
    events, around = ak.unflatten(jets, [2, 1]), ak.unflatten(of_jets, [2, 1])
    assert_same(tagger(events, context=around).top, ak.unflatten(scores, [2, 1]))
    masked = ak.mask(around, around.ht > 1)
    assert_same(
        tagger(events, context=masked).top, ak.mask(ak.unflatten(scores, [2, 1]), around.ht > 1)
    )
    with_nan = ak.with_field(of_jets, [1.0, np.nan, 3.0], "ht")
    assert np.isnan(tagger(jets, context=with_nan, bad="nan").top).tolist() == [False, True, False]
    for context, message in (
        (None, "an array of jets with the fields ht, got none"),
        (of_jets[["other"]], "with the fields ht, got fields other"),
        (of_jets[:2], r"one record for each jet of 3 \* var"),
    ):
        with pytest.raises(InputError, match=message):
            tagger(jets, context=context)
    with pytest.raises(InputError, match="none: the network reads no numbers of jets, got fields"):
        make_tagger(COLUMNS.with_features([]))(jets, context=of_jets)


def test_types_alone_give_types_and_say_what_is_needed(file, tmp_path):
    tagger = make_tagger(COLUMNS.with_features(["charge"]))
    _, tree = predicted(tagger, file, tmp_path)
    for array, needed in (
        (tree, {"part_px", "part_py", "part_pz", "part_energy", "part_charge"}),
        (ak.with_field(momenta(), 1, "charge"), {"pt", "eta", "phi", "mass", "charge"}),
    ):
        form = array.layout.form_with_key("node{id}")
        tracer, report = ak.typetracer.typetracer_with_report(form, highlevel=True)
        found = tagger(tracer)
        expected = str(tagger(array).type).partition(" * ")[2]
        assert str(found.type) == f"## * {expected}"
        records = form if form.is_record else form.content
        touched = {*report.data_touched}
        assert {
            name for name in array.fields if records.content(name).form_key in touched
        } == needed


def test_momenta_beyond_single_precision_are_bad_jets_like_others():
    tagger = Tagger(ParticleFlow(context=1), context_names=["pt"])
    momenta = ak.zip(
        {
            "pt": [[20.0, 9.0], [20.0], [20.0], [1e39]],
            "eta": [[0.1, 0.2], [800.0], [0.3], [0.0]],
            "phi": [[1.0, 1.1], [0.0], [0.1], [0.0]],
            "mass": [[0.1, 0.1], [0.0], [0.0], [0.0]],
        }
    )
    context = ak.zip({"pt": [1.0, 2.0, None, 3.0]})
    scores = ak.to_numpy(tagger(momenta, context=context, bad="nan")["0"])
    assert np.isnan(scores).tolist() == [False, True, True, True]
    alone = tagger(momenta[:1], context=context[:1])["0"]
    np.testing.assert_allclose(scores[0], alone[0], rtol=1e-6)


@pytest.mark.usefixtures("unchecked_types")
def test_what_is_no_array_is_refused_at_every_door():
    tagger = make_tagger()
    for wrong in (None, 3, "jets", ak.Array([{"pt": 1.0}])[0]):
        with pytest.raises(InputError, match="expected an awkward array of jets"):
            tagger(wrong)
        with pytest.raises(InputError, match="expected an awkward array of jets"):
            tagger.from_columns(wrong)
    with pytest.raises(InputError, match="bad: expected 'error' or 'nan', got 'drop'"):
        tagger.from_columns(ak.Array([{"pt": 1.0}]), bad="drop")
