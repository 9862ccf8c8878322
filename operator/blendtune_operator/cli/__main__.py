"""`python -m blendtune_operator.cli` is the command `blendtune`."""

from __future__ import annotations

import sys

from blendtune_operator.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
