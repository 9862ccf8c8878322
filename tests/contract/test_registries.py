"""No package registry is named by its host: clients know where theirs is, and mirrors have other names."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# In parts, so that this file does not name them either.
HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("crates", "io"),
        ("rubygems", "org"),
        ("repo", "maven", "apache", "org"),
        ("repo1", "maven", "org"),
        ("conda", "anaconda", "org"),
        ("deb", "debian", "org"),
        ("security", "debian", "org"),
        ("archive", "ubuntu", "com"),
        ("dl-cdn", "alpinelinux", "org"),
    )
]


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_no_host_of_a_registry_is_named(tracked: list[Path]) -> None:
    assert len(tracked) > 100
    found = []
    for file in tracked:
        content = file.read_bytes()
        found += [f"{file.relative_to(ROOT)}: {host}" for host in HOSTS if host.encode() in content]
    assert found == []
