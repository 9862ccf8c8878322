"""The base model as a writer of rows: it asks itself, or is asked the questions of a data set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch

from blendtune_api.contract import digest_of
from blendtune_api.v1alpha1 import RejectedBecause
from blendtune_runtime.chat.conversation import ChatRole, of_texts
from blendtune_runtime.chat.jinja import TemplateRefusal
from blendtune_runtime.chat.open_turn import OpenTurn, written_answer
from blendtune_runtime.chat.rendering import ChatRenderer
from blendtune_trainer.rehearsing.batches import WrittenRow
from blendtune_trainer.rehearsing.sampling import Continuation, Sampling, continue_prompts

_FORMAT = 1  # raised when the same inputs would give other rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Questions:
    """Where questions come from: `asked` of a data set, in order, or those that the model adds to `turn`.

    Exactly one is set.
    """

    asked: tuple[str, ...] | None = None
    turn: OpenTurn | None = None

    @property
    def digest(self) -> str:
        return digest_of(self.asked if self.asked is not None else [self.turn])


@dataclass(frozen=True, kw_only=True, slots=True)
class Manner:
    """How a model writes the rows of a source."""

    source: str  # name
    seed: int
    temperature: float
    max_new_tokens: int  # of a question, and of an answer
    context: int  # tokens of a row, at most
    batch_rows: int


class Writer:
    """Writes batches of rows. A batch depends on its number alone, not on those before it.

    `load` gives the model, in evaluation mode; it is called for the first batch only.
    """

    def __init__(
        self,
        load: Callable[[], Any],
        tokenizer: Any,
        renderer: ChatRenderer,
        questions: Questions,
        manner: Manner,
    ) -> None:
        self._load = load
        self._tokenizer = tokenizer
        self._renderer = renderer
        self._questions = questions
        self._manner = manner

    def digest(self, weights: str) -> str:
        """The digest of all that decides the rows, with that of the model's weights."""
        tokenizer = hashlib.sha256(self._tokenizer.backend_tokenizer.to_str().encode()).hexdigest()
        return digest_of(
            [_FORMAT, weights, tokenizer, self._renderer.digest, self._manner, self._questions.digest]
        )

    @property
    def batches(self) -> int | None:
        """The number of batches that there are questions for; None for any number."""
        asked = self._questions.asked
        return None if asked is None else -(-len(asked) // self._manner.batch_rows)

    def write(self, number: int) -> list[WrittenRow]:
        """The rows of a batch."""
        generator = torch.Generator(self._model.device).manual_seed(self._seed(number))
        rows = self._asked(number, generator)
        prompts = [self._prompt(row.question) if row.finished and row.question else None for row in rows]
        asked = [prompt for prompt in prompts if isinstance(prompt, list)]
        answers = iter(self._continue(asked, self._stops, generator))
        return [
            self._row(row, next(answers))
            if isinstance(prompt, list)
            else replace(row, fault=prompt or row.fault)
            for row, prompt in zip(rows, prompts, strict=True)
        ]

    @cached_property
    def _model(self) -> Any:
        return self._load()

    @cached_property
    def _stops(self) -> Sampling:
        return Sampling(
            temperature=self._manner.temperature,
            max_new_tokens=self._manner.max_new_tokens,
            context=self._manner.context,
            stop_token_ids=self._renderer.stop_token_ids(),
        )

    def _asked(self, number: int, generator: torch.Generator) -> list[WrittenRow]:
        """The questions of a batch, without answers."""
        rows, asked = self._manner.batch_rows, self._questions.asked
        if asked is not None:
            return [WrittenRow(question=text) for text in asked[number * rows : (number + 1) * rows]]
        turn = self._questions.turn
        assert turn is not None
        opening = self._encoded(turn.prompt)
        sampling = Sampling(
            temperature=self._manner.temperature,
            max_new_tokens=self._manner.max_new_tokens,
            context=self._manner.context,
            stop_token_ids=self._ends_of(turn),
            ends=None if turn.ends_with_token else lambda ids: turn.end in self._text(ids),
        )
        written = self._continue([opening] * rows, sampling, generator)
        return [self._question(each, turn) for each in written]

    def _question(self, written: Continuation, turn: OpenTurn) -> WrittenRow:
        text = self._text(written.token_ids)
        finished = written.finished
        if not turn.ends_with_token and turn.end in text:
            text, finished = text.partition(turn.end)[0], True
        return WrittenRow(question=text.strip(), finished=finished)

    def _row(self, row: WrittenRow, answer: Continuation) -> WrittenRow:
        said = written_answer(self._renderer, self._text(answer.token_ids))
        return WrittenRow(
            question=row.question,
            answer=said.content,
            reasoning=said.reasoning,
            finished=answer.finished,
        )

    def _prompt(self, question: str) -> list[int] | RejectedBecause:
        """The tokens that ask a question, or why it cannot be asked."""
        if self._renderer.control.find(question) is not None:
            return RejectedBecause.UNRENDERABLE
        try:
            prompt = self._encoded(self._renderer.prompt(of_texts([(ChatRole.USER, question)])))
        except TemplateRefusal:
            return RejectedBecause.UNRENDERABLE
        return prompt if len(prompt) < self._manner.context else RejectedBecause.TOO_LONG

    def _continue(
        self, prompts: Sequence[Sequence[int]], sampling: Sampling, generator: torch.Generator
    ) -> list[Continuation]:
        return continue_prompts(self._model, prompts, sampling, generator) if prompts else []

    def _ends_of(self, turn: OpenTurn) -> frozenset[int]:
        ends = self._renderer.stop_token_ids()
        if turn.ends_with_token:
            ends |= {int(self._tokenizer.convert_tokens_to_ids(turn.end))}
        return ends

    def _encoded(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False).input_ids)

    def _text(self, token_ids: Sequence[int]) -> str:
        """The text of tokens, control tokens included: a row that holds one is not to be learnt."""
        return str(self._tokenizer.decode(list(token_ids), skip_special_tokens=False))

    def _seed(self, number: int) -> int:
        key = f"{self._manner.seed}/{self._manner.source}/{number}".encode()
        return int.from_bytes(hashlib.sha256(key).digest()[:8], "big") >> 1
