"""The commands that people type, against a real API server, by people with `edit`, `view` or no rights."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cluster.client import Client
from tests.cluster.control_plane import ControlPlane, free_port
from tests.cluster.fault_proxy import fault_proxy
from tests.cluster.people import Person, add_claim, add_run, condition, install_roles, person, restrict
from tests.cluster.scenario import scenario
from tests.e2e.waiting import until

from blendtune_operator.cli.main import main
from blendtune_operator.names import Kind

BFT = Kind.BLENDED_FINE_TUNE
TRAINING = {
    "state": "Training",
    "startTime": "2026-01-01T00:00:00Z",
    "conditions": [
        condition("Accepted", "True", "Accepted"),
        condition("DataBlended", "True", "Completed", "10,000 tokens"),
        condition("TrainingSucceeded", "Unknown", "Running"),
    ],
    "trainerStatus": {
        "progressPercentage": 30,
        "estimatedRemainingSeconds": 3600,
        "metrics": [
            {"name": "step", "value": "12"}, {"name": "steps", "value": "40"},
            {"name": "loss", "value": "1.25"},
        ],
    },
}  # fmt: skip
FAILED = {
    "state": "Failed",
    "conditions": [
        condition("TrainingSucceeded", "False", "OutOfMemory", "rank 1 needed more memory"),
        condition("Failed", "True", "OutOfMemory", "rank 1 needed more memory"),
    ],
}
SCORE = {"n": 22, "score": 0.75, "low": 0.6, "high": 0.9, "baselineScore": 0.25, "delta": 0.5}
SUCCEEDED = {
    "state": "Succeeded",
    "conditions": [
        condition("GatesPassed", "True", "GatesPassed"), condition("Succeeded", "True", "Completed"),
    ],
    "evaluation": {
        "name": "done", **{name: {"name": name, **SCORE} for name in ("overall", "general", "inDomain")},
    },
}  # fmt: skip
RUN = """
apiVersion: blendtune.io/v1alpha1
kind: BlendedFineTune
metadata: {name: shop}
spec:
  model: {uri: "hf://lmsys/vicuna-7b-v1.5"}
  blend:
    budget: {tokens: 1000000}
    sources:
    - {name: shop, role: inDomain, uri: "pvc://datasets/shop.jsonl", weight: 50}
    - {name: world, role: general, uri: "pvc://datasets/world.jsonl", weight: 50}
  cluster: {nodes: 1, gpusPerNode: 8, gpuType: GPU}
  storage: {persistentVolumeClaim: blendtune}
"""


@dataclass(frozen=True)
class Told:
    """What a command has printed, and its exit status."""

    status: int
    out: str
    err: str


@dataclass
class Terminal:
    """Types commands as one person, in this process: what is imported once need not be again."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    temporary: Path

    def types(self, who: Person, *words: str) -> Told:
        for name, value in who.environment().items():
            self.monkeypatch.setenv(name, value)
        self.capsys.readouterr()
        status = main(words)
        printed = self.capsys.readouterr()
        return Told(status, printed.out, printed.err)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Terminal:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return Terminal(monkeypatch, capsys, temporary)


@pytest.fixture(scope="module", autouse=True)
def roles(plane: ControlPlane) -> None:
    install_roles(plane.client)


@pytest.fixture
def editor(plane: ControlPlane, namespace: str) -> Person:
    restrict(plane.client, namespace)
    return person(plane, namespace, "edit")


@pytest.fixture
def viewer(plane: ControlPlane, namespace: str) -> Person:
    return person(plane, namespace, "view")


@pytest.fixture
def runs(client: Client, namespace: str) -> Iterator[None]:
    """Three runs: one trains, one has failed, one has succeeded."""
    add_run(client, namespace, "ads", TRAINING)
    add_run(client, namespace, "broken", FAILED)
    add_run(client, namespace, "done", SUCCEEDED)
    yield


def test_what_is_submitted_is_followed_to_its_scores(
    plane: ControlPlane, namespace: str, folder: Path, editor: Person, terminal: Terminal
) -> None:
    manifest = folder / "run.yaml"
    manifest.write_text(RUN.replace("GPU", "a100-80gb"))
    with scenario(plane, namespace, folder):
        told = terminal.types(editor, "submit", "-f", str(manifest))
    assert told.status == 0, told
    assert "BlendedFineTune shop applied" in told.err
    assert "shop: by the estimate it fits" in told.err
    assert "shop  Succeeded" in told.out
    assert "inDomain" in told.out
    assert "blendtune report shop" in told.out


def test_a_presets_name_that_only_the_operator_knows_is_submitted(
    client: Client, namespace: str, folder: Path, editor: Person, terminal: Terminal
) -> None:
    manifest = folder / "run.yaml"
    manifest.write_text(RUN.replace("GPU", "house-gpu"))
    told = terminal.types(editor, "submit", "--no-follow", "-f", str(manifest))
    assert told.status == 0, told
    assert client.get(BFT, namespace, "shop")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(("tokens: 1000000", "tokens: -1"), "run.yaml:8: spec.blend.budget.tokens", id="a bound"),
        pytest.param(("pvc://datasets/shop", "file:///shop"), "spec.blend.sources[0].uri", id="a local file"),
        pytest.param(("weight: 50", "wieght: 50"), "wieght", id="a mistyped field"),
        pytest.param(
            ("  storage:", "  evaluation: {rubric: {configMapRef: {name: house, key: r.yaml}}}\n  storage:"),
            "there is no ConfigMap house in namespace",
            id="no such ConfigMap",
        ),
        pytest.param(
            ("{name: shop}", "{name: shop, namespace: elsewhere}"), "may not patch", id="another namespace"
        ),
    ],
)
def test_nothing_is_applied_that_would_be_refused(
    client: Client, namespace: str, folder: Path, editor: Person, terminal: Terminal,
    change: tuple[str, str], said: str,
) -> None:  # fmt: skip
    manifest = folder / "run.yaml"
    manifest.write_text(RUN.replace("GPU", "a100-80gb").replace(*change, 1))
    told = terminal.types(editor, "submit", "-f", str(manifest))
    assert told.status == 2
    assert said in told.err
    assert client.get(BFT, namespace, "shop") is None


@pytest.mark.usefixtures("runs")
def test_everything_is_listed(viewer: Person, terminal: Terminal) -> None:
    told = terminal.types(viewer, "status")
    assert told.status == 0, told
    rows = {line.split()[0]: line.split() for line in told.out.splitlines()[2:] if line.strip()}
    assert rows["ads"][1:4] == ["Training", "30%", "1.2500"]
    assert rows["broken"][1] == "Failed"
    assert rows["done"][1:7] == ["Succeeded", "0.75", "(+0.50)", "0.75", "(+0.50)", "passed"]


@pytest.mark.usefixtures("runs")
def test_one_run_is_shown_as_it_is(viewer: Person, terminal: Terminal) -> None:
    training = terminal.types(viewer, "status", "ads").out
    assert "step 12/40  loss 1.2500" in training
    assert "ETA 1:00:00" in training
    assert "rank 1 needed more memory" in terminal.types(viewer, "status", "broken").out
    assert "0.750" in terminal.types(viewer, "status", "bft/done").out
    objects = json.loads(terminal.types(viewer, "status", "done", "-o", "json").out)
    assert objects["metadata"]["name"] == "done"


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("name", "awaited", "status"), [("done", "gates", 0), ("done", "finished", 0), ("broken", "gates", 1)]
)
def test_what_has_ended_is_not_waited_for(
    viewer: Person, terminal: Terminal, name: str, awaited: str, status: int
) -> None:
    assert terminal.types(viewer, "wait", name, "--for", awaited).status == status


@pytest.mark.usefixtures("runs")
def test_a_broken_watch_goes_on(plane: ControlPlane, client: Client, namespace: str) -> None:
    with fault_proxy(plane.server) as proxy:
        waiting = person(plane, namespace, "view", server=proxy.url).begins("wait", "ads")
        until("it watches", lambda: proxy._watches)
        proxy.open_rule = lambda: 500
        proxy.cut_watches()
        run = client.get(BFT, namespace, "ads")
        assert run is not None
        client.set_status({**run, "kind": BFT.value}, SUCCEEDED | {"trainerStatus": None})
        proxy.open_rule = lambda: 0
        printed, _ = waiting.communicate(timeout=180)
    assert waiting.returncode == 0, printed
    assert "ads  Succeeded" in printed


@pytest.mark.usefixtures("runs")
def test_a_run_is_suspended_resumed_and_tried_again(
    client: Client, namespace: str, editor: Person, terminal: Terminal
) -> None:
    def spec(name: str) -> dict[str, object]:
        found = client.get(BFT, namespace, name)
        assert found is not None
        return dict(found["spec"])

    assert terminal.types(editor, "suspend", "ads").status == 0
    assert spec("ads")["suspend"] is True
    assert "suspended already" in terminal.types(editor, "suspend", "ads").err
    assert terminal.types(editor, "resume", "ads").status == 0
    assert spec("ads")["suspend"] is False
    assert "is not suspended" in terminal.types(editor, "resume", "ads").err
    for expected in (1, 2):
        assert terminal.types(editor, "retry", "broken").status == 0
        assert spec("broken")["retry"] == expected


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("words", [["report", "done"], ["cp", "done:eval", "OUT"]], ids=" ".join)
def test_who_may_not_start_pods_reads_no_claim(
    plane: ControlPlane, client: Client, namespace: str, folder: Path, terminal: Terminal, words: list[str]
) -> None:
    add_claim(client, namespace, "ReadWriteMany")
    target = folder / "target"
    typed = [str(target) if word == "OUT" else word for word in words]
    told = terminal.types(person(plane, namespace, "view"), *typed, "--image", "registry.example.com/eval")
    assert told.status == 2
    assert "may not create pods" in told.err, told.err
    assert not target.exists()
    assert not any(terminal.temporary.iterdir())


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("who", "words", "said"),
    [
        pytest.param("none", "status", "may not list blendedfinetunes.blendtune.io", id="no right to list"),
        pytest.param("none", "status ads", "may not get blendedfinetunes.blendtune.io", id="nor to get"),
        pytest.param(
            "view", "suspend ads", "may not patch blendedfinetunes.blendtune.io", id="nor to change"
        ),
        pytest.param("view", "status asd", "did you mean ads?", id="a name that is almost right"),
        pytest.param("view", "status xyz", "there are ads, broken, done", id="a name that is not"),
        pytest.param("view", "status job/ads", "job is no kind of Blendtune's", id="another kind"),
        pytest.param("view", "status study/ads", "there is no BlendStudy ads", id="no study"),
        pytest.param("view", "status ads -n elsewhere", "in namespace elsewhere", id="another namespace"),
        pytest.param("view", "status ads --context tset", "did you mean test?", id="no such context"),
        pytest.param("edit", "suspend done", "done has ended (Succeeded)", id="suspended too late"),
        pytest.param("edit", "retry ads", "ads has not failed (Training)", id="tried again too early"),
        pytest.param("edit", "report ads", "ads has no report", id="a report too early"),
        pytest.param(
            "edit", "cp ads:model OUT", "ads has no model yet: it is Training", id="a model too early"
        ),
        pytest.param("edit", "cp ads OUT", "name the run and what to copy", id="nothing named to copy"),
        pytest.param("edit", "cp done:../other OUT", "no path within a run's workspace", id="out of it"),
        pytest.param("edit", "report done", "there is no claim blendtune", id="no claim"),
        pytest.param("edit", "compare done done", "done is named twice", id="one run twice"),
        pytest.param("view", "wait ads --timeout 0.5", "has not come so far", id="a wait too long"),
    ],
)
def test_what_cannot_be_done_is_told(
    plane: ControlPlane, namespace: str, folder: Path, terminal: Terminal,
    who: str, words: str, said: str,
) -> None:  # fmt: skip
    target = folder / "target"
    typed = [str(target) if word == "OUT" else word for word in words.split()]
    told = terminal.types(person(plane, namespace, who), *typed)
    assert told.status == 2
    assert said in told.err, told.err
    assert "Traceback" not in told.err
    assert not target.exists()


@pytest.mark.usefixtures("runs")
def test_what_there_is_of_a_run_without_a_report(editor: Person, terminal: Terminal) -> None:
    assert "step 12/40  loss 1.2500" in terminal.types(editor, "report", "ads").err
    assert "rank 1 needed more memory" in terminal.types(editor, "report", "broken").err
    assert not any(terminal.temporary.iterdir())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "there is no kubeconfig", id="none"),
        pytest.param("{", "cannot be used", id="no YAML"),
        pytest.param("kind: Config", "cannot be used", id="nothing in it"),
        pytest.param("SERVER https://127.0.0.1:PORT", "does not answer", id="nobody there"),
        pytest.param("TOKEN", "does not accept the kubeconfig's credentials", id="an expired login"),
    ],
)
def test_kubeconfigs_that_lead_nowhere(
    plane: ControlPlane, folder: Path, terminal: Terminal, content: str | None, said: str
) -> None:
    kubeconfig = folder / "kubeconfig"
    if content and content.startswith("SERVER"):
        kubeconfig = plane.kubeconfig(f"https://127.0.0.1:{free_port()}")
    elif content == "TOKEN":
        kubeconfig = plane.kubeconfig(token="expired")
    elif content:
        kubeconfig.write_text(content)
    told = terminal.types(Person(kubeconfig), "status")
    assert told.status == 2
    assert said in told.err, told.err
    assert str(kubeconfig) in told.err or "SERVER" in (content or "") or content == "TOKEN"
