"""`python -m tests.e2e [ARGUMENTS...]`: runs Python on the end-to-end tests, or with other arguments.

Programs and images are built first, into the user's cache; one such command at a time works there. Network,
mounts and processes of the cluster live in namespaces of their own, so that all of them are gone when the
command ends, however it ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from tests.e2e import binaries, cgroups, images
from tests.e2e.layout import IMAGES, RESULTS, ROOT, STATE_VARIABLE
from tests.e2e.locking import exclusive

TESTS = ("-m", "pytest", "-m", "e2e", "-p", "no:cacheprovider", "--durations=10", "tests/e2e")


def main(arguments: Sequence[str], peers: Sequence[str] = ()) -> int:
    """Builds what is missing, with these peers, and runs Python in the namespaces. Returns its exit code."""
    if os.geteuid():
        print("The cluster needs root.", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what follows is undone then too
    binaries.build((*binaries.E2E, *peers))
    with exclusive(IMAGES):
        images.build(peers)
        return _in_namespaces(arguments)


def _in_namespaces(arguments: Sequence[str]) -> int:
    """Runs Python in namespaces of its own, and returns its exit code."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    cgroups.remove()  # of a run that was killed
    cgroups.prepare()
    with tempfile.TemporaryDirectory(prefix="blendtune-e2e-") as state:
        try:
            return subprocess.call(
                [
                    "unshare", "--net", "--mount", "--pid", "--ipc", "--mount-proc", "--fork", "--kill-child",
                    sys.executable, *arguments,
                ],
                cwd=ROOT,
                env={**os.environ, STATE_VARIABLE: state},
            )  # fmt: skip
        finally:
            cgroups.remove()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or TESTS))
