"""Irreps are values: they print, parse, compare, add and multiply."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hepml.errors import InputError
from hepml.lorentz import Irrep, Irreps

irrep_values = st.builds(
    lambda a, b: Irrep(Fraction(a, 2), Fraction(b, 2)), st.integers(0, 5), st.integers(0, 5)
)
irreps_values = st.builds(Irreps, st.lists(st.tuples(st.integers(0, 20), irrep_values), max_size=5))
small_irreps = st.builds(Irreps, st.lists(st.tuples(st.integers(0, 3), irrep_values), max_size=2))

PAPER = "16x(0,0) + 4x(1/2,1/2) + 2x(1,0) + 2x(0,1) + 1x(1,1)"


def test_an_irrep_reads_spins_however_they_are_written() -> None:
    expected = Irrep(Fraction(1, 2), 1)
    assert expected == Irrep(0.5, 1.0) == Irrep("1/2", "1") == Irrep("(1/2, 1)") == Irrep("(.5,1)")
    assert (expected.twice_j1, expected.twice_j2) == (1, 2)
    assert eval(repr(expected)) == expected


@settings(max_examples=50)
@given(irreps_values)
def test_printing_and_reading_back_changes_nothing(irreps: Irreps) -> None:
    assert Irreps(str(irreps)) == irreps
    assert eval(repr(irreps)) == irreps
    assert hash(Irreps(str(irreps))) == hash(irreps)


def test_spaces_and_missing_multiplicities_are_read() -> None:
    assert str(Irreps(" 2 x( 0.5 , 1/2 )+(1,0)+ (0,1) ")) == "2x(1/2,1/2) + 1x(1,0) + 1x(0,1)"
    assert Irreps("").dim == len(Irreps("")) == 0
    assert str(Irreps(Irrep(1, 0))) == "1x(1,0)"


def test_columns_follow_the_terms() -> None:
    irreps = Irreps(PAPER)
    assert irreps.dim == 16 + 16 + 6 + 6 + 9
    assert irreps.slices()[1:3] == [slice(16, 32), slice(32, 38)]
    assert [term.dim for term in irreps] == [
        columns.stop - columns.start for columns in irreps.slices()
    ]
    assert irreps[1].mul == 4
    assert irreps[1:3] == Irreps("4x(1/2,1/2) + 2x(1,0)")
    assert irreps.count("(1,0)") == 2
    assert "(1,1)" in irreps
    assert Irrep(2, 0) not in irreps


def test_values_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Irrep(1, 0).twice_j1 = 3  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Irreps(PAPER).terms = ()  # type: ignore[misc]


def test_real_means_every_irrep_beside_its_conjugate() -> None:
    assert Irreps(PAPER).is_real
    assert Irreps("(1/2,0) + (0,1/2)").is_real
    assert not Irreps("2x(1,0) + 1x(0,1)").is_real
    assert Irrep(1, 1).is_real
    assert not Irrep(1, 0).is_real
    assert Irrep(1, 0).conjugate == Irrep(0, 1)
    assert Irrep(1, "1/2").is_spinor
    assert not Irrep("1/2", "1/2").is_spinor


def test_order_puts_the_simple_first() -> None:
    assert str(Irreps(reversed(Irreps(PAPER).terms)).sorted()) == PAPER
    assert Irrep(1, 0) < Irrep(0, 1) < Irrep(1, 1)


def test_simplify_keeps_the_columns_and_sorted_moves_them() -> None:
    irreps = Irreps("2x(1,1) + 0x(1,0) + 3x(1,1) + 1x(0,0) + 1x(1,1)")
    assert str(irreps.simplify()) == "5x(1,1) + 1x(0,0) + 1x(1,1)"
    assert str(irreps.sorted()) == "1x(0,0) + 6x(1,1)"


def test_a_product_of_vectors_is_trace_field_tensor_and_traceless_part() -> None:
    vector = Irrep("1/2", "1/2")
    assert str(vector * vector) == "1x(0,0) + 1x(1,0) + 1x(0,1) + 1x(1,1)"
    assert vector.spins == (0, 1)
    assert Irrep(1, "1/2").spins == (Fraction(1, 2), Fraction(3, 2))
    assert str(3 * Irreps("2x(0,0)")) == "6x(0,0)"


@given(small_irreps, small_irreps, small_irreps)
@settings(max_examples=30)
def test_sums_and_products_form_a_ring_of_dimensions(a: Irreps, b: Irreps, c: Irreps) -> None:
    assert (a + b).dim == a.dim + b.dim
    assert (a * b).dim == a.dim * b.dim
    assert a * b == b * a
    assert (a + b) * c == (a * c + b * c).sorted()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo", "irreps 'foo': expected a sum of terms such as 4x"),
        ("2x(1,0) 3x(0,1)", "got '3x"),
        ("2x(1,0) +", "got ''"),
        ("(1,0)x", "got 'x'"),
        ("2x(1)", "got '2x"),
        ("(1/3,0)", "j1: expected a spin 0, 1/2, 1, ..., got '1/3'"),
        ("(0,1/0)", "j2: expected a spin"),
    ],
)
def test_a_bad_string_is_named_with_the_place(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Irreps(text)
    assert message in str(caught.value)


@pytest.mark.parametrize("spin", [-1, 0.3, "x", float("inf"), float("nan"), Fraction(1, 4)])
def test_a_spin_is_a_multiple_of_one_half(spin: int | float | str | Fraction) -> None:
    with pytest.raises(InputError, match="a spin 0, 1/2, 1"):
        Irrep(0, spin)


def test_a_multiplicity_is_not_negative() -> None:
    with pytest.raises(InputError, match=r"multiplicity of \(1,1\): expected 0 or more, got -2"):
        Irreps([(-2, "(1,1)")])
    with pytest.raises(InputError, match="irreps 'vector'"):
        Irrep("vector")


@pytest.mark.parametrize("mul", [1.5, 2.0, True, "2", None])
def test_a_multiplicity_is_a_whole_number(mul: object) -> None:
    with pytest.raises(InputError, match=r"multiplicity of \(0,0\): expected a whole number"):
        Irreps([(mul, "(0,0)")])  # type: ignore[list-item]
    if not isinstance(mul, str):
        with pytest.raises(InputError):
            Irreps("(0,0)") * mul  # type: ignore[operator]


@pytest.mark.parametrize("terms", [None, 3, [3], [("2", "(0,0)", 1)], [None], torch.tensor(0)])
def test_what_is_no_irreps_is_refused(terms: object) -> None:
    with pytest.raises(InputError, match="expected a sum of terms such as"):
        Irreps(terms)  # type: ignore[arg-type]


def test_lists_hold_strings_irreps_and_pairs() -> None:
    expected = Irreps("2x(0,0) + (1,0) + (0,1) + 3x(1,1)")
    assert Irreps(["2x(0,0)", "(1,0) + (0,1)", (3, "(1,1)")]) == expected
    assert Irreps([Irreps("2x(0,0)")[0], Irrep(1, 0), Irrep(0, 1), (np.int64(3), Irrep(1, 1))]) == (
        expected
    )


def test_sums_and_products_read_what_irreps_reads() -> None:
    assert Irreps("(0,0)") + "2x(1,0)" == Irreps("(0,0) + 2x(1,0)")
    assert "2x(1,0)" + Irreps("(0,0)") == Irreps("2x(1,0) + (0,0)")
    assert sum([Irreps("(0,0)"), Irreps("(1,1)")], Irreps("")) == Irreps("(0,0) + (1,1)")
    vector = Irrep("1/2", "1/2")
    assert Irreps(vector) * vector == Irreps([vector]) * "(1/2,1/2)" == vector * vector


def test_irreps_are_counted_and_filtered() -> None:
    irreps = Irreps(PAPER)
    assert irreps.num_irreps == 25
    assert irreps.filter("(1,0) + 7x(0,1)") == Irreps("2x(1,0) + 2x(0,1)")
    assert irreps.filter(["(0,0)"]) == irreps.filter(keep=lambda term: term.mul > 4)
    assert irreps.filter(drop="(0,0) + (1/2,1/2)") == Irreps("2x(1,0) + 2x(0,1) + (1,1)")
    assert irreps.filter(lambda term: term.irrep.is_real, drop="(1,1)") == irreps[:2]
    assert irreps.filter() == irreps


@given(irreps_values)
def test_sorting_says_where_terms_and_columns_went(irreps: Irreps) -> None:
    ordered, p, inv, columns = irreps.sort()
    assert list(ordered) == [irreps[i] for i in inv]
    assert [ordered[i] for i in p] == list(irreps)
    assert [term.irrep for term in ordered] == sorted(term.irrep for term in irreps)
    assert ordered.simplify() == irreps.sorted()
    # Columns that know the term they belong to.
    names = [(i, c) for i, term in enumerate(irreps) for c in range(term.dim)]
    moved = [(i, c) for i in inv for c in range(irreps[i].dim)]
    assert [names[c] for c in columns] == moved
