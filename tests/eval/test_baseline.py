"""How the baseline is asked, and when it is not compared."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path

import pytest
from tests.eval.conftest import CHAT_TEMPLATE, GATES, Pod, report_of, workspace_folder
from transformers import PreTrainedTokenizerFast

from blendtune_api.v1alpha1 import (
    ChatTemplate,
    EvaluatedModel,
    RubricEvalBaseline,
)
from blendtune_eval.evaluate import evaluate

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_system_prompt_goes_to_the_baseline_only(pod: Pod, models_folder: Path) -> None:
    base = EvaluatedModel(uri=f"file://{models_folder / 'base'}")
    environment = pod(baseline=RubricEvalBaseline(model=base, system_prompt="Be brief."))
    evaluate(environment)
    report = json.loads((workspace_folder(environment) / "eval" / "report.json").read_text())
    assert [respondent["systemPrompt"] for respondent in report["respondents"]] == ["", "Be brief."]


def test_the_baseline_is_asked_again_with_another_template(pod: Pod, models_folder: Path) -> None:
    uri = f"file://{models_folder / 'base'}"
    reports = []
    for template in (None, ChatTemplate.VICUNA, ChatTemplate.VICUNA):
        model = EvaluatedModel(uri=uri, chat_template=template)
        environment = pod(baseline=RubricEvalBaseline(model=model))
        evaluate(environment)
        reports.append((workspace_folder(environment) / "eval" / "report.json").read_text())
    own, named, again = reports
    assert own != named
    assert named == again


def test_a_base_model_without_a_template_gets_the_models(
    pod: Pod, tmp_path: Path, models_folder: Path
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for file in (models_folder / "base").iterdir():
        if file.name != "chat_template.jinja":
            (bare / file.name).write_bytes(file.read_bytes())
    environment = pod(baseline=RubricEvalBaseline(model=EvaluatedModel(uri=f"file://{bare}")))
    result = evaluate(environment)
    assert result.overall.baseline_score is not None


def test_a_baseline_that_is_asked_differently_is_not_compared(
    pod: Pod, tmp_path: Path, models_folder: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    other = tmp_path / "other"
    shutil.copytree(models_folder / "base", other)
    own = copy.deepcopy(tokenizer)
    own.add_tokens(["<another>"])
    own.chat_template = f"{CHAT_TEMPLATE} "
    own.save_pretrained(other)
    environment = pod(
        baseline=RubricEvalBaseline(model=EvaluatedModel(uri=f"file://{other}")), gates=GATES[:1]
    )
    result = evaluate(environment)
    assert "differ in chat template" in result.not_compared
    assert (result.verdict, result.overall.delta, result.overall.p_value) == (None, None, None)
    assert result.overall.baseline_score is not None
    assert report_of(environment)["gates"][0]["message"] == result.not_compared
    assert result.not_compared in (workspace_folder(environment) / "eval" / "report.html").read_text()
