"""The seven inputs agree with vector's coordinates."""

import numpy as np
import torch
import vector
from support.symmetries import jets

from hepml.lorentz import delta_phi
from hepml.nn import JetKinematics


def test_kinematics_agree_with_vector() -> None:
    particles = jets([4, 1, 6], torch.Generator().manual_seed(1))
    rows = []
    for jet in particles:
        names = ("E", "px", "py", "pz")
        p = vector.array(dict(zip(names, jet.p4.numpy().T, strict=True)))
        total = vector.obj(**dict(zip(names, jet.p4.sum(0).tolist(), strict=True)))
        rows.append(
            [
                0.7 * (np.log(p.pt) - 1.7),
                0.7 * (np.log(p.E) - 2.0),
                0.7 * (np.log(p.pt / total.pt) + 4.7),
                0.7 * (np.log(p.E / total.E) + 4.7),
                4.0 * (p.deltaR(total) - 0.2),
                p.deltaeta(total),
                p.deltaphi(total),
            ]
        )
    expected = np.concatenate([np.stack(row, axis=1) for row in rows]).clip(-5, 5)
    np.testing.assert_allclose(
        JetKinematics()(particles.p4, particles.offsets), expected, rtol=1e-10, atol=1e-10
    )


def test_a_jet_across_the_cut_in_azimuth_is_narrow() -> None:
    angle = torch.tensor([3.1, -3.1])
    p4 = torch.stack([torch.ones(2), angle.cos(), angle.sin(), torch.zeros(2)], dim=1)
    kinematics = JetKinematics()(p4, torch.tensor([0, 2]))
    torch.testing.assert_close(kinematics[:, 6], torch.tensor([-0.0416, 0.0416]), atol=1e-4, rtol=0)
    # The difference of the two azimuths, without regard to their period, would be far off.
    assert float((angle - angle.mean()).abs().min()) > 3
    assert float(delta_phi(p4[0], p4[1]).abs()) < 0.1
