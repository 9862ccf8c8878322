"""`python -m tests.e2e.peers [ARGUMENTS...]`: like `python -m tests.e2e`, with the peers' controllers too."""

from __future__ import annotations

import sys

from tests.e2e.__main__ import main
from tests.e2e.binaries import PEERS

_TESTS = ("-m", "pytest", "-m", "peers", "-p", "no:cacheprovider", "--durations=10", "tests/e2e/peers")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or _TESTS, PEERS))
