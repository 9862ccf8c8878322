"""How Kubeflow's training operator keeps up: the time from a job to its first pod.

Jobs of two workers are applied at the rate of operator_scale.py, on an API server like its own; no pod runs.
Prints JSON and writes bench/results/training_operator_scale.json. `training_operator_scale.py 300`
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import ssl
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
from tests.cluster.control_plane import ControlPlane, control_plane, free_port
from tests.e2e.binaries import program
from tests.e2e.daemons import Daemons

from blendtune_api.v1alpha1 import Gang
from blendtune_operator.names import Kind
from operator_scale import NAMESPACE, RATE, RESULTS, Bench, percentile, until

DEFAULTS = ("--kube-api-qps=20", "--kube-api-burst=30", "--controller-threads=1")
RAISED = ("--kube-api-qps=200", "--kube-api-burst=400", "--controller-threads=16")
_JOB_NAME = "training.kubeflow.org/job-name"
_HOME, _SECRET = "kubeflow", "training-operator-webhook-cert"
_CERTIFICATES = Path("/tmp/k8s-webhook-server/serving-certs")  # where it looks for them, come what may


@dataclass(frozen=True)
class Outcome:
    flags: str
    jobs: int
    apply_to_first_pod_p50: float  # seconds
    apply_to_first_pod_p99: float
    last_pod_after: float  # seconds from the last apply to the last job's first pod


class Peer(Bench):
    """Applies PyTorchJobs and sees their pods."""

    async def prepare(self) -> None:
        """What the operator looks for before it starts; its webhook is left out."""
        for name in (_HOME, NAMESPACE):
            await self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        secret = {"metadata": {"name": _SECRET}, "type": "Opaque"}
        await self.call("POST", f"/api/v1/namespaces/{_HOME}/secrets", secret)
        webhooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
        name = "validator.training-operator.kubeflow.org"
        await self.call("POST", webhooks, {"metadata": {"name": name}, "webhooks": []})

    async def hand_over_certificates(self) -> None:
        """Mounts the Secret, as a kubelet would."""
        while True:
            secret = await self.call("GET", f"/api/v1/namespaces/{_HOME}/secrets/{_SECRET}")
            if data := secret.get("data"):
                break
            await asyncio.sleep(0.2)
        _CERTIFICATES.mkdir(parents=True, exist_ok=True)
        for name, content in data.items():
            (_CERTIFICATES / name).write_bytes(base64.b64decode(content))

    async def note_pods(self) -> None:
        url = f"{self._server}{Kind.POD.path(NAMESPACE)}?watch=true&timeoutSeconds=3600"
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.get(url, headers=self._headers, timeout=timeout) as answer:
            async for line in answer.content:
                labels = json.loads(line)["object"]["metadata"].get("labels") or {}
                self.seen.setdefault(labels.get(_JOB_NAME, ""), time.monotonic())

    async def apply(self, runs: int) -> None:
        begin = time.monotonic()
        for number in range(runs):
            await asyncio.sleep(max(0.0, begin + number / RATE - time.monotonic()))
            name = f"job-{number}"
            await self.call("POST", Kind.PYTORCH_JOB.path(NAMESPACE), _job(name))
            self.applied[name] = time.monotonic()


def _job(name: str) -> dict[str, Any]:
    container = {"name": "pytorch", "image": "trainer"}
    template = {"spec": {"containers": [container]}}
    worker = {"replicas": 2, "restartPolicy": "Never", "template": template}
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"pytorchReplicaSpecs": {"Worker": worker}},
    }


async def measure(plane: ControlPlane, flags: tuple[str, ...], jobs: int) -> Outcome:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    daemons = Daemons(plane.folder / "logs")
    with ExitStack() as stack:
        stack.callback(daemons.stop)
        async with aiohttp.ClientSession(connector=connector, read_bufsize=2**21) as session:
            peer = Peer(plane, session, Gang.PYTORCH_JOB, RATE)
            await peer.prepare()
            command = [
                program("training-operator"), "--enable-scheme=pytorchjob", *flags,
                *(f"--{name}-bind-address=127.0.0.1:{free_port()}" for name in ("metrics", "health-probe")),
                f"--webhook-server-port={free_port()}",
            ]  # fmt: skip
            environment = {**os.environ, "KUBECONFIG": str(plane.kubeconfig())}
            daemons.start("training-operator", command, environment)
            await peer.hand_over_certificates()
            watch = asyncio.create_task(peer.note_pods())
            await peer.call("POST", Kind.PYTORCH_JOB.path(NAMESPACE), _job("first"))
            await until("it works", lambda: "first" in peer.seen, 180)
            await peer.apply(jobs)
            await until("every job has a pod", lambda: peer.applied.keys() <= peer.seen.keys(), 1800)
            watch.cancel()
    waits = [peer.seen[name] - moment for name, moment in peer.applied.items()]
    return Outcome(
        flags=" ".join(flags),
        jobs=jobs,
        apply_to_first_pod_p50=percentile(waits, 0.5),
        apply_to_first_pod_p99=percentile(waits, 0.99),
        last_pod_after=max(peer.seen.values()) - max(peer.applied.values()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("jobs", type=int, nargs="?", default=300)
    jobs = parser.parse_args().jobs
    outcomes = []
    for flags in (DEFAULTS, RAISED):
        with tempfile.TemporaryDirectory() as name, control_plane(Path(name)) as plane:
            outcomes.append(asdict(asyncio.run(measure(plane, flags, jobs))))
        print(json.dumps(outcomes[-1], indent=1), flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "training_operator_scale.json").write_text(json.dumps(outcomes, indent=1) + "\n")


if __name__ == "__main__":
    main()
