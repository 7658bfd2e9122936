"""What surrounds records comes off, and goes around their values again."""

import awkward as ak
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepml.deploy._wrapping import has_form_alone, is_dask, of_form_alone, unwrapped

RECORD = st.fixed_dictionaries({"x": st.integers(0, 9)})
NESTED = st.recursive(
    RECORD | st.none(), lambda inner: st.lists(inner, min_size=1, max_size=3), max_leaves=6
)
LEVELS = [
    st.lists(RECORD | st.none(), min_size=1, max_size=4),
    st.lists(st.lists(RECORD | st.none(), max_size=3) | st.none(), min_size=1, max_size=4),
    st.lists(st.lists(st.lists(RECORD, max_size=2) | st.none(), max_size=3), max_size=4),
]


@given(st.one_of(LEVELS))
def test_a_value_for_each_record_lands_in_its_place(content):
    array = ak.Array(content)
    # Types without any record say nothing about fields.
    if "x" not in array.fields:
        return
    records, wrap = unwrapped(array)
    assert records.layout.is_record
    assert wrap(records.x * 10).to_list() == (array.x * 10).to_list()


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::-1],
        lambda a: a[a.x[:, 0] > 0],
        lambda a: ak.mask(a, [True, False, True]),
        lambda a: ak.pad_none(a, 3),
        lambda a: ak.firsts(a),
        lambda a: ak.to_regular(ak.pad_none(a, 2, clip=True)),
    ],
)
def test_views(view):
    array = view(ak.Array([[{"x": 0}, {"x": 1}], [{"x": 2}], [{"x": 3}, {"x": 4}, {"x": 5}]]))
    records, wrap = unwrapped(array)
    assert wrap(records.x + 1).to_list() == (array.x + 1).to_list()


def test_types_without_data():
    array = ak.Array([[{"x": 1.0}], []])
    form = ak.typetracer.typetracer_from_form(array.layout.form)
    assert has_form_alone(form)
    assert not has_form_alone(array)
    assert not is_dask(array)
    found = of_form_alone(lambda each: ak.values_astype(each.x, np.float32), form)
    assert str(found.type) == "## * var * float32"
