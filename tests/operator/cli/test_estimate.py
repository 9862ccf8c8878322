"""`blendtune estimate`, from a manifest to what it prints and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from blendtune_operator.cli.exit_status import ExitStatus
from blendtune_operator.cli.main import main

MANIFEST = """\
apiVersion: blendtune.io/v1alpha1
kind: BlendedFineTune
metadata: {name: ads}
spec:
  model: {uri: hf://lmsys/vicuna-33b-v1.3}
  blend:
    budget: {epochs: 3}
    sources:
    - {name: ads, role: inDomain, uri: "file://./not-there.jsonl", weight: 1}
  training:
    deepspeed: {stage: auto}
  cluster: {nodes: 4, gpusPerNode: 8, gpuType: a100-80gb}
  storage: {persistentVolumeClaim: work}
"""
SMALL = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_attention_heads": 4,
    "num_hidden_layers": 3,
    "vocab_size": 500,
}


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def write(folder: Path, **changes: str) -> str:
    text = MANIFEST
    for old, new in changes.items():
        text = text.replace({"uri": "hf://lmsys/vicuna-33b-v1.3", "stage": "stage: auto"}[old], new)
    path = folder / "manifest.yaml"
    path.write_text(text)
    return str(path)


def test_what_fits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["estimate", "-f", write(tmp_path), "--tokens", "1e8", "--mfu", "0.5"])
    printed = capsys.readouterr().out
    assert status == ExitStatus.SUCCESS
    assert printed.startswith("ads  fits\n")
    assert "32,528,943,616 parameters in 60 layers of 6,656" in printed
    assert "ZeRO stage 3, micro-batches of 4 x 2,048 tokens, activations recomputed" in printed
    assert "100,000,000 tokens, 382 steps: 68 min, 36.5 GPU-hours" in printed
    assert "1,496.3 GB with checkpoints of 455.4 GB each" in printed
    rows = [line.split() for line in printed.splitlines() if line[:1] in "123"]
    assert rows == [
        ["1", "1", "146.4", "recomputed", "2.3", "1.0", "149.7", "no", "-", "-"],
        ["2", "1", "83.4", "recomputed", "2.3", "1.0", "86.7", "no", "55", "128"],
        ["3", "<", "4", "18.3", "recomputed", "9.0", "2.7", "30.0", "yes", "8", "16"],
    ]


def test_a_lora(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lora = "stage: auto}\n    method: lora\n    lora: {rank: 8"
    manifest = write(tmp_path, stage=lora, uri="hf://lmsys/vicuna-7b-v1.3")
    assert main(["estimate", "-f", manifest]) == ExitStatus.SUCCESS
    printed = capsys.readouterr().out
    assert "6,738,415,616 parameters in 32 layers of 4,096, frozen, and a LoRA of 19,988,480" in printed
    assert "27.8 GB with checkpoints of 0.3 GB each" in printed
    assert main(["estimate", "-f", manifest, "-o", "json"]) == ExitStatus.SUCCESS
    weights = json.loads(capsys.readouterr().out)[0]["weights"]
    assert weights == {"trained": 19_988_480, "frozen": 6_738_415_616}


def test_what_does_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["estimate", "-f", write(tmp_path, stage="stage: 2")])
    printed = capsys.readouterr().out
    assert status == ExitStatus.BAD_INPUT
    assert printed.startswith("ads  does not fit\n")
    assert "for every 1,000,000 tokens" in printed
    assert "What would fit: training.deepspeed.stage auto or 3" in printed


@pytest.mark.parametrize(("output", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str, read: object) -> None:
    assert main(["estimate", "-f", write(tmp_path), "-o", output]) == ExitStatus.SUCCESS
    assert callable(read)
    (estimate,) = read(capsys.readouterr().out)
    assert (estimate["name"], estimate["fits"], estimate["gpus"]) == ("ads", True, 32)
    assert estimate["layout"]["zeroStage"] == 3
    assert round(estimate["layout"]["memory"]["modelStates"] / 1e9, 1) == 18.3
    assert [stage["practicalGpus"] for stage in estimate["stages"]] == [None, 128, 16]


def test_the_model_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text(json.dumps(SMALL))
    assert main(["estimate", "-f", write(tmp_path, uri="file://.")]) == ExitStatus.SUCCESS
    assert "in 3 layers of 64" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        pytest.param(["--model-config", "config.json"], 205_760, id="configuration"),
        pytest.param(["--model-config", "config.json", "--parameters", "7e6"], 7_000_000, id="both"),
        pytest.param(["--parameters", "7e9"], 7_000_000_000, id="a number"),
    ],
)
def test_a_model_that_is_elsewhere(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    parameters: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(SMALL))
    arguments = ["estimate", "-f", write(tmp_path, uri="hf://org/unheard-of"), *options, "-o", "json"]
    assert main(arguments) == ExitStatus.SUCCESS
    assert json.loads(capsys.readouterr().out)[0]["shape"]["parameters"] == parameters


@pytest.mark.parametrize(
    ("uri", "options", "message"),
    [
        pytest.param(
            "hf://org/unheard-of",
            [],
            "manifest.yaml:5: spec.model.uri: the shape of hf://org/unheard-of is not known here: give its "
            "config.json with --model-config, from https://huggingface.co/org/unheard-of/blob/main/config.json",
            id="unknown model",
        ),
        pytest.param("pvc://models/7b", [], "the shape of pvc://models/7b is not known here", id="claim"),
        pytest.param("file://./nowhere", [], "nowhere/config.json cannot be read: No such", id="no folder"),
        pytest.param(
            "hf://org/x",
            ["--model-config", "odd.json"],
            "odd.json: the parameters of model type 'mamba' are not counted here",
            id="model type",
        ),
        pytest.param(
            "hf://org/x", ["--model-config", "broken.json"], "broken.json: not valid JSON", id="no JSON"
        ),
    ],
)
def test_what_is_missing_is_told(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    uri: str,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.json").write_text(json.dumps(SMALL | {"model_type": "mamba"}))
    (tmp_path / "broken.json").write_text("{")
    assert main(["estimate", "-f", write(tmp_path, uri=uri), *options]) == ExitStatus.BAD_INPUT
    assert message in capsys.readouterr().err


def test_only_a_training_is_sized(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "eval.yaml"
    path.write_text(
        "apiVersion: blendtune.io/v1alpha1\nkind: RubricEval\nmetadata: {name: ads}\n"
        "spec: {model: {uri: pvc://models/x}, storage: {persistentVolumeClaim: work}}\n"
    )
    assert main(["estimate", "-f", str(path)]) == ExitStatus.BAD_INPUT
    assert "there is nothing to train" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--tokens", "0"], ["--mfu", "1.5"], ["--parameters", "many"]])
def test_numbers_are_checked(tmp_path: Path, options: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["estimate", "-f", write(tmp_path), *options])
    assert ended.value.code == ExitStatus.BAD_INPUT


@pytest.mark.parametrize(
    ("rehearsal", "options", "told"),
    [
        ("", ["--tokens", "1e6"], "rehearsal  1,000,000 tokens, the base model writes 250,000"),
        ("", [], "rehearsal  for every 1,000,000 tokens, the base model writes 250,000"),
        (", maxEpochs: 4", ["--tokens", "1e6"], "the base model writes 125,000"),
        (", selfRehearsal: {tokens: 9000}", ["--tokens", "1e6"], "the base model writes 9,000"),
    ],
)
def test_what_the_base_model_writes(
    rehearsal: str, options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = f"\n    - {{name: known, role: general, uri: 'self://', weight: 1{rehearsal}}}\n  training:"
    path = tmp_path / "manifest.yaml"
    path.write_text(MANIFEST.replace("\n  training:", known))
    assert main(["estimate", "-f", str(path), *options]) == ExitStatus.SUCCESS
    assert told in capsys.readouterr().out


def test_models_between_base_and_tuned_cost_the_time_of_their_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "manifest.yaml"
    gates = "gates: [{metric: general, maxDrop: 0.1}]"
    path.write_text(f"{MANIFEST}  evaluation: {{interpolation: {{weights: [0.5, 0.7]}}, {gates}}}\n")
    assert main(["estimate", "-f", str(path), "--tokens", "1e6"]) == ExitStatus.SUCCESS
    assert "evaluation 4 models are asked instead of 2" in capsys.readouterr().out


def test_kernels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = write(tmp_path, stage="stage: auto}\n    kernels: liger\n    lora: {rank: 8")
    config = tmp_path / "config.json"
    config.write_text(json.dumps(SMALL))
    known = ["--model-config", str(config), "--parameters", "1000000"]
    assert main(["estimate", "-f", manifest, *known]) == ExitStatus.SUCCESS
    assert "varlen, liger" in capsys.readouterr().out
    config.write_text(json.dumps(SMALL | {"model_type": "gpt_neox"}))
    assert main(["estimate", "-f", manifest, *known]) == ExitStatus.BAD_INPUT
    assert "training.kernels: liger computes gemma, llama" in capsys.readouterr().err
