"""The models that are asked, each with the questions as it sees them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from blendtune_api.contract import EvalConfig
from blendtune_api.v1alpha1 import ChatTemplate, Engine, EvaluatedModel, RubricEvalSpec
from blendtune_eval.answering.answer import device_precision
from blendtune_eval.answering.checkpoints import Checkpoint, open_checkpoint
from blendtune_eval.answering.decoding import Decoding
from blendtune_eval.answering.prompts import ChatPrompts, Prompt
from blendtune_eval.rubric import Rubric


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A model about to be asked, with its questions as it sees them."""

    label: str
    checkpoint: Checkpoint
    chat: ChatPrompts
    prompts: tuple[Prompt, ...]  # question by question, its wordings in order
    decoding: Decoding
    system_prompt: str = ""


def open_subjects(
    config: EvalConfig, claims: Path, downloads: Path, rubric: Rubric, *, trained: bool
) -> list[Subject]:
    """The model and, where there is one, its baseline.

    A baseline with the same vocabulary gets the model's template and stop tokens, so that both see the very
    same prompts, unless the spec names another template for it. One with another vocabulary gets the template
    named for it, else its own, else the model's.
    """
    spec = config.spec
    labels = ("tuned", "base") if trained else ("model", "baseline")
    checkpoint = open_checkpoint(spec.model, "spec.model", claims, downloads)
    chat = ChatPrompts(checkpoint.folder, "spec.model", spec.model.chat_template)
    subjects = [_subject(labels[0], checkpoint, chat, rubric, spec)]
    if spec.baseline.model is not None:
        base = open_checkpoint(spec.baseline.model, "spec.baseline.model", claims, downloads)
        subjects.append(
            _subject(
                labels[1],
                base,
                _baseline_chat(chat, base, spec.baseline.model.chat_template),
                rubric,
                spec,
                spec.baseline.system_prompt,
            )
        )
    return subjects


def open_epochs(
    config: EvalConfig, claims: Path, downloads: Path, rubric: Rubric, chat: ChatPrompts
) -> list[Subject]:
    """The model after earlier epochs, in the spec's order; each sees the very prompts of the model itself."""
    subjects = []
    for index, earlier in enumerate(config.spec.epochs):
        model = EvaluatedModel(uri=earlier.uri, digest=earlier.digest)
        checkpoint = open_checkpoint(model, f"spec.epochs[{index}]", claims, downloads)
        subjects.append(_subject(f"epoch {earlier.epoch}", checkpoint, chat, rubric, config.spec))
    return subjects


def _baseline_chat(chat: ChatPrompts, base: Checkpoint, named: ChatTemplate | None) -> ChatPrompts:
    own = ChatPrompts(base.folder, "spec.baseline.model", named, fallback_template=chat.template)
    another_is_named = named is not None and own.template != chat.template
    return own if another_is_named or not chat.shares_vocabulary(own) else chat


def _subject(
    label: str,
    checkpoint: Checkpoint,
    chat: ChatPrompts,
    rubric: Rubric,
    spec: RubricEvalSpec,
    system: str = "",
) -> Subject:
    return Subject(
        label=label,
        checkpoint=checkpoint,
        chat=chat,
        prompts=tuple(
            chat.render(text, system) for question in rubric.questions for text in question.wordings
        ),
        decoding=Decoding(
            template=chat.template,
            stop_token_ids=chat.stop_token_ids(),
            max_new_tokens=spec.sampling.max_new_tokens,
            temperature=spec.sampling.temperature,
            precision=_precision(spec),
            engine=spec.engine,
        ),
        system_prompt=system,
    )


def _precision(spec: RubricEvalSpec) -> str:
    if spec.engine is Engine.VLLM:
        return "bfloat16"
    _, precision = device_precision(spec.cluster.gpus)
    return str(precision).removeprefix("torch.")
