"""How the operator keeps up: runs applied at a steady rate on a real API server, the pods played.

Prints a table and writes bench/results/operator_scale.json. `python bench/operator_scale.py 100 1000 3000`;
`--gang` names what makes the pods of the trainings, and stands in the file's name where it is no PyTorchJob.
Of those gangs only a Job has its controller here, which makes the pods of all trainings too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import ssl
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), *(str(ROOT / folder) for folder in ("crds", "operator"))]

from tests.cluster.control_plane import ControlPlane, control_plane  # noqa: E402
from tests.cluster.operator_process import OperatorProcess  # noqa: E402
from tests.operator.builders import blend_result, fine_tune  # noqa: E402

from blendtune_api import codec  # noqa: E402
from blendtune_api.contract import encode_message  # noqa: E402
from blendtune_api.v1alpha1 import Cluster, Gang  # noqa: E402
from blendtune_operator.gang import BACKENDS  # noqa: E402
from blendtune_operator.names import OWNER_UID, STAGE, Kind  # noqa: E402

RESULTS = ROOT / "bench/results"
RATE = 17.0  # runs per second
NAMESPACE = "bench"
_ENVIRONMENT = {
    "BLENDTUNE_NAMESPACES": "",
    "BLENDTUNE_LEASE_NAMESPACE": "default",
    "BLENDTUNE_RESYNC_SECONDS": "300",
    "BLENDTUNE_LEASE_DURATION_SECONDS": "15",
    "BLENDTUNE_PROGRESS_INTERVAL_SECONDS": "15",
    "BLENDTUNE_LOG_LEVEL": "WARNING",
    "BLENDTUNE_PATIENCE_SECONDS": "3600",  # no scheduler is here to say why a pod has no node
}


@dataclass(frozen=True)
class Outcome:
    gang: str
    runs: int
    rate: float  # runs per second
    apply_to_blend_p50: float  # seconds
    apply_to_blend_p99: float
    blended_to_train_p50: float
    blended_to_train_p99: float
    cpu_ms_per_run_to_blend: float  # of the operator
    requests_per_run_to_blend: float
    cpu_ms_per_run_to_gang: float  # from the end of its blend on
    requests_per_run_to_gang: float
    memory_mib: float
    restart_seconds: float  # until a restarted operator is quiet again


class Bench:
    def __init__(self, plane: ControlPlane, session: aiohttp.ClientSession, gang: Gang, rate: float) -> None:
        """`rate`: how many runs are applied, and how many blends end, in a second."""
        self._gang = gang
        self._rate = rate
        self._server = plane.server
        self._headers = {"Authorization": f"Bearer {plane.token}"}
        self._session = session
        self.applied: dict[str, float] = {}
        self.seen: dict[str, float] = {}  # by name of the Job or gang
        self.blended: dict[str, float] = {}  # by name of the run

    async def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        headers = {**self._headers, "Content-Type": kind}
        data = None if body is None else json.dumps(body)
        async with self._session.request(method, self._server + path, headers=headers, data=data) as answer:
            return await answer.json()

    async def watch(self, kind: Kind) -> AsyncIterator[Any]:
        query = f"?watch=true&labelSelector={OWNER_UID}&timeoutSeconds=3600"
        url = self._server + kind.path(NAMESPACE) + query
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.get(url, headers=self._headers, timeout=timeout) as answer:
            async for line in answer.content:
                yield json.loads(line)["object"]

    async def note(self, kind: Kind) -> None:
        async for obj in self.watch(kind):
            name = obj["metadata"]["name"]
            self.seen.setdefault(name, time.monotonic())
            conditions = (obj.get("status") or {}).get("conditions") or []
            if any(item["type"] == "Complete" and item["status"] == "True" for item in conditions):
                self.blended.setdefault(name.removesuffix("-blend"), time.monotonic())

    async def apply(self, runs: int) -> None:
        begin = time.monotonic()
        for number in range(runs):
            await asyncio.sleep(max(0.0, begin + number / self._rate - time.monotonic()))
            cluster = Cluster(nodes=2, gpus_per_node=4, backoff_limit=2, gang=self._gang)
            document = codec.encode_object(fine_tune(cluster=cluster))
            document["metadata"] = {"name": f"run-{number}", "namespace": NAMESPACE}
            document.pop("status", None)
            await self.call("POST", Kind.BLENDED_FINE_TUNE.path(NAMESPACE), document)
            self.applied[f"run-{number}"] = time.monotonic()

    async def play_blends(self, phase: str, state: Any) -> None:
        """Sets the phase of the pods of all blend Jobs, at the same rate."""
        begin = time.monotonic()
        pods = (await self.call("GET", f"{Kind.POD.path(NAMESPACE)}?labelSelector={STAGE}%3Dblend"))["items"]
        for number, pod in enumerate(pods):
            await asyncio.sleep(max(0.0, begin + number / self._rate - time.monotonic()))
            container = {"name": "blend", "image": "", "imageID": "", "ready": False, "restartCount": 0,
                         "state": state}  # fmt: skip
            status = {"phase": phase, "containerStatuses": [container]}
            path = Kind.POD.path(NAMESPACE, pod["metadata"]["name"]) + "/status"
            await self.call("PATCH", path, {"status": status}, "application/merge-patch+json")

    async def start_blends(self) -> None:
        await self.play_blends("Running", {"running": {"startedAt": _now()}})

    async def finish_blends(self) -> None:
        ended = {"exitCode": 0, "reason": "Completed", "message": encode_message(blend_result()),
                 "startedAt": _now(), "finishedAt": _now()}  # fmt: skip
        await self.play_blends("Succeeded", {"running": None, "terminated": ended})


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


async def until(what: str, holds: Any, seconds: float = 600) -> None:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(what)
        await asyncio.sleep(0.1)


def series(operator: OperatorProcess) -> dict[str, float]:
    """Sums of the operator's own series."""
    with urllib.request.urlopen(f"http://127.0.0.1:{operator.port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found: dict[str, float] = {}
    for name, value in re.findall(r"^(\w+)(?:\{[^}]*\})? ([\d.e+-]+)$", text, re.MULTILINE):
        found[name] = found.get(name, 0.0) + float(value)
    return found


def percentile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


async def quiet(operator: OperatorProcess) -> float:
    """When the last reconcile was over: nothing has been reconciled for three seconds after it.

    Scrapes cost the operator time, so they are a second apart: the moment is exact to a second.
    """
    last, since = -1.0, time.monotonic()
    while time.monotonic() - since < 3:
        await asyncio.sleep(1)
        try:
            done = (await asyncio.to_thread(series, operator)).get("blendtune_reconcile_total", 0.0)
        except OSError:
            done = -2.0
        if done != last or done <= 0:
            last, since = done, time.monotonic()
    return since


async def measure(plane: ControlPlane, runs: int, gang: Gang, rate: float, folder: Path) -> Outcome:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    operator = OperatorProcess(
        plane.kubeconfig(), folder / "operator.log", _ENVIRONMENT, program=("blendtune_operator",)
    )
    operator.start()
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    async with aiohttp.ClientSession(connector=connector, read_bufsize=2**21) as session:
        bench = Bench(plane, session, gang, rate)
        await bench.call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        kinds = {Kind.JOB, BACKENDS[gang].kind}
        watches = [asyncio.create_task(bench.note(kind)) for kind in kinds]
        await quiet_start(operator)
        before = series(operator)
        await bench.apply(runs)
        await until(
            "every blend Job", lambda: {f"{name}-blend" for name in bench.applied} <= bench.seen.keys()
        )
        after = series(operator)
        await bench.start_blends()
        await quiet(operator)
        blending = series(operator)
        await bench.finish_blends()
        await until("every gang", lambda: all(f"{name}-train-1" in bench.seen for name in bench.applied))
        trained = series(operator)
        await quiet(operator)
        memory = series(operator)["process_resident_memory_bytes"] / 2**20
        operator.stop()
        begin = time.monotonic()
        operator.start()
        restarted = await quiet(operator) - begin
        for task in watches:
            task.cancel()
        operator.stop()
    to_blend = [bench.seen[f"{name}-blend"] - moment for name, moment in bench.applied.items()]
    to_train = [bench.seen[f"{name}-train-1"] - moment for name, moment in bench.blended.items()]
    return Outcome(
        gang=gang.value,
        runs=runs,
        rate=rate,
        apply_to_blend_p50=percentile(to_blend, 0.5),
        apply_to_blend_p99=percentile(to_blend, 0.99),
        blended_to_train_p50=percentile(to_train, 0.5),
        blended_to_train_p99=percentile(to_train, 0.99),
        cpu_ms_per_run_to_blend=1000 * _grown(before, after, "process_cpu_seconds_total") / runs,
        requests_per_run_to_blend=_grown(before, after, "blendtune_api_requests_total") / runs,
        cpu_ms_per_run_to_gang=1000 * _grown(blending, trained, "process_cpu_seconds_total") / runs,
        requests_per_run_to_gang=_grown(blending, trained, "blendtune_api_requests_total") / runs,
        memory_mib=memory,
        restart_seconds=restarted,
    )


async def quiet_start(operator: OperatorProcess) -> None:
    while True:
        try:
            if (await asyncio.to_thread(series, operator)).get("blendtune_leader") == 1.0:
                return
        except OSError:
            await asyncio.sleep(0.1)


def _grown(before: dict[str, float], after: dict[str, float], name: str) -> float:
    return after[name] - before.get(name, 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=int, nargs="*", default=[100, 1000])
    parser.add_argument("--gang", type=Gang, choices=list(BACKENDS), default=Gang.PYTORCH_JOB)
    parser.add_argument("--rate", type=float, default=RATE, help="runs per second")
    arguments = parser.parse_args()
    gang, outcomes = arguments.gang, []
    for runs in arguments.runs:
        with tempfile.TemporaryDirectory() as name, control_plane(Path(name)) as plane:
            outcome = asyncio.run(measure(plane, runs, gang, arguments.rate, Path(name)))
        outcomes.append(asdict(outcome))
        rounded = {
            key: round(value, 3) if isinstance(value, float) else value for key, value in outcomes[-1].items()
        }
        print(json.dumps(rounded, indent=1), flush=True)
    RESULTS.mkdir(exist_ok=True)
    name = "operator_scale" if gang is Gang.PYTORCH_JOB else f"operator_scale_{gang.lower()}"
    (RESULTS / f"{name}.json").write_text(json.dumps(outcomes, indent=1) + "\n")


if __name__ == "__main__":
    main()
