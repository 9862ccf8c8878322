"""The questions of a data set: the first one of each row, each once, in a seeded order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from blendtune_api.v1alpha1 import Columns, RehearsalPrompts
from blendtune_runtime.chat.conversation import ChatRole, Conversation
from blendtune_runtime.errors import BadData
from blendtune_runtime.uris import data_location
from blendtune_trainer.rows.collect import RowSource, values_of
from blendtune_trainer.rows.conversations import RowReader
from blendtune_trainer.rows.faults import RowFault, SourceFaults
from blendtune_trainer.rows.layouts import with_an_answer
from blendtune_trainer.rows.notes import Notes


def read_questions(prompts: RehearsalPrompts, claims: Path, field: str, seed: int) -> tuple[str, ...]:
    """The questions at `prompts.uri`, which the spec has at `field`. Rows without a question are left out.

    Raises BadData if there is none, or if a file cannot be read; Transient and BadConfiguration as the rows
    of a source do.
    """
    location = data_location(prompts.uri, claims, f"{field}.uri", split=prompts.split, config=prompts.config)
    faults = SourceFaults(source=field)
    source = RowSource(location=location, field=field, columns=prompts.columns)
    found = dict.fromkeys(_questions(source, faults))
    faults.faults.check()
    if not found:
        raise BadData(f"{field}.uri: {prompts.uri} holds no row with a question")
    return tuple(sorted(found, key=lambda question: _key(question, seed)))


def _questions(source: RowSource, faults: SourceFaults) -> Iterator[str]:
    notes = Notes()
    reader = RowReader(source.columns, notes)
    for each in values_of(source, faults, notes):
        try:
            conversation = reader.read(_answered(each.value, source.columns))
        except RowFault:
            continue
        question = _first_question(conversation)
        if question and _is_unicode(question):
            yield question


def _answered(row: object, columns: Columns | None) -> object:
    return with_an_answer(row, columns) if isinstance(row, Mapping) else row


def _first_question(conversation: Conversation) -> str:
    for message in conversation.messages:
        if message.role is ChatRole.USER:
            return message.content.strip()
    return ""


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _key(question: str, seed: int) -> bytes:
    content = question.encode()
    return hashlib.blake2b(content, digest_size=16, key=seed.to_bytes(8, "big")).digest()
