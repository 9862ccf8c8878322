"""The images, built by buildah from this checkout, in a storage that all clones share.

The base system is Debian's, by debootstrap. The evaluator's packages are one layer, which the trainer shares.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO

from tests.e2e.binaries import program
from tests.e2e.layout import IMAGES, ROOT

BASE = "localhost/blendtune-e2e/base:latest"
UV = "localhost/blendtune-e2e/uv:latest"
PACKAGES = "localhost/blendtune-e2e/packages:latest"
PAUSE = "localhost/blendtune-e2e/pause:latest"
CONTROLLERS = "localhost/blendtune-e2e"  # where the images of others' controllers are
OPERATOR = "localhost/blendtune/operator:e2e"
TRAINER = "localhost/blendtune/trainer:e2e"
EVAL = "localhost/blendtune/eval:e2e"

SUITE = "bookworm"  # its Python is 3.11
DEBIAN_PACKAGES = ("python3", "python-is-python3", "ca-certificates")
CONTENT = "blendtune.io/content"  # label: the digest of what an image was made from
UV_BINARY = ROOT / ".venv" / "bin" / "uv"
CERTIFICATES = "/etc/ssl/certs"  # this machine's, lent to the build and not kept

# With a storage of its own, whose mounts end with the command.
_BUILDAH = (
    "unshare", "--mount", "buildah",
    "--root", str(IMAGES / "buildah"), "--runroot", str(IMAGES / "buildah-run"),
)  # fmt: skip


def of_controller(name: str) -> str:
    """The image of a program that is built from a Go module, and named after it."""
    return f"{CONTROLLERS}/{name}:latest"


TRAINING_OPERATOR = of_controller("training-operator")
IMPORTED = (PAUSE, TRAINING_OPERATOR, OPERATOR, EVAL, TRAINER)


def build(peers: Iterable[str] = ()) -> None:
    """Builds what changed, with the images of these peers. The caller holds the lock of IMAGES."""
    _base()
    _image_of(UV, {UV_BINARY: "/uv"})
    _image_of(PAUSE, {Path("/bin/busybox"): "/bin/busybox"}, ["/bin/busybox", "sleep", "2147483647"])
    for name in ("training-operator", *peers):
        _image_of(of_controller(name), {Path(program(name)): "/manager"}, ["/manager"])
    _build("operator", OPERATOR, BASE)
    _build("eval_image", PACKAGES, BASE, "--target", "packages")
    _build("eval_image", EVAL, BASE)
    _build("trainer_image", TRAINER, PACKAGES, "--build-arg", "PACKAGES=")  # the base system has no mirror


def identity(image: str) -> str:
    """Digest of the image's configuration: it changes with the image."""
    return _buildah("images", "--quiet", "--no-trunc", image)


@contextmanager
def archive(image: str) -> Iterator[IO[bytes]]:
    """The image as a stream that containerd can import, its layers uncompressed."""
    command = [*_BUILDAH, "push", "--quiet", image, f"docker-archive:/dev/stdout:{image}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=_environment()) as process:
        assert process.stdout
        yield process.stdout


def _base() -> None:
    content = _digest(SUITE.encode(), *(package.encode() for package in DEBIAN_PACKAGES))
    if _exists(BASE, content):
        return
    folder = IMAGES / "rootfs"
    print("making the base system", flush=True)
    packages = f"--include={','.join(DEBIAN_PACKAGES)}"
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    subprocess.run(
        ["unshare", "--mount", "debootstrap", "--variant=minbase", packages, SUITE, str(folder)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    _commit(BASE, content, {folder: "/"})
    subprocess.run(["rm", "-rf", str(folder)], check=True)


def _image_of(image: str, files: dict[Path, str], entry_point: Sequence[str] = ()) -> None:
    """An image with nothing but the files."""
    content = _digest(*(path.read_bytes() for path in files), json.dumps(entry_point).encode())
    if not _exists(image, content):
        _commit(image, content, files, entry_point)


def _commit(image: str, content: str, files: dict[Path, str], entry_point: Sequence[str] = ()) -> None:
    container = _buildah("from", "scratch")
    for source, target in files.items():
        _buildah("add", "--quiet", container, str(source), target)
    _buildah("config", "--label", f"{CONTENT}={content}", container)
    if entry_point:
        _buildah("config", "--entrypoint", json.dumps(entry_point), container)
    _buildah("commit", "--quiet", "--rm", container, image)


def _build(folder: str, image: str, base: str, *options: str) -> None:
    print(f"building {image}", flush=True)
    _buildah(
        "build", "--quiet", "--layers", "--pull-never", "--network", "host",
        "--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro",
        "--build-arg", f"BASE_IMAGE={base}", "--build-arg", f"UV_IMAGE={UV}",
        "--file", f"{folder}/Dockerfile", "--tag", image, *options, str(ROOT),
    )  # fmt: skip


def _exists(image: str, content: str) -> bool:
    """Whether the image is there, made from content of this digest."""
    filters = ("--filter", f"reference={image}", "--filter", f"label={CONTENT}={content}")
    return bool(_buildah("images", "--quiet", *filters))


def _digest(*parts: bytes) -> str:
    return sha256(b"".join(sha256(part).digest() for part in parts)).hexdigest()


def _buildah(*arguments: str) -> str:
    command = [*_BUILDAH, *arguments]
    return subprocess.check_output(command, cwd=ROOT, env=_environment(), text=True).strip()


def _environment() -> dict[str, str]:
    temporary = IMAGES / "tmp"  # layers of gigabytes pass through it
    temporary.mkdir(exist_ok=True)
    return {**os.environ, "BUILDAH_ISOLATION": "chroot", "TMPDIR": str(temporary)}
