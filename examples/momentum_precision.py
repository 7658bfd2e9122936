"""What float32 knows of the inner product of two momenta, over opening angle and E/m.

Run it: ``python examples/momentum_precision.py``. For random pairs of 100 to 500 GeV, the largest
relative error of p·q

* of the plain formula in float32,
* of ``hepml.lorentz.minkowski_dot`` in float32, for the float32 momenta as they are,
* of the same, for the momenta before they were rounded to float32: what no formula can recover.
"""

import torch
from torch import Tensor

from hepml.lorentz import minkowski_dot, p4_from_momentum_mass

GAMMAS = (3.0, 10.0, 30.0, 100.0, 1e3, 1e4)
ANGLES = (1.0, 0.1, 0.03, 0.01, 1e-3, 1e-4, 0.0)


def pairs(gamma: float, angle: float) -> tuple[Tensor, Tensor]:
    """Ten thousand pairs in float64, with an angle between them and E/m = gamma."""
    generator = torch.Generator().manual_seed(1)
    first, other = torch.randn(2, 10000, 3, dtype=torch.float64, generator=generator)
    first = torch.nn.functional.normalize(first, dim=1)
    across = torch.nn.functional.normalize(torch.linalg.cross(first, other), dim=1)
    turn = torch.tensor(angle, dtype=torch.float64)
    second = turn.cos() * first + turn.sin() * across
    energy = 100 + 400 * torch.rand(2, 10000, dtype=torch.float64, generator=generator)
    momentum = energy * (1 - gamma**-2) ** 0.5
    return (
        p4_from_momentum_mass(momentum[0, :, None] * first, energy[0] / gamma),
        p4_from_momentum_mass(momentum[1, :, None] * second, energy[1] / gamma),
    )


def error(value: Tensor, truth: Tensor) -> str:
    """The largest relative error."""
    return f"{float(((value.double() - truth) / truth).abs().max()):9.0e}"


def main() -> None:
    """Print the three errors for each opening angle (rows) and E/m (columns)."""
    tables: dict[str, list[str]] = {
        "plain formula in float32, for the float32 momenta": [],
        "minkowski_dot in float32, for the float32 momenta": [],
        "minkowski_dot in float32, for the momenta before rounding": [],
    }
    for angle in ANGLES:
        cells: list[list[str]] = [[], [], []]
        for gamma in GAMMAS:
            p, q = pairs(gamma, angle)
            a, b = p.float(), q.float()
            exact = minkowski_dot(a.double(), b.double())
            cells[0].append(error(a[:, 0] * b[:, 0] - (a[:, 1:] * b[:, 1:]).sum(1), exact))
            cells[1].append(error(minkowski_dot(a, b), exact))
            cells[2].append(error(minkowski_dot(a, b), minkowski_dot(p, q)))
        for rows, row in zip(tables.values(), cells, strict=True):
            rows.append(f"{angle:7g} |" + "".join(row))
    for title, rows in tables.items():
        print(f"\nLargest relative error of p·q, {title}:")
        print("  angle | E/m =" + "".join(f"{gamma:9g}" for gamma in GAMMAS)[6:])
        print("\n".join(rows))


if __name__ == "__main__":
    main()
