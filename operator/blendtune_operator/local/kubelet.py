"""Runs pods: volumes are folders, init containers run first, the status says how each container ended."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blendtune_api.contract import Env, ExitCode, Failure, encode_message
from blendtune_api.v1alpha1 import Reason
from blendtune_operator.local.process import Sandbox, StartError, Termination, free_port, run_container
from blendtune_operator.local.store import ObjectStore, key_of
from blendtune_operator.names import Kind, Object

DEFAULT_GRACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class PodResult:
    terminations: Mapping[str, Termination] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        return all(termination.exit_code == 0 for termination in self.terminations.values())

    @property
    def exit_code(self) -> int:
        """The exit code of the first container that failed, or 0."""
        return next((item.exit_code for item in self.terminations.values() if item.exit_code), 0)


class Kubelet:
    """Starts the pods of one work directory: claims/, pods/ and logs/ lie within it."""

    def __init__(self, store: ObjectStore, workdir: Path) -> None:
        self._store = store
        self._workdir = workdir
        self._metrics_ports: dict[str, int] = {}

    @property
    def claims(self) -> Path:
        return self._workdir / "claims"

    def log(self, pod_name: str) -> Path:
        return self._workdir / "logs" / f"{pod_name}.log"

    def metrics_port(self, pod_uid: str) -> int | None:
        """The port of this machine at which the pod serves /metrics and /progress."""
        return self._metrics_ports.get(pod_uid)

    async def run_pod(self, pod: Object, overlay: Mapping[str, str]) -> PodResult:
        """Runs a pod of the store to its end and keeps its status there. When cancelled, terminates it.

        A pod that cannot run here fails as for a bad configuration. `overlay` has variables for
        all containers.
        """
        uid = pod["metadata"]["uid"]
        folder = self._workdir / "pods" / pod["metadata"]["name"]
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        log = self.log(pod["metadata"]["name"])
        log.parent.mkdir(parents=True, exist_ok=True)
        self._metrics_ports[uid] = free_port()
        try:
            sandbox = Sandbox(
                volumes=self._volumes(pod, folder),
                overlay={
                    **overlay,
                    Env.CLAIMS: str(self.claims),
                    Env.METRICS_PORT: str(self._metrics_ports[uid]),
                },
                folder=folder,
                log=log,
            )
            return await self._run_containers(pod, sandbox)
        except (StartError, OSError) as error:
            return self._refuse(pod, str(error))
        finally:
            self._metrics_ports.pop(uid, None)
            shutil.rmtree(folder, ignore_errors=True)

    async def _run_containers(self, pod: Object, sandbox: Sandbox) -> PodResult:
        spec = pod["spec"]
        grace = float(spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS))
        started = self._store.timestamp()
        initialised: dict[str, Termination] = {}
        for container in spec.get("initContainers", []):
            self._report(pod, started, "Pending", initialised, {})
            initialised[container["name"]] = await run_container(container, pod, sandbox, grace)
            if not PodResult(initialised).succeeded:
                self._report(pod, started, "Failed", initialised, {})
                return PodResult(initialised)
        self._report(pod, started, "Running", initialised, {})
        containers = spec["containers"]
        ends = await asyncio.gather(
            *(run_container(container, pod, sandbox, grace) for container in containers)
        )
        terminations = {container["name"]: end for container, end in zip(containers, ends, strict=True)}
        result = PodResult(initialised | terminations)
        self._report(pod, started, "Succeeded" if result.succeeded else "Failed", initialised, terminations)
        return result

    def _refuse(self, pod: Object, why: str) -> PodResult:
        message = f"pod {pod['metadata']['name']} cannot run on this machine: {why}"
        failure = Failure(reason=Reason.BAD_CONFIGURATION, message=message)
        end = Termination(exit_code=ExitCode.BAD_CONFIGURATION, message=encode_message(failure))
        ends = {pod["spec"]["containers"][0]["name"]: end}
        self._report(pod, self._store.timestamp(), "Failed", {}, ends)
        return PodResult(ends)

    def _report(
        self,
        pod: Object,
        started: str,
        phase: str,
        initialised: Mapping[str, Termination],
        terminations: Mapping[str, Termination],
    ) -> None:
        def statuses(containers: list[Any], ends: Mapping[str, Termination], running: bool) -> list[Any]:
            return [
                self._container_status(item["name"], ends.get(item["name"]), started, running)
                for item in containers
            ]

        self._store.set_status(
            key_of(pod),
            {
                "phase": phase,
                "podIP": "127.0.0.1",
                "startTime": started,
                "initContainerStatuses": statuses(
                    pod["spec"].get("initContainers", []), initialised, phase == "Pending"
                ),
                "containerStatuses": statuses(pod["spec"]["containers"], terminations, phase == "Running"),
            },
        )

    def _container_status(
        self, name: str, end: Termination | None, started: str, running: bool
    ) -> dict[str, Any]:
        if end is not None:
            state: dict[str, Any] = {
                "terminated": {
                    "exitCode": end.exit_code,
                    "reason": "Completed" if end.exit_code == 0 else "Error",
                    "message": end.message,
                    "startedAt": started,
                    "finishedAt": self._store.timestamp(),
                }
            }
        else:
            state = (
                {"running": {"startedAt": started}} if running else {"waiting": {"reason": "PodInitializing"}}
            )
        return {"name": name, "ready": end is None and running, "restartCount": 0, "state": state}

    def _volumes(self, pod: Object, folder: Path) -> dict[str, Path]:
        """A folder for each volume of the pod. Raises StartError for a kind that local mode lacks."""
        return {
            volume["name"]: self._volume(
                volume, pod["metadata"]["namespace"], folder / "volumes" / volume["name"]
            )
            for volume in pod["spec"].get("volumes", [])
        }

    def _volume(self, volume: Mapping[str, Any], namespace: str, folder: Path) -> Path:
        if "persistentVolumeClaim" in volume:
            folder = self.claims / volume["persistentVolumeClaim"]["claimName"]
        elif "configMap" in volume:
            name = volume["configMap"]["name"]
            config_map = self._store.get(Kind.CONFIG_MAP, namespace, name)
            if config_map is None:
                raise StartError(f"no ConfigMap {name} in namespace {namespace}")
            folder.mkdir(parents=True, exist_ok=True)
            paths = {item["key"]: item["path"] for item in volume["configMap"].get("items", [])}
            for key, text in config_map.get("data", {}).items():
                if not paths or key in paths:
                    (folder / paths.get(key, key)).write_text(text)
        elif "emptyDir" not in volume:
            raise StartError(
                f"volume {volume['name']}: only claims, ConfigMaps and emptyDirs exist in local mode"
            )
        folder.mkdir(parents=True, exist_ok=True)
        return folder
