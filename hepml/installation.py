"""Whether another package of the same name was installed over this one."""

import os
import warnings


def warn_of_other_package() -> None:
    """Warn if the package ``hepml`` of PyPI, which is another, lies in the folder of this one.

    This one is installed as ``hepml-networks``; pip lets both write the same files.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    try:
        beside = os.listdir(os.path.dirname(here))
    except OSError:  # imported from an archive
        return
    for name in beside:
        # What importlib.metadata would find, which takes longer to import than all of this.
        if name.startswith("hepml-") and name.endswith((".dist-info", ".egg-info")):
            other = name.removeprefix("hepml-").removesuffix(".dist-info").removesuffix(".egg-info")
            warnings.warn(
                f"another package, hepml {other}, is installed over this one in {here}. "
                "Fix: pip uninstall -y hepml hepml-networks, then pip install hepml-networks",
                UserWarning,
                stacklevel=2,
            )
