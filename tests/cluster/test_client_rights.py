"""The docs' table of rights: what it names for a command suffices for it, on a real API server."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path

import pytest
from tests.cluster.client import Client
from tests.cluster.control_plane import ControlPlane
from tests.cluster.people import (
    add_claim,
    add_run,
    install_roles,
    person,
    person_with,
    restrict,
    restricted_pod,
)
from tests.cluster.test_client import FAILED, RUN, SUCCEEDED, TRAINING
from tests.cluster.test_reader import IMAGE, gone, play, reader, running
from tests.e2e.waiting import until

from blendtune_api.v1alpha1 import Stage
from blendtune_operator.client.rights import RIGHTS
from blendtune_operator.names import OWNER_UID, STAGE, Kind, Object

ENDS = {
    "submit": ("submit", "--no-follow", "-f", "FOLDER/run.yaml"),
    "status": ("status", "done", "--watch"),
    "wait": ("wait", "done"),
    "suspend": ("suspend", "ads"),
    "resume": ("resume", "held"),
    "retry": ("retry", "broken"),
}  # how a command is typed that ends by itself
READS = {
    "report": ("report", "done", *IMAGE),
    "compare": ("compare", "done", "other", *IMAGE),
    "cp": ("cp", "done:eval", "FOLDER/copy", *IMAGE),
}  # ... that reads a claim


@pytest.fixture(autouse=True)
def runs(client: Client, namespace: str, folder: Path) -> None:
    restrict(client, namespace)
    add_claim(client, namespace, "ReadWriteMany")
    add_run(client, namespace, "ads", TRAINING)
    add_run(client, namespace, "held", TRAINING | {"state": "Suspended"}, suspend=True)
    add_run(client, namespace, "broken", FAILED)
    for name in ("done", "other"):
        add_run(client, namespace, name, SUCCEEDED)
    (folder / "run.yaml").write_text(RUN.replace("GPU", "a100-80gb"))


def test_the_table_names_every_command() -> None:
    assert RIGHTS.keys() == {*ENDS, *READS, "logs", "ui"}


@pytest.mark.parametrize("command", ENDS)
def test_what_the_table_names_suffices(
    plane: ControlPlane, namespace: str, folder: Path, command: str
) -> None:
    who = person_with(plane, namespace, command, RIGHTS[command])
    done = who.types(*(word.replace("FOLDER", str(folder)) for word in ENDS[command]))
    assert done.returncode == 0, done.stderr
    assert "may not" not in done.stderr


@pytest.mark.parametrize("command", READS)
def test_what_the_table_names_suffices_to_read_a_claim(
    plane: ControlPlane, client: Client, namespace: str, folder: Path, command: str
) -> None:
    """As far as a kubelet, which is not there."""
    who = person_with(plane, namespace, command, RIGHTS[command])
    process = who.begins(*(word.replace("FOLDER", str(folder)) for word in READS[command]))
    play(client, reader(client, namespace), running())
    printed, _ = process.communicate(timeout=180)
    assert process.returncode == 2, printed
    assert "may not" not in printed
    assert "Traceback" not in printed
    assert gone(client, namespace)


def test_what_the_table_names_suffices_for_logs(plane: ControlPlane, client: Client, namespace: str) -> None:
    """As far as a kubelet, which is not there."""
    run = client.get(Kind.BLENDED_FINE_TUNE, namespace, "ads")
    assert run is not None
    pod = client.create(training_pod(namespace, run["metadata"]["uid"]))
    play(client, pod, running())
    done = person_with(plane, namespace, "logs", RIGHTS["logs"]).types("logs", "ads")
    assert done.returncode == 2
    assert "may not" not in done.stderr
    assert "Traceback" not in done.stderr


def training_pod(namespace: str, owner: str) -> Object:
    pod = restricted_pod(namespace, "ads-train-1-0", "reader")
    pod["metadata"]["labels"] = {
        "app.kubernetes.io/name": "blendtune", "app.kubernetes.io/instance": "ads",
        OWNER_UID: owner, STAGE: Stage.TRAIN.value,
    }  # fmt: skip
    return pod


@pytest.mark.parametrize("role", ["view", "table"])
def test_the_page_shows_the_runs_of_a_namespace(
    plane: ControlPlane, client: Client, namespace: str, role: str
) -> None:
    install_roles(client)
    who = (
        person(plane, namespace, role) if role == "view"
        else person_with(plane, namespace, role, RIGHTS["ui"])
    )  # fmt: skip
    process = who.begins("ui", "--no-browser", "--port", "0")
    try:
        assert process.stdout is not None
        (address,) = re.findall(r"http://127[^ ]+", process.stdout.readline())

        def shown() -> str:
            with urllib.request.urlopen(address) as answer:
                return str(answer.read(), "utf-8")

        until("the runs are there", lambda: "2 succeeded" in shown())
        run = client.get(Kind.BLENDED_FINE_TUNE, namespace, "ads")
        assert run is not None
        client.set_status({**run, "kind": Kind.BLENDED_FINE_TUNE.value}, SUCCEEDED)
        until("the page follows", lambda: "3 succeeded" in shown())
    finally:
        process.terminate()
        process.communicate(timeout=60)
