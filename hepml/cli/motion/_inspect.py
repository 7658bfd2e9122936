"""What ``hepml inspect`` says of trajectories."""

from collections.abc import Mapping, Sequence

from hepml.io import Location, Tree, read_trajectories

_NAME, _BRANCHES = "trajectories", {"t", "q", "p"}


def is_motion(trees: Sequence[Tree]) -> bool:
    """Whether the trees of a file are those of trajectories."""
    return any(
        tree.name == _NAME and not isinstance(tree.columns, str) and {*tree.columns} >= _BRANCHES
        for tree in trees
    )


def lines_of_motion(location: Location) -> list[str]:
    """What moves, for how long, and how it was made."""
    data = read_trajectories(location.path)
    about = dict(data.about)
    bodies, space = data.q.shape[2:]
    constants = about.pop("constants", {})
    lines = [
        f"motion: {about.pop('system', 'of an unknown system')}",
        f"  {len(data)} trajectories of {bodies} {'body' if bodies == 1 else 'bodies'} in {space} "
        f"{'dimension' if space == 1 else 'dimensions'}",
        f"  {len(data.t)} times from {float(data.t[0]):g} to {float(data.t[-1]):g}",
    ]
    if constants:
        about = {"constants": constants, **about}
    for name, value in about.items():
        several = isinstance(value, Mapping)
        text = ", ".join(f"{k} {v}" for k, v in value.items()) if several else str(value)
        lines.append(f"  {name.replace('_', ' ')}: {text}")
    return [*lines, "to learn from it: `hepml train SeparableHamiltonian FILE`"]
