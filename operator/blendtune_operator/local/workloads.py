"""The Job controller and the training operator of the embedded cluster: they make pods and set conditions."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from blendtune_api.contract import Env
from blendtune_operator.local.kubelet import Kubelet, PodResult
from blendtune_operator.local.process import free_port
from blendtune_operator.local.store import ObjectStore, key_of
from blendtune_operator.names import Kind, Object

JOB_RETRY_SECONDS = 1.0


class Workloads:
    """Runs each Job and PyTorchJob that is started here, until it ends or is stopped."""

    def __init__(self, store: ObjectStore, kubelet: Kubelet) -> None:
        self._store = store
        self._kubelet = kubelet
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, workload: Object) -> None:
        run: Callable[[Object], Awaitable[None]] = {
            Kind.JOB: self._run_job,
            Kind.PYTORCH_JOB: self._run_pytorch_job,
        }[workload["kind"]]
        self._tasks[workload["metadata"]["uid"]] = asyncio.ensure_future(self._guarded(run, workload))

    def stop(self, workload: Object) -> None:
        """Terminates the workload's pods; the workload is removed from the store when they have ended."""
        self._store.mark_deleted(key_of(workload))
        task = self._tasks.get(workload["metadata"]["uid"])
        if task is None or task.done():
            self._store.remove(key_of(workload))
        else:
            task.add_done_callback(lambda _: self._store.remove(key_of(workload)))
            task.cancel()

    async def stop_all(self) -> None:
        """Terminates every pod and waits until all have ended."""
        tasks = [task for task in self._tasks.values() if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _guarded(self, run: Callable[[Object], Awaitable[None]], workload: Object) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await run(workload)

    async def _run_job(self, job: Object) -> None:
        spec = job["spec"]
        allowed = int(spec.get("backoffLimit", 6))
        for number in range(allowed + 1):
            pod = self._create_pod(job, f"{job['metadata']['name']}-{number}", spec["template"], {})
            self._set_condition(job, None, active=1)
            result = await self._kubelet.run_pod(pod, _torch_settings(1))
            if _cancelled():
                return
            if result.succeeded:
                self._set_condition(job, "Complete", "CompletionsReached", "")
                return
            action = _failure_action(spec.get("podFailurePolicy", {}), result)
            if action == "FailJob":
                self._set_condition(job, "Failed", "PodFailurePolicy", f"exit code {result.exit_code}")
                return
            await asyncio.sleep(JOB_RETRY_SECONDS)
        self._set_condition(job, "Failed", "BackoffLimitExceeded", "the Job has reached its backoff limit")

    async def _run_pytorch_job(self, job: Object) -> None:
        worker = job["spec"]["pytorchReplicaSpecs"]["Worker"]
        replicas = int(worker.get("replicas", 1))
        name = job["metadata"]["name"]
        pods = [
            self._create_pod(
                job,
                f"{name}-worker-{index}",
                worker["template"],
                {
                    "training.kubeflow.org/job-name": name,
                    "training.kubeflow.org/replica-type": "worker",
                    "training.kubeflow.org/replica-index": str(index),
                },
            )
            for index in range(replicas)
        ]
        self._set_condition(job, "Running", "PyTorchJobRunning", "", active=replicas)
        ranks = replicas * _ranks_per_node(worker["template"])
        overlay = {Env.MASTER_ADDR: "127.0.0.1", Env.MASTER_PORT: str(free_port()), **_torch_settings(ranks)}
        tasks = [asyncio.ensure_future(self._kubelet.run_pod(pod, overlay)) for pod in pods]
        failed = await self._wait_for_gang(pods, tasks)
        if failed is None:
            return
        reason = "PyTorchJobFailed" if failed else "PyTorchJobSucceeded"
        self._set_condition(job, "Failed" if failed else "Succeeded", reason, "")

    async def _wait_for_gang(self, pods: list[Object], tasks: list[asyncio.Task[PodResult]]) -> bool | None:
        """True when a pod failed and the others were removed (cleanPodPolicy Running); None if cancelled."""
        waiting = set(tasks)
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if any(not task.result().succeeded for task in done):
                    unfinished = [pod for pod, task in zip(pods, tasks, strict=True) if not task.done()]
                    await _terminate(waiting)
                    for pod in unfinished:
                        self._store.remove(key_of(pod))
                    return True
            return False
        except asyncio.CancelledError:
            await _terminate(waiting)
            return None

    def _create_pod(
        self, owner: Object, name: str, template: Mapping[str, Any], labels: Mapping[str, str]
    ) -> Object:
        metadata = template.get("metadata", {})
        reference = {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "controller": True,
        }
        job_labels = (
            {"batch.kubernetes.io/job-name": owner["metadata"]["name"]} if owner["kind"] == Kind.JOB else {}
        )
        return self._store.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": name,
                    "namespace": owner["metadata"]["namespace"],
                    "labels": {**metadata.get("labels", {}), **job_labels, **labels},
                    "annotations": dict(metadata.get("annotations", {})),
                    "ownerReferences": [reference],
                },
                "spec": copy.deepcopy(dict(template["spec"])),
            }
        )

    def _set_condition(
        self, workload: Object, type: str | None, reason: str = "", message: str = "", active: int = 0
    ) -> None:
        now = self._store.timestamp()
        status: dict[str, Any] = {"startTime": now, "active": active}
        current = self._store.get(*key_of(workload))
        if current is not None:
            status |= {key: value for key, value in current.get("status", {}).items() if key == "startTime"}
        if type is not None:
            status["conditions"] = [
                {
                    "type": type,
                    "status": "True",
                    "reason": reason,
                    "message": message,
                    "lastTransitionTime": now,
                }
            ]
            if type in ("Complete", "Succeeded", "Failed"):
                status["completionTime"] = now
        self._store.set_status(key_of(workload), status)


async def _terminate(tasks: set[asyncio.Task[PodResult]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _failure_action(policy: Mapping[str, Any], result: PodResult) -> str:
    """The action of the Job's podFailurePolicy for this end; Count where no rule matches."""
    for rule in policy.get("rules", []):
        codes = rule.get("onExitCodes")
        if codes and codes["operator"] == "In" and result.exit_code in codes["values"]:
            return str(rule["action"])
    return "Count"


def _ranks_per_node(template: Mapping[str, Any]) -> int:
    variables = [item for container in template["spec"]["containers"] for item in container.get("env", [])]
    return next((int(item["value"]) for item in variables if item["name"] == Env.RANKS_PER_NODE), 1)


def _torch_settings(processes: int) -> dict[str, str]:
    """How each process uses this machine: an equal share of the cores, and memory in large pages.

    A step on CPU spends much of its time on touching fresh memory. What the caller has set stays.
    """
    threads = max(1, (os.cpu_count() or 1) // processes)
    settings = {"OMP_NUM_THREADS": str(threads), "THP_MEM_ALLOC_ENABLE": "1"}
    return {name: value for name, value in settings.items() if name not in os.environ}
