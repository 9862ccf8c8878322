"""Manifests are read as kubectl reads them, and each fault says in which file and line it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from blendtune_api.v1alpha1 import BlendedFineTune
from blendtune_operator.cli.manifest import ManifestError, load

MANIFEST = """\
apiVersion: blendtune.io/v1alpha1
kind: BlendedFineTune
metadata: {name: handbook}
spec:
  model: {uri: file://./model}
  blend:
    budget: {epochs: 2}
    sources:
    - {name: ads, role: inDomain, uri: file://./ads.jsonl, weight: 1}
    - name: world
      role: general
      uri: file://./world.jsonl
      weight: 1
  training:
    learningRate: 3e-5
    sequenceLength: 256
    batchTokens: 1024
  storage: {persistentVolumeClaim: demo}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "ads.jsonl").touch()
    (tmp_path / "world.jsonl").touch()
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "manifest.yaml"
    path.write_text(text)
    return path


def faults(path: Path) -> tuple[str, ...]:
    with pytest.raises(ManifestError) as caught:
        load([path])
    return caught.value.faults


def test_reads_numbers_as_kubectl_does_and_makes_file_uris_absolute(folder: Path) -> None:
    (loaded,) = load([write(folder, MANIFEST)]).objects
    assert isinstance(loaded, BlendedFineTune)
    assert loaded.spec.training.learning_rate == 3e-5
    assert loaded.spec.model.uri == f"file://{folder / 'model'}"
    assert loaded.spec.blend.sources[0].uri == f"file://{folder / 'ads.jsonl'}"


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        pytest.param("weight: 1}", "weight: 0}", 9, "spec.blend.sources[0].weight", id="weight-zero"),
        pytest.param(
            "      weight: 1", "      weight: -2", 13, "spec.blend.sources[1].weight", id="weight-negative"
        ),
        pytest.param("role: general", "role: wide", 11, "spec.blend.sources[1].role", id="unknown-role"),
        pytest.param(
            "{uri: file://./model}",
            "{uri: file://./model, chatTemplate: alpaca}",
            5,
            "spec.model.chatTemplate: must be vicuna, llama-2, chatml or llama-3, not 'alpaca'",
            id="unknown-chat-template",
        ),
        pytest.param("name: world", "name: ads", 10, "must be unique", id="duplicate-source"),
        pytest.param("./world.jsonl", "./nowhere.jsonl", 12, "nowhere.jsonl", id="missing-file"),
        pytest.param(
            "batchTokens: 1024", "batchTokens: 1000", 17, "multiple of sequenceLength", id="batch-tokens"
        ),
        pytest.param("learningRate: 3e-5", "learningRat: 3e-5", 15, "learningRate", id="typo"),
        pytest.param("storage:", "stowage:", 18, "storage", id="unknown-field"),
        pytest.param("kind: BlendedFineTune", "kind: FineTune", 2, "FineTune is none of", id="unknown-kind"),
        pytest.param("{name: handbook}", "{name: Hand_book}", 3, "metadata.name", id="bad-name"),
        pytest.param("    learningRate: 3e-5", "    sequenceLength: 128", 16, "twice", id="duplicate-key"),
        pytest.param("weight: 1}", "weight: 1", 10, "not valid YAML", id="not-yaml"),
    ],
)
def test_bad_manifest_names_file_line_and_field(
    folder: Path, old: str, new: str, line: int, words: str
) -> None:
    path = write(folder, MANIFEST.replace(old, new, 1))
    found = [fault for fault in faults(path) if words in fault]
    assert found, faults(path)
    assert any(fault.startswith(f"{path}:{line}:") for fault in found), found


def test_every_fault_is_listed_at_once(folder: Path) -> None:
    text = (
        MANIFEST.replace("weight: 1}", "weight: 0}")
        .replace("role: general", "role: wide")
        .replace("3e-5", "-1")
    )
    assert len(faults(write(folder, text))) == 3


def test_rubric_must_be_among_the_given_files(folder: Path) -> None:
    evaluation = "  evaluation:\n    rubric: {configMapRef: {name: mine, key: rubric.yaml}}\n"
    path = write(folder, MANIFEST + evaluation)
    assert "no ConfigMap mine" in faults(path)[0]
    config_map = (
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine}\ndata: {rubric.yaml: 'name: x'}\n"
    )
    assert len(load([write(folder, MANIFEST + evaluation + config_map)]).config_maps) == 1


def test_rubric_must_be_in_the_namespace_of_the_run(folder: Path) -> None:
    evaluation = "  evaluation:\n    rubric: {configMapRef: {name: mine, key: r}}\n"
    config_map = (
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine, namespace: b}\ndata: {r: 'name: x'}\n"
    )
    (fault,) = faults(write(folder, MANIFEST + evaluation + config_map))
    assert "ConfigMap mine is in namespace b, the run in default" in fault


def test_a_rubric_alone_is_the_config_map_of_its_name(folder: Path) -> None:
    evaluation = "  evaluation:\n    rubric: {configMapRef: {name: mine, key: questions.yaml}}\n"
    rubric = "name: mine\nversion: '1'\nquestions: []\n"
    (folder / "questions.yaml").write_text(rubric)
    (config_map,) = load([write(folder, MANIFEST + evaluation), folder / "questions.yaml"]).config_maps
    assert config_map.value["data"] == {"questions.yaml": rubric}


@pytest.mark.parametrize("missing", ["no-such-file.yaml"])
def test_a_missing_manifest_is_named(folder: Path, missing: str) -> None:
    assert missing in faults(folder / missing)[0]
