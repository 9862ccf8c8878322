"""`python -m tests.cluster.harness PYTEST...`: runs the harness's tests by this command, once per change.

They prove what all other tests on a cluster rely on. What has passed is remembered in the user's cache by its
digest, so that they run again when one of the harness's files, its programs or its libraries changes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from tests.e2e.layout import CACHE, ROOT, TOOLS

TESTS = Path(__file__).parent
MARKER = "harness"
_OTHERS = (
    "requirements/dev.txt",
    "tests/conftest.py",
    "tests/e2e/binaries.py",
    "tests/e2e/daemons.py",
    "tests/e2e/waiting.py",
    "tests/operator/builders.py",
)


def main(pytest: list[str]) -> int:
    passed = CACHE / "harness" / digest()
    if passed.exists():
        print("the harness has not changed since its tests passed")
        return 0
    code = subprocess.call([*pytest, "-m", MARKER, str(TESTS)], cwd=ROOT)
    if code == 0:
        passed.parent.mkdir(parents=True, exist_ok=True)
        passed.touch()
    return code


def digest() -> str:
    """Of the names and contents of the harness's files."""
    result = sha256()
    for file in sorted(_files()):
        result.update(f"{file.relative_to(ROOT)}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return result.hexdigest()[:16]


def _files() -> Iterator[Path]:
    for file in TESTS.glob("*.py"):
        if not file.name.startswith("test_") or f"mark.{MARKER}" in file.read_text():
            yield file
    yield from TOOLS.glob("*/go.*")
    yield from (ROOT / name for name in _OTHERS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
