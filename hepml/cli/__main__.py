"""``python -m hepml.cli``."""

import sys

from hepml.cli import main

if __name__ == "__main__":
    sys.exit(main())
