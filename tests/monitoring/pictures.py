"""Draws the dashboards for the documentation: `python -m tests.monitoring.pictures`, minutes on two cores.

A tiny model learns the world. Then the embedded cluster runs a study of two shares, a longer run, one on rows
that do not parse, and one that is suspended. Beside it the operator's own process, on a real API server,
holds a run that waits in a queue and one that it refuses.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from monitoring.__main__ import DASHBOARDS
from monitoring.picture.page import draw
from monitoring.picture.series import Range
from rich.console import Console
from tests.cluster.control_plane import control_plane, free_port
from tests.cluster.operator_process import OperatorProcess
from tests.e2e.waiting import until
from tests.monitoring import roastery
from tests.monitoring.prometheus import Prometheus, prometheus
from tests.operator.builders import fine_tune

from blendtune_api import codec
from blendtune_api.codec import Resource
from blendtune_api.v1alpha1 import BlendedFineTune, Cluster, ObjectMeta, State
from blendtune_operator.cli.follow import metrics_server
from blendtune_operator.cli.manifest import load, load_study
from blendtune_operator.cli.view import View
from blendtune_operator.local.session import Session
from blendtune_operator.names import Kind

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".cache/pictures"
PICTURES = ROOT / "docs"
_STUDIED, _SEARCHED = "coffee", "search"  # the teams: each has a namespace
_MIDDLE = (40, 80)  # percent of a training


def main() -> None:
    for name in ("work", "cluster", "data", "logs"):
        shutil.rmtree(FOLDER / name, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    roastery.write(FOLDER, (_STUDIED, _SEARCHED))
    base = roastery.taught(FOLDER, _STUDIED)
    begin = time.time()
    runs, trainers = free_port(), FOLDER / "trainers.json"
    trainers.write_text("[]")
    with _cluster_operator(FOLDER) as operator:
        targets = {"operator": (operator, {}), "runs": (runs, {})}
        with prometheus(FOLDER, targets, [trainers], every="3s") as server:
            moments = _run(_manifests(FOLDER, base), server, runs, trainers)
            for name, end in moments.items():
                dashboard = json.loads((DASHBOARDS / f"{name}.json").read_text())
                text = draw(dashboard, server.address, Range(begin, end))
                (PICTURES / f"dashboard-{name}.svg").write_text(text, encoding="utf-8")


def _manifests(folder: Path, base: Path) -> Path:
    """Those of the embedded cluster, in a folder of their own beside the rubric."""
    model, tokens = f"file://{base}", {"tokens": 60_000}
    (folder / "spoilt.jsonl").write_text((folder / "roastery.jsonl").read_text()[:5000])
    study = {
        "axes": {"inDomainShare": [0.5, 1], "seeds": [1, 2]},
        "objective": {"maximize": "inDomain", "subjectTo": {"metric": "general", "maxDrop": 0.35}},
        "parallelism": 2,
        "template": {"spec": roastery.spec(model, tokens, 0.5)},
    }
    runs = {
        "nightly": (_STUDIED, roastery.spec(model, {"tokens": 200_000}, 0.75)),
        "spoilt-rows": (_SEARCHED, roastery.spec(model, tokens, 0.5, "spoilt.jsonl")),
        "on-hold": (_SEARCHED, roastery.spec(model, tokens, 0.25, suspend=True)),
    }
    (folder / "study.yaml").write_text(roastery.document("mix", _STUDIED, study, "BlendStudy"))
    (folder / "runs.yaml").write_text(
        "---\n".join(roastery.document(name, namespace, spec) for name, (namespace, spec) in runs.items())
    )
    return folder


def _run(folder: Path, server: Prometheus, port: int, trainers: Path) -> dict[str, float]:
    """Runs the manifests to their end. Returns when each dashboard, by its name, has most to show: that of
    runs while one trains, that of quality when all is known.
    """
    rubric = folder / "rubric.yaml"
    study = load_study([folder / "study.yaml", rubric])
    runs = load([folder / "runs.yaml", rubric])
    console = Console(stderr=True)
    config_maps = [document.value for document in study.config_maps]
    session = Session([study.study, *runs.objects], config_maps, folder / "work")
    training: list[float] = []

    view = View(console)

    def show(objects: Sequence[Resource], _: str) -> None:
        found = [object for object in objects if isinstance(object, BlendedFineTune)]
        view.show([(run, "") for run in found])
        _tell_targets(session, trainers)
        if any(run.status.state is State.SUCCEEDED for run in found) and any(map(_is_under_way, found)):
            training.append(time.time())

    with metrics_server(session.objects, port, console):
        with view:
            asyncio.run(session.run(show))
        until("the study's end is known", lambda: server.query("blendtune_study_verdict == 1"))
        end = time.time()
    return {
        "runs": next(moment for moment in reversed(training) if _is_known(server, moment)),
        "quality": end,
    }


def _is_under_way(run: BlendedFineTune) -> bool:
    trainer = run.status.trainer_status
    percent = (trainer.progress_percentage if trainer else None) or 0
    return run.status.state is State.TRAINING and _MIDDLE[0] < percent < _MIDDLE[1]


def _is_known(server: Prometheus, moment: float) -> bool:
    """Whether the latest scrape before the moment was answered in time."""
    return bool(server.query(f'up{{job="runs"}} @ {moment:.3f} == 1'))


def _tell_targets(session: Session, trainers: Path) -> None:
    """Tells Prometheus where each rank 0 answers, as a PodMonitor does."""
    targets = [
        {
            "targets": [f"127.0.0.1:{port}"],
            "labels": {
                "namespace": pod["metadata"]["namespace"],
                "name": pod["metadata"]["labels"]["app.kubernetes.io/instance"],
            },
        }
        for pod in session.store
        if pod["kind"] == "Pod"
        and pod["metadata"]["labels"].get("training.kubeflow.org/replica-index") == "0"
        and (port := session.kubelet.metrics_port(pod["metadata"]["uid"]))
    ]
    partial = trainers.with_suffix(".partial")
    partial.write_text(json.dumps(targets))
    partial.rename(trainers)


@contextmanager
def _cluster_operator(folder: Path) -> Iterator[int]:
    """The port of an operator that serves a run in a queue and one that asks for unknown GPUs."""
    place = folder / "cluster"
    place.mkdir()
    with control_plane(place) as plane:
        client = plane.client
        client.call("POST", "/api/v1/namespaces", {"metadata": {"name": _SEARCHED}})
        served = {"BLENDTUNE_NAMESPACES": _SEARCHED, "BLENDTUNE_LEASE_NAMESPACE": _SEARCHED}
        operator = OperatorProcess(plane.kubeconfig(), place / "operator.log", served)
        operator.start()
        try:
            for name, cluster in (
                ("queued", Cluster(queue_name="gpus")),
                ("unknown-gpus", Cluster(gpu_type="b300")),
            ):
                run = replace(fine_tune(cluster=cluster), metadata=ObjectMeta(name=name, namespace=_SEARCHED))
                document = codec.encode_object(run)
                document.pop("status", None)
                client.create(document)
            until("the blend Job is there", lambda: client.get(Kind.JOB, _SEARCHED, "queued-blend"))
            client.patch(Kind.JOB, _SEARCHED, "queued-blend", {"spec": {"suspend": True}})
            yield operator.port
        finally:
            operator.stop()


if __name__ == "__main__":
    main()
