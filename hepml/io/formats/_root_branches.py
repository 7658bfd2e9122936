"""What the branches of a TTree and the fields of an RNTuple hold, and the names to ask for it."""

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import numpy as np
import uproot
from uproot.const import RNTupleFieldFlags, RNTupleFieldRole
from uproot.containers import AsArray, AsRVec, AsVector
from uproot.interpretation.grouped import AsGrouped
from uproot.interpretation.identify import UnknownInterpretation
from uproot.interpretation.jagged import AsJagged
from uproot.interpretation.numerical import AsDtype, Numerical
from uproot.interpretation.objects import AsObjects

# Where fStreamerType of a TBranchElement says that a class was not split into branches: kObject,
# kAny and arrays of these (TStreamerInfo::EReadWrite); -1 is a branch that is one whole object.
_OBJECTS = (-1, 61, 62, 81, 82)


class Place(NamedTuple):
    """Where a column lies: in a branch or, if this holds records, in a member of them."""

    key: str
    member: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The full name of the column."""
        return ".".join((self.key, *self.member))


def is_rntuple(tree: Any) -> bool:
    """Whether this is the newer of ROOT's two table formats."""
    return isinstance(tree, uproot.behaviors.RNTuple.RNTuple)


def branches_of(tree: Any) -> dict[str, Any]:
    """The branches of a TTree or the fields of an RNTuple, by their full names."""
    if is_rntuple(tree):
        # RNTuple.items takes a time that grows with the square of the number of fields.
        fields = [(field.path, field) for field in tree.ntuple.all_fields]
        return {path: field for path, field in fields if path is not None}
    return dict(tree.items())


def places_of(branches: Mapping[str, Any]) -> dict[str, Place]:
    """Every name by which a column can be asked for.

    Delphes' ``Jet/Jet.PT`` is also ``Jet.PT``, unless several parents have a branch of this name;
    the members of a leaf list or of an object are ``branch.member``.
    """
    places = {key: Place(key) for key in branches}
    for key, branch in branches.items():
        for member in members_of(branch):
            place = Place(key, member)
            places.setdefault(place.name, place)
    short: dict[str, list[str]] = {}
    for name in places:
        short.setdefault(name.rpartition("/")[2], []).append(name)
    for name, full in short.items():
        if len(full) == 1:
            places.setdefault(name, places[full[0]])
    return places


def members_of(branch: Any) -> dict[tuple[str, ...], str]:
    """The numbers in the records of a branch, and their types; empty if it has no records."""
    if not isinstance(branch, uproot.behaviors.TBranch.TBranch):
        return {}
    kind = branch.member("fStreamerType", none_if_missing=True)
    # What a branch holds takes uproot a while to find out, which most names answer already.
    if len(branch.member("fLeaves")) < 2 and kind not in _OBJECTS:
        return {}
    holds = _interpretation(branch)
    jagged = isinstance(holds, AsJagged)
    record = holds.content if jagged else holds
    if not isinstance(record, AsDtype) or not record.from_dtype.names:
        return {}
    paths = {tuple(name.split("/")): record.from_dtype[name] for name in record.from_dtype.names}
    return {
        path: dtype.base.name + "".join(f"[{size}]" for size in dtype.shape) + "[]" * jagged
        for path, dtype in paths.items()
        # uproot's own, such as the version of the class, which it leaves out of arrays.
        if not path[-1].startswith("@") and len(dtype.shape) <= (0 if jagged else 1)
    }


def list_of(branch: Any) -> Hashable | None:
    """What counts the lists of a branch: its counter, or the collection that it is a field of."""
    if isinstance(branch, uproot.behaviors.TBranch.TBranch):
        leaves = branch.member("fLeaves")
        counter = leaves[0].member("fLeafCount", none_if_missing=True) if len(leaves) else None
        # The leaf of the counter is one object for all branches that it counts, and for its own.
        return id(leaves[0] if counter is None else counter) if len(leaves) else None
    record = branch.record
    if record.flags & RNTupleFieldFlags.PROJECTED:
        return int(record.source_field_id)
    while record.struct_role != RNTupleFieldRole.COLLECTION:
        branch = branch.parent
        record = getattr(branch, "record", None)
        if record is None:
            return None
    return int(branch.field_id)


def is_group(branch: Any) -> bool:
    """Whether the branch has nothing of its own: its sub-branches hold everything."""
    return isinstance(branch, uproot.behaviors.TBranch.TBranch) and isinstance(
        _interpretation(branch), AsGrouped
    )


def holds_numbers(branch: Any) -> bool:
    """Whether the branch holds numbers, or lists of them, which uproot reads unless damaged."""
    if not isinstance(branch, uproot.behaviors.TBranch.TBranch):
        return True
    holds = _interpretation(branch)
    if isinstance(holds, AsJagged):
        holds = holds.content
    if isinstance(holds, AsObjects):
        lists = isinstance(holds.model, AsArray | AsRVec | AsVector)
        return lists and isinstance(holds.model.values, np.dtype)
    if isinstance(holds, AsDtype):
        return holds.from_dtype.base.names is None
    return isinstance(holds, Numerical)


def type_of(branch: Any) -> str:
    """The type of a branch in C++."""
    if is_group(branch):
        return f"group of {len(branch.branches)} branch" + "es" * (len(branch.branches) != 1)
    try:
        return str(branch.typename)
    except Exception:
        # uproot has no name for some, or stumbles over them: no reason not to list the others.
        return "unknown"


def unknown(branch: Any) -> bool:
    """Whether uproot cannot even tell what the branch holds."""
    return isinstance(branch, uproot.behaviors.TBranch.TBranch) and isinstance(
        _interpretation(branch), UnknownInterpretation | None
    )


def _interpretation(branch: Any) -> Any:
    """What uproot makes of the bytes of a branch; None where it stumbles over their description."""
    try:
        return branch.interpretation
    except Exception:
        # Whatever it is: it is no reason not to read the others.
        return None
