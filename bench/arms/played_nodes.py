"""Two nodes of two ranks each, played by one machine: a network namespace for every rank, and slow links.

Each rank has a port at the bridge of its node, and one trunk joins the two bridges. Everything is made within
the namespaces of one process, so that all of it is gone when that process ends, however it ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

NODES, RANKS_PER_NODE = 2, 2
RANKS = NODES * RANKS_PER_NODE
FIRST_ADDRESS = "10.77.0.1"  # of rank 0; those of the others follow
INTERFACE = "eth0"  # of a rank, in its namespace
_PREFIX = "10.77.0."
_APART = "BLENDTUNE_PLAYED_NODES"  # set in the process that has namespaces of its own
_LONGEST_QUEUE = "500ms"  # what a limited link holds back before it drops
_BURST = "256kb"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rates:
    """Bytes per second, in each direction, of a rank's port and of the trunk between the nodes."""

    port: float
    trunk: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """Bytes since the links were made: by each rank, and over the trunk in each direction."""

    by_rank: tuple[int, ...]
    between_nodes: tuple[int, ...]

    def since(self, earlier: Sent) -> Sent:
        return Sent(
            by_rank=tuple(now - then for now, then in zip(self.by_rank, earlier.by_rank, strict=True)),
            between_nodes=tuple(
                now - then for now, then in zip(self.between_nodes, earlier.between_nodes, strict=True)
            ),
        )


def step_apart() -> None:
    """Starts this program again in namespaces of its own, and ends with it; returns only within them.

    Raises SystemExit where the process is not root.
    """
    if os.environ.get(_APART):
        return
    if os.geteuid():
        raise SystemExit("network namespaces and limits of links need root")
    os.environ[_APART] = "1"
    apart = ["unshare", "--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"]
    os.execvp(apart[0], [*apart, sys.executable, *sys.argv])


def make_nodes() -> None:
    """The namespaces of all ranks and the links between them, without a limit."""
    _run(
        "mount", "-t", "tmpfs", "tmpfs", "/run"
    )  # where `ip netns` keeps names: ours are seen by nobody else
    for node in range(NODES):
        _ip("link", "add", f"node{node}", "type", "bridge")
        _ip("link", "set", f"node{node}", "up")
    _ip("link", "add", "trunk0", "type", "veth", "peer", "name", "trunk1")
    for node in range(NODES):
        _ip("link", "set", f"trunk{node}", "master", f"node{node}", "up")
    for rank in range(RANKS):
        name, port = namespace(rank), f"port{rank}"
        _ip("netns", "add", name)
        _ip("link", "add", port, "type", "veth", "peer", "name", INTERFACE, "netns", name)
        _ip("link", "set", port, "master", f"node{rank // RANKS_PER_NODE}", "up")
        _ip("-netns", name, "address", "add", f"{_PREFIX}{rank + 1}/24", "dev", INTERFACE)
        for link in ("lo", INTERFACE):
            _ip("-netns", name, "link", "set", link, "up")


def namespace(rank: int) -> str:
    return f"rank{rank}"


def within(rank: int, *command: str) -> list[str]:
    """The command that runs `command` where this rank lives."""
    return ["ip", "netns", "exec", namespace(rank), *command]


@contextmanager
def limited(rates: Rates) -> Iterator[None]:
    """All links have these rates during the block.

    A token bucket (tc-tbf) delays what is more. Raises RuntimeError where the kernel has none.
    """
    ports = [(["-netns", namespace(rank)], INTERFACE, rates.port) for rank in range(RANKS)]
    trunks = [(list[str](), f"trunk{node}", rates.trunk) for node in range(NODES)]
    links = [*ports, *trunks]
    for where, link, rate in links:
        bucket = ("tbf", "rate", f"{rate:.0f}bps", "burst", _BURST, "latency", _LONGEST_QUEUE)
        _run("tc", *where, "qdisc", "add", "dev", link, "root", *bucket)
    try:
        yield
    finally:
        for where, link, _ in links:
            _run("tc", *where, "qdisc", "delete", "dev", link, "root")


def sent() -> Sent:
    """What the interfaces have counted, headers and acknowledgements included."""
    listed = json.loads(_run("ip", "-json", "-statistics", "link", "show"))
    counted: Mapping[str, Mapping[str, int]] = {
        link["ifname"]: {way: link["stats64"][way]["bytes"] for way in ("rx", "tx")} for link in listed
    }
    return Sent(
        by_rank=tuple(counted[f"port{rank}"]["rx"] for rank in range(RANKS)),
        between_nodes=tuple(counted[f"trunk{node}"]["tx"] for node in range(NODES)),
    )


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> str:
    """What the command printed. Raises RuntimeError with its complaint where it failed."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
