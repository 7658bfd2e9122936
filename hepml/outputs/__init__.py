"""Files and folders that appear when they are complete, and locks that say who holds them."""

from hepml.outputs._endings import Terminated, cleaned_up, raise_again, undisturbed
from hepml.outputs._free import require_folder, require_free, require_free_folder, writing
from hepml.outputs._locks import locked
from hepml.outputs._parts import remove_parts
from hepml.outputs._whole import whole_file, whole_files, whole_folder

__all__ = [
    "Terminated",
    "cleaned_up",
    "locked",
    "raise_again",
    "remove_parts",
    "require_folder",
    "require_free",
    "require_free_folder",
    "undisturbed",
    "whole_file",
    "whole_files",
    "whole_folder",
    "writing",
]
