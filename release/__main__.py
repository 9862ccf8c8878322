"""`python -m release --helm HELM`: all of a release that needs no registry, in build/release.

The wheel, the chart's package, a CycloneDX bill of materials of each image and of the wheel's light extra,
release.json, which says what is published under which name, and the checksums of all of them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from release import CHART, ROOT, Release, described

FOLDER = ROOT / "build/release"
_CLIENT = "requirements/client.txt"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--helm", required=True, help="path of the program helm")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parsed = parser.parse_args()
    try:
        release = described()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    shutil.rmtree(parsed.folder, ignore_errors=True)
    parsed.folder.mkdir(parents=True)
    _build_wheel(parsed.folder)
    _run(parsed.helm, "package", CHART, "--destination", parsed.folder)
    for short, image in release.images.items():
        _write_bill(parsed.folder / f"{short}.cdx.json", image.requirements, image.name, release, "container")
    _write_bill(parsed.folder / "blendtune.cdx.json", _CLIENT, "blendtune", release, "library")
    (parsed.folder / "release.json").write_text(json.dumps(release.document(), indent=2) + "\n")
    _write_checksums(parsed.folder)
    for file in sorted(parsed.folder.iterdir()):
        print(f"{file.stat().st_size:>10,}  {file}")
    return 0


def _build_wheel(folder: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    _run(uv, "build", "--quiet", "--wheel", "--no-build-isolation", "--no-create-gitignore",
         "--python", sys.executable, "--out-dir", folder, ROOT)  # fmt: skip


def _write_bill(file: Path, requirements: str, name: str, release: Release, kind: str) -> None:
    """What the lock file installs, as a bill of the thing that it is installed into."""
    listed = _run(
        sys.executable, "-m", "cyclonedx_py", "requirements", ROOT / requirements, "--short-PURLs",
        "--output-reproducible", "--no-validate", "--output-format", "JSON", "--output-file", "-",
    )  # fmt: skip
    bill: dict[str, Any] = json.loads(listed)
    bill.setdefault("metadata", {})["component"] = {
        "type": kind, "bom-ref": name, "name": name, "version": release.version,
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }  # fmt: skip
    file.write_text(json.dumps(bill, indent=2) + "\n")


def _write_checksums(folder: Path) -> None:
    lines = [f"{sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(lines))


def _run(*command: str | Path) -> str:
    return subprocess.run(
        list(map(str, command)), cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


if __name__ == "__main__":
    sys.exit(main())
