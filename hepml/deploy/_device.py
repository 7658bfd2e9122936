"""Where a network runs."""

import torch

from hepml.errors import InputError


def available(device: torch.device | str) -> torch.device:
    """The device, a GPU if there is one for "auto", or an error that lists those of the machine."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        there = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        raise InputError(
            f"device {str(device)!r}",
            expected=f"one of this machine: {', '.join(there)}",
            got=str(error).splitlines()[0],
            fix="choose one of these, or auto",
        ) from error
    return chosen
