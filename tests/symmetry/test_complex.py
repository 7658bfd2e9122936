"""Functions of complex numbers, and their outputs."""

import json

import pytest
import torch
from support.symmetries import jets
from torch import Tensor, nn

from hepml.data import ParticleSet
from hepml.errors import InputError
from hepml.lorentz import Irreps, sl2c_from_lorentz
from hepml.symmetry import Lorentz, Permutation, check, random_jets, randomise

BATCH = jets([3, 7, 1, 5, 4], torch.Generator().manual_seed(1))
ALL = {"strengths": [2.0, 10.0], "dtypes": ["float64", "float32"]}


def _field(particles: ParticleSet) -> Tensor:
    """E + iB of each set: the antisymmetric product of two sums of momenta."""
    rows = []
    for jet in particles:
        p = jet.p4 / 300
        p, q = p.sum(0), p[: (len(p) + 1) // 2].sum(0)
        electric = p[0] * q[1:] - q[0] * p[1:]
        magnetic = torch.linalg.cross(p[1:], q[1:])
        rows.append(torch.complex(electric, magnetic))
    return torch.stack(rows)


def _sigma(p4: Tensor) -> Tensor:
    """E + p·sigma."""
    energy, x, y, z = p4.unbind(-1)
    rows = [torch.complex(energy + z, 0 * z), torch.complex(x, -y)]
    rows += [torch.complex(x, y), torch.complex(energy - z, 0 * z)]
    return torch.stack(rows, -1).unflatten(-1, (2, 2))


def test_a_broken_imaginary_part_is_broken():
    def masses(particles):
        p = torch.stack([jet.p4.sum(0) for jet in particles])
        return (p.square() @ p.new_tensor([[1.0], [-1.0], [-1.0], [-1.0]])).abs().sqrt(), p

    def honest(particles):
        return torch.complex(masses(particles)[0], masses(particles)[0].log())

    def broken(particles):
        mass, p = masses(particles)
        return torch.complex(mass, p[:, :1])

    assert check(honest, BATCH, "lorentz", **ALL).verdict == "holds"
    assert check(honest, BATCH, "lorentz", elements="exact", **ALL).verdict == "holds"
    report = check(broken, BATCH, "lorentz", **ALL)
    assert report.verdict == "broken"
    # Complex numbers are text in JSON.
    point = json.loads(report.to_json())["measurements"][0]
    assert complex(point["worst"]["got"][0]) == report.measurements[0].worst.got[0]


@pytest.mark.parametrize("elements", [2, "exact"])
def test_a_field_is_a_complex_vector(elements):
    options = {"elements": elements, **ALL}
    signs = [Lorentz(outputs=irreps) for irreps in ("(1,0)", "(0,1)")]
    verdicts = {check(_field, BATCH, symmetry, **options).verdict for symmetry in signs}
    # Conjugates of each other: one of them is that of E + iB.
    assert verdicts == {"holds", "broken"}
    kept = [check(_field, BATCH, symmetry, **options).verdict for symmetry in signs]
    real = Lorentz(outputs="(1,0) + (0,1)")
    assert kept[0] == "holds"

    def six(particles):
        field = _field(particles)
        return torch.cat([field.real, field.imag], 1)

    assert check(six, BATCH, real, **options).verdict == "holds"
    assert check(lambda x: _field(x).conj(), BATCH, signs[1], **options).verdict == "holds"


class Weyl(nn.Module):
    """(E + p·sigma) on spinors of the other kind; the bug: on those of the same."""

    def __init__(self, bug: bool = False) -> None:
        super().__init__()
        self.bug = bug
        self.weight = nn.Parameter(torch.tensor([[1.0 + 2.0j]]))

    def forward(self, inputs: tuple[Tensor, Tensor]) -> Tensor:
        p4, spinor = inputs
        if self.bug:
            spinor = spinor.conj()
        return self.weight * torch.einsum("nab,nb->na", _sigma(p4), spinor)


@pytest.mark.parametrize("elements", [2, "exact"])
@pytest.mark.parametrize("given", [torch.complex128, torch.complex64])
def test_a_map_of_weyl_spinors(elements, given):
    """chi -> (E + p·sigma) chi, of g^-1† chi to g (E + p·sigma) chi: (0,1/2) with i sigma_y."""
    generator = torch.Generator().manual_seed(3)
    p4 = torch.randn(9, 4, generator=generator).double()
    spinor = torch.randn(9, 2, dtype=given, generator=generator)

    def apply(model, inputs):
        vectors, spinors = inputs
        # (0,1/2) is the complex conjugate of (1/2,0), and i sigma_y makes g^-1† of it.
        flip = spinors.new_tensor([[0.0, 1.0], [-1.0, 0.0]])
        return model((vectors, spinors @ flip.mT))

    symmetry = Lorentz(inputs=("(1/2,1/2)", "(0,1/2)"), outputs="(1/2,0)")
    options = {"apply": apply, "elements": elements, **ALL}
    assert check(Weyl(), (p4, spinor), symmetry, **options).verdict == "holds"
    assert check(Weyl(True), (p4, spinor), symmetry, **options).verdict == "broken"


def test_spinors_act_as_in_the_group():
    """An oracle of the above: g (E + p·sigma) g†."""
    matrix = Lorentz().element(None, 3.0, torch.Generator().manual_seed(2))
    g = sl2c_from_lorentz(matrix)
    p4 = BATCH.p4[:5]
    torch.testing.assert_close(_sigma(p4 @ matrix.T), g @ _sigma(p4) @ g.mH)


def test_real_tensors_bear_no_complex_irreps():
    with pytest.raises(InputError, match=r"complex numbers, for irreps that are not real"):
        check(lambda x: x.p4[:, 1:], BATCH, Lorentz(outputs="(1,0)"), strengths=[2.0])
    x = torch.randn(4, Irreps("(1,0)").dim)
    for elements in (1, "exact"):
        with pytest.raises(InputError, match=r"for irreps that are not real"):
            check(lambda x: x, x, Lorentz(inputs="(1,0)"), elements=elements)


def test_complex_weights_are_drawn_and_converted():
    model = Weyl()
    randomise(model, torch.Generator().manual_seed(1))
    assert float(model.weight.imag.detach().abs()) > 0
    assert model.weight.dtype == torch.complex64
    seen = []

    def apply(model, particles):
        seen.append(model.weight.dtype)
        p4 = particles.p4 / 300
        spinor = torch.ones(len(p4), 2, dtype=p4.dtype.to_complex())
        return model((p4, spinor))

    report = check(Weyl(), random_jets(3), Permutation(outputs="particles"), apply=apply)
    assert report.verdict == "holds"
    assert {*seen} == {torch.complex64, torch.complex128}
