"""The models that are asked, each with the questions as it sees them."""

from __future__ import annotations

from dataclasses import dataclass

from blendtune_api.contract import EvalConfig
from blendtune_api.v1alpha1 import ChatTemplate, Engine, EvaluatedModel, RubricEvalSpec
from blendtune_eval.answering.answer import device_precision
from blendtune_eval.answering.checkpoints import Checkpoint, Places, open_checkpoint
from blendtune_eval.answering.decoding import Decoding
from blendtune_eval.answering.prompts import ChatPrompts, Prompt
from blendtune_eval.rubric import Rubric
from blendtune_runtime.chat.rendering import PLAIN, Rendering


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Subject:
    """A model about to be asked, with its questions as it sees them."""

    label: str
    checkpoint: Checkpoint
    chat: ChatPrompts
    prompts: tuple[Prompt, ...]  # in the order of `Rubric.wordings`
    decoding: Decoding
    system_prompt: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierEpoch:
    """The model as it was after an earlier epoch of its training."""

    epoch: int
    subject: Subject


@dataclass(frozen=True, kw_only=True, slots=True)
class WeighedModel:
    """A model between the baseline and the tuned one, nearer to that the larger its weight."""

    weight: float
    subject: Subject


def open_model(
    config: EvalConfig, places: Places, rubric: Rubric, *, trained: bool, rendering: Rendering = PLAIN
) -> Subject:
    """The model of the spec. `trained`: it was made by a run of Blendtune.

    Raises what `open_checkpoint` does; BadModel where there is no tokenizer or no chat template;
    BadConfiguration where the template is made for other tokens, or refuses a question.
    """
    spec = config.spec
    checkpoint = open_checkpoint(spec.model, "spec.model", places)
    chat = ChatPrompts(checkpoint.folder, "spec.model", spec.model.chat_template, rendering=rendering)
    return _subject("tuned" if trained else "model", checkpoint, chat, rubric, spec)


def open_baseline(
    config: EvalConfig,
    places: Places,
    rubric: Rubric,
    chat: ChatPrompts,
    *,
    trained: bool,
    rendering: Rendering = PLAIN,
) -> Subject | None:
    """The baseline of the spec, where it names one; `chat` is the model's.

    A baseline with the same vocabulary gets the model's template and stop tokens, so that both see the very
    same prompts, unless the spec names another template for it. One with another vocabulary gets the template
    named for it, else its own, else the model's. Raises what `open_model` does.
    """
    spec = config.spec
    if spec.baseline.model is None:
        return None
    checkpoint = open_checkpoint(spec.baseline.model, "spec.baseline.model", places)
    own = _baseline_chat(chat, checkpoint, rendering, spec.baseline.model.chat_template)
    label = "base" if trained else "baseline"
    return _subject(label, checkpoint, own, rubric, spec, spec.baseline.system_prompt)


def open_epochs(
    config: EvalConfig, places: Places, rubric: Rubric, chat: ChatPrompts
) -> tuple[EarlierEpoch, ...]:
    """The model after earlier epochs, in the spec's order. Each sees the same prompts as the model itself.

    Raises what `open_checkpoint` does.
    """
    epochs = []
    for index, earlier in enumerate(config.spec.epochs):
        model = EvaluatedModel(uri=earlier.uri, digest=earlier.digest)
        checkpoint = open_checkpoint(model, f"spec.epochs[{index}]", places)
        subject = _subject(f"epoch {earlier.epoch}", checkpoint, chat, rubric, config.spec)
        epochs.append(EarlierEpoch(epoch=earlier.epoch, subject=subject))
    return tuple(epochs)


def _baseline_chat(
    chat: ChatPrompts, base: Checkpoint, rendering: Rendering, named: ChatTemplate | None
) -> ChatPrompts:
    own = ChatPrompts(base.folder, "spec.baseline.model", named, chat.template, rendering)
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
        prompts=tuple(chat.render(text, system) for _, text in rubric.wordings),
        decoding=Decoding(
            rendering=chat.digest,
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
