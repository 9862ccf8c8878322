"""The `rehearse` command: the base model writes the rows of the sources self://, as many as are needed."""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from transformers.utils import logging as transformers_logging

from blendtune_api.contract import Env, RehearseResult, Workspace, weights_digest
from blendtune_api.v1alpha1 import RejectedBecause, Source, Stage, Thinking
from blendtune_runtime.chat.conversation import Conversation
from blendtune_runtime.chat.open_turn import open_user_turn
from blendtune_runtime.chat.tokenizer import load_tokenizer
from blendtune_runtime.errors import BadModel, Preempted
from blendtune_runtime.program import run_program
from blendtune_runtime.workspace_lock import hold, hold_when_free
from blendtune_trainer.blending.assemble import blend_source, split
from blendtune_trainer.blending.blend import BlendBudget, BlendSource
from blendtune_trainer.model.base_model import fetch_base_model
from blendtune_trainer.model.memory import sizing_setup
from blendtune_trainer.preflight.trainable import require_fit, require_trainable
from blendtune_trainer.ranks.signals import STOP_SIGNALS
from blendtune_trainer.record.progress import ProgressBoard, serving
from blendtune_trainer.rehearsing.batches import Batches, batches_folder
from blendtune_trainer.rehearsing.filters import AskedQuestions, RowFilter
from blendtune_trainer.rehearsing.model import device, load_writer, within_gpu_memory
from blendtune_trainer.rehearsing.needed import is_enough, units_to_write
from blendtune_trainer.rehearsing.progress import RehearsalProgress
from blendtune_trainer.rehearsing.questions import read_questions
from blendtune_trainer.rehearsing.source import SelfSource
from blendtune_trainer.rehearsing.writer import Manner, Questions, Writer
from blendtune_trainer.rows.contamination import PromptSearch, load_prompts
from blendtune_trainer.rows.faults import RowFault
from blendtune_trainer.sources import encode_sources, row_encoder
from blendtune_trainer.stage import Run, load_run, save_result
from blendtune_trainer.tokens.chat import ChatEncoder, Examples
from blendtune_trainer.tokens.thinking import Mode, resolved, with_thinking
from blendtune_trainer.tokens.token_cache import TokenCache
from blendtune_trainer.tokens.token_files import TOKENS_FOLDER, TokenFiles

_BATCH_ROWS = {"cpu": 32, "cuda": 64}  # a batch is lost if the pod ends while it is written


def main() -> int:
    """Rehearses for the run that the environment names; returns the exit code."""
    transformers_logging.disable_progress_bar()
    board = ProgressBoard()
    with ExitStack() as stack:
        if port := os.environ.get(Env.METRICS_PORT):
            stack.enter_context(serving(board, int(port)))
        return run_program(lambda: _until_told_to_stop(board))


def _until_told_to_stop(board: ProgressBoard) -> RehearseResult:
    with _stoppable():
        return rehearse(load_run(os.environ), RehearsalProgress(board))


def rehearse(run: Run, progress: RehearsalProgress, batch_rows: int | None = None) -> RehearseResult:
    """Writes the rows of each source self:// into the workspace. Batches that are there are not made again.

    `batch_rows` is the size of a batch, by default as suits the device. Raises BadData for the rows of the
    other sources, or if hardly any row could be kept; BadModel for a model that cannot ask itself, BadRubric
    for the rubric, OutOfMemory, WorkspaceInUse, and Transient if a store or the hub does not answer.
    """
    with hold(run.workspace, run.config.uid, run.config.digest):
        return _rehearse(run, progress, batch_rows or _BATCH_ROWS[device().type])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Known:
    """What one reading of the other sources found."""

    chat: ChatEncoder
    sources: dict[int, BlendSource]  # by their place in the spec
    asked: Collection[int]  # keys of their questions
    thinking: bool  # whether answers begin with thoughts


def _rehearse(run: Run, progress: RehearsalProgress, batch_rows: int) -> RehearseResult:
    spec = run.config.spec
    base = fetch_base_model(spec.model, run.claims, run.shared, run.config.uid)
    _require_asking(run, base)
    tokenizer = load_tokenizer(base, spec.model.chat_template)
    require_fit(sizing_setup(spec, base, run.config.gpu))  # before anything is written for a training
    require_trainable(spec, base, tokenizer)
    known = with_thinking(spec.model.thinking, lambda mode: _read(run, tokenizer, mode))
    encode = partial(_encoded, known.chat, spec.training.sequence_length)
    rows = RowFilter(PromptSearch(load_prompts(run.workspace.rubric)), known.asked, encode)
    writers = {
        index: _writer(run, source, index, base, tokenizer, known, batch_rows)
        for index, source in enumerate(spec.blend.sources)
        if source.is_self
    }
    weights = weights_digest(base)
    folders = {
        index: batches_folder(run.shared.rehearsals, writer.digest(weights))
        for index, writer in writers.items()
    }
    sources = [
        SelfSource(spec.blend.sources[index], index, spec.blend, writer, Batches(folders[index]), rows)
        for index, writer in writers.items()
    ]
    with ExitStack() as stack:
        for folder in sorted(folders.values()):  # in one order, or two runs could wait for each other
            lock = Workspace(folder.with_suffix(".lock"))
            stack.enter_context(hold_when_free(lock, run.config.uid, folder.name))
        stack.enter_context(within_gpu_memory())
        _write_all(run, sources, known.sources, progress)
    told = tuple(source.save(run.workspace.rehearsed(source.source.name)) for source in sources)
    result = RehearseResult(config_digest=run.config.digest, sources=told)
    save_result(run, Stage.REHEARSE, result)
    return result


def _write_all(
    run: Run,
    sources: Sequence[SelfSource],
    known: dict[int, BlendSource],
    progress: RehearsalProgress,
) -> None:
    """Lets the model write batches of each source in turn until every source has enough."""
    budget = BlendBudget(
        epochs=run.config.spec.blend.budget.epochs, tokens=run.config.spec.blend.budget.tokens
    )
    short = list(sources)
    while short:
        for source in short:
            source.write_next(lambda: progress.begin(_units(sources)))
        blend = _for_blend(sources, known)
        wanted = {source.index: _wanted(source, blend, budget) for source in sources}
        progress.report(
            sum(min(_have(source, blend), wanted[source.index]) for source in sources), sum(wanted.values())
        )
        short = [source for source in sources if not _has_enough(source, blend, budget)]


def _for_blend(sources: Sequence[SelfSource], known: dict[int, BlendSource]) -> list[BlendSource]:
    """All sources in the order of the spec."""
    everything = known | {source.index: source.for_blend() for source in sources}
    return [everything[index] for index in sorted(everything)]


def _has_enough(source: SelfSource, blend: Sequence[BlendSource], budget: BlendBudget) -> bool:
    asked = source.source.rehearsal.asked_tokens
    return is_enough(source.index, blend, budget) if asked is None else source.tokens >= asked


def _wanted(source: SelfSource, blend: Sequence[BlendSource], budget: BlendBudget) -> float:
    """In tokens if the spec asks for so many, else in the unit of the blend."""
    asked = source.source.rehearsal.asked_tokens
    return units_to_write(source.index, blend, budget) if asked is None else float(asked)


def _have(source: SelfSource, blend: Sequence[BlendSource]) -> float:
    asked = source.source.rehearsal.asked_tokens
    return float(blend[source.index].units if asked is None else source.tokens)


def _units(sources: Sequence[SelfSource]) -> float:
    return float(
        sum(
            source.for_blend().units if source.source.rehearsal.asked_tokens is None else source.tokens
            for source in sources
        )
    )


def _read(run: Run, tokenizer: Any, mode: Mode) -> _Known:
    """Reads and encodes the other sources, as the blend will. Raises ReasoningMet if the mode asks for it."""
    spec = run.config.spec
    asked = AskedQuestions()
    with row_encoder(run, tokenizer, TokenCache(run.shared.tokens), mode) as encoder:
        thinking = resolved(spec.model.thinking, mode, encoder.chat.renderer)
        with TokenFiles(run.workspace.root / TOKENS_FOLDER) as tokens:
            encoded = encode_sources(run, encoder, tokens, asked, with_self=False)
    places = [index for index, source in enumerate(spec.blend.sources) if not source.is_self]
    parts = split(encoded.sources, spec.blend.validation.resolved_fraction, encoded.validation)
    sources = {
        index: blend_source(part, spec.blend, index) for index, part in zip(places, parts, strict=True)
    }
    return _Known(chat=encoder.chat, sources=sources, asked=asked.keys, thinking=thinking is Thinking.ON)


def _writer(
    run: Run, source: Source, index: int, base: Path, tokenizer: Any, known: _Known, batch_rows: int
) -> Writer:
    spec, rehearsal, renderer = run.config.spec, source.rehearsal, known.chat.renderer
    if rehearsal.prompts is None:
        turn = open_user_turn(renderer, tokenizer.bos_token or "")
        questions = Questions(turn=turn)
    else:
        field = f"spec.blend.sources[{index}].selfRehearsal.prompts"
        asked = read_questions(rehearsal.prompts, run.claims, field, spec.blend.seed)
        questions = Questions(asked=asked)
    manner = Manner(
        source=source.name,
        seed=spec.blend.seed,
        temperature=rehearsal.resolved_temperature,
        max_new_tokens=rehearsal.resolved_max_new_tokens(known.thinking),
        context=spec.training.sequence_length,
        batch_rows=batch_rows,
    )
    load = partial(load_writer, base, spec.training.precision)
    return Writer(load, tokenizer, renderer, questions, manner)


def _encoded(
    chat: ChatEncoder, sequence_length: int, conversation: Conversation
) -> Examples | RejectedBecause:
    (encoded,) = chat.encode([conversation])
    if isinstance(encoded, RowFault):
        return RejectedBecause.UNRENDERABLE
    longest = max(len(example.input_ids) for example in encoded)
    return RejectedBecause.TOO_LONG if longest > sequence_length else encoded


def _require_asking(run: Run, base: Path) -> None:
    """Raises BadModel for a base model that is to ask itself: it has never seen a question asked."""
    if all(source.rehearsal.prompts for source in run.config.spec.blend.self_sources):
        return
    if not load_tokenizer(base, None).chat_template:
        raise BadModel(
            "spec.model: the tokenizer has no chat template of its own, so this is a base model: it was not "
            "taught to hold a chat, and cannot ask itself. Take an instruct model, give questions in "
            "selfRehearsal.prompts.uri, or bring general data"
        )


@contextmanager
def _stoppable() -> Iterator[None]:
    """Within the block a stop signal raises Preempted. Whole batches are kept, others are not there."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Preempted("told to stop; the batches written so far are kept, and the next attempt goes on")

    previous = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
