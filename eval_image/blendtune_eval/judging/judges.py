"""The judge that a spec names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from blendtune_api.contract import Env, EvalConfig
from blendtune_api.v1alpha1 import JudgeKind, OpenAIJudge, RubricEvalSpec
from blendtune_core.judging import is_same_model
from blendtune_eval.judging.cascade import Cascade
from blendtune_eval.judging.judge import Judge, Rules
from blendtune_eval.judging.openai_judge import OpenAI
from blendtune_runtime.errors import BadConfiguration


def judge_for(config: EvalConfig, environment: Mapping[str, str], folder: Path) -> Judge:
    """The judge of a run. It keeps its judgements in `folder`.

    Raises BadConfiguration where it is one of the judged models, or its URL or its key cannot be used.
    """
    spec = config.spec.judge.open_ai
    if spec is None:
        return Rules()
    _refuse_the_judged(spec, config.spec)
    _check_url(spec.url)
    model = OpenAI(spec, _key(spec, environment), folder, config.uid)
    return Cascade(Rules(), model) if config.spec.judge.kind is JudgeKind.CASCADE else model


def _refuse_the_judged(judge: OpenAIJudge, spec: RubricEvalSpec) -> None:
    for field, model in (("spec.model", spec.model), ("spec.baseline.model", spec.baseline.model)):
        if model is not None and is_same_model(judge.model, model.uri):
            raise BadConfiguration(
                f"spec.judge.openAI.model: {judge.model} is {field}.uri by its name, and no model judges "
                "itself: name another"
            )


def _check_url(url: str) -> None:
    try:
        _ = httpx2.URL(url), urlsplit(url).port  # each finds faults that the other misses
    except (httpx2.InvalidURL, ValueError) as error:
        raise BadConfiguration(f"spec.judge.openAI.url: {url} is no URL: {error}") from error


def _key(spec: OpenAIJudge, environment: Mapping[str, str]) -> str:
    secret = spec.api_key_secret_ref
    if secret is None:
        return ""
    key = environment.get(Env.JUDGE_API_KEY, "").strip()
    where = f"spec.judge.openAI.apiKeySecretRef: key {secret.key} of Secret {secret.name}"
    if not key:
        raise BadConfiguration(f"{where} is empty: {Env.JUDGE_API_KEY} holds nothing")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise BadConfiguration(f"{where} is no API key: it holds other characters than a header may")
    return key
