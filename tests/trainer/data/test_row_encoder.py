"""Encoding of rows: the same in any number of processes, and cached for the same content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from tests.tiny_model import CHATML, CHATML_WITH_MARKERS, build_tokenizer

from blendtune_api.v1alpha1 import OverLength
from blendtune_runtime.chat.conversation import ChatRole, Conversation, Message, of_texts
from blendtune_runtime.errors import BadData
from blendtune_trainer.rows.collect import Row
from blendtune_trainer.rows.faults import SourceFaults
from blendtune_trainer.tokens import chunks, row_encoder
from blendtune_trainer.tokens.examples import Examples, encode_rows
from blendtune_trainer.tokens.row_encoder import RowEncoder, encode_chunk
from blendtune_trainer.tokens.token_cache import EncodedChunk, TokenCache
from blendtune_trainer.tokens.token_files import TokenFiles

SEQUENCE_LENGTH = 128


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 10)
    monkeypatch.setattr(row_encoder, "_CHUNKS_BEFORE_POOL", 2)


@pytest.fixture
def encodings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of rows of each chunk that is encoded in this process."""
    sizes: list[int] = []

    def counted(encoder: Any, sequence_length: int, conversations: Any) -> EncodedChunk:
        sizes.append(len(conversations))
        return encode_chunk(encoder, sequence_length, conversations)

    monkeypatch.setattr(row_encoder, "encode_chunk", counted)
    return sizes


class Encoded(NamedTuple):
    """The examples of rows, and their tokens."""

    examples: Examples
    input_ids: np.ndarray
    supervised: np.ndarray


def row(number: int, answer: str | None = None) -> Row:
    turns = [(ChatRole.USER, f"Question {number}?"), (ChatRole.ASSISTANT, answer or f"Answer {number}.")]
    return Row(place=f"ads.jsonl:{number}", conversation=of_texts(turns))


def rows(count: int = 95) -> list[Row]:
    """With one row that is too long."""
    return [row(number, "long " * 50 if number == 33 else None) for number in range(count)]


def encode(
    given: Any,
    folder: Path,
    *,
    processes: int = 1,
    template: str = CHATML,
    over_length: OverLength = OverLength.DROP,
    faults: SourceFaults | None = None,
) -> Encoded:
    with (
        RowEncoder(build_tokenizer(template), SEQUENCE_LENGTH, TokenCache(folder), processes) as encoder,
        TokenFiles(folder / "tokens") as tokens,
    ):
        examples = encode_rows(
            given, encoder, tokens, over_length=over_length, seed=7, faults=faults or SourceFaults()
        )
        return Encoded(examples, *map(np.array, tokens.arrays()))


def same(one: Encoded, other: Encoded) -> bool:
    mine, theirs = (
        (*each[1:], each.examples.offsets, each.examples.supervised_tokens, each.examples.keys)
        for each in (one, other)
    )
    return all(map(np.array_equal, mine, theirs)) and (
        (one.examples.rows, one.examples.dropped, one.examples.digest)
        == (other.examples.rows, other.examples.dropped, other.examples.digest)
    )


def test_processes_change_nothing(tmp_path: Path) -> None:
    alone = encode(rows(), tmp_path / "one")
    together = encode(rows(), tmp_path / "two", processes=2)
    examples = alone.examples
    assert (examples.rows, examples.dropped, len(examples)) == (95, 1, 94)
    assert examples.supervised_tokens.sum() == alone.supervised.sum() > 0
    assert same(alone, together)


def test_what_is_in_the_cache_is_not_encoded_again(tmp_path: Path, encodings: list[int]) -> None:
    first = encode(rows(), tmp_path)
    assert encodings == [10] * 9 + [5]
    assert same(first, encode(rows(), tmp_path))
    assert len(encodings) == 10


def test_an_interrupted_source_goes_on_behind_its_last_chunk(tmp_path: Path, encodings: list[int]) -> None:
    def cut_off() -> Iterator[Row]:
        yield from rows()[:62]
        raise ConnectionError

    with pytest.raises(ConnectionError):
        encode(cut_off(), tmp_path)
    assert encodings == [10] * 6
    assert same(encode(rows(), tmp_path), encode(rows(), tmp_path / "another"))
    assert encodings[6:] == [10] * 3 + [5] + [10] * 9 + [5]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda file: file.write_bytes(file.read_bytes()[:100]), id="cut short"),
        pytest.param(lambda file: file.write_bytes(b""), id="empty"),
        pytest.param(lambda file: file.write_text("{}"), id="another format"),
    ],
)
def test_a_damaged_file_is_made_again(tmp_path: Path, encodings: list[int], damage: Any) -> None:
    first = encode(rows(), tmp_path)
    damage(next(tmp_path.glob("*.npz")))
    assert same(first, encode(rows(), tmp_path))
    assert len(encodings) == 11


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda given: [row(0, "Another answer."), *given[1:]], id="a row"),
        pytest.param(lambda given: given[1:], id="all chunks move by a row"),
    ],
)
def test_other_rows_are_encoded(tmp_path: Path, encodings: list[int], change: Any) -> None:
    encode(rows(), tmp_path)
    changed = change(rows())
    assert same(encode(changed, tmp_path), encode(changed, tmp_path / "fresh"))
    assert len(encodings) > 20


def test_another_template_is_another_encoding(tmp_path: Path, encodings: list[int]) -> None:
    encode(rows(), tmp_path)
    encode(rows(), tmp_path, template=CHATML_WITH_MARKERS)
    assert len(encodings) == 20


def test_faults_and_lengths_are_told_again_from_the_cache(tmp_path: Path) -> None:
    twice = []
    for _ in range(2):
        faults = SourceFaults()
        half = Message(role=ChatRole.USER, content="\ud800")
        bad = replace(row(3), conversation=Conversation(messages=(*row(3).conversation.messages, half)))
        encode([*rows(40), bad], tmp_path, over_length=OverLength.ERROR, faults=faults)
        with pytest.raises(BadData) as raised:
            faults.faults.check()
        twice.append(str(raised.value))
    assert twice[0] == twice[1]
    assert "ads.jsonl:33: 2" in twice[0]
    assert "ads.jsonl:3: the text holds half of a surrogate pair" in twice[0]


def test_pruning_leaves_what_was_used(tmp_path: Path, encodings: list[int]) -> None:
    encode(rows(), tmp_path)
    cache = TokenCache(tmp_path)
    with (
        RowEncoder(build_tokenizer(CHATML), SEQUENCE_LENGTH, cache, 1) as encoder,
        TokenFiles(tmp_path / "tokens") as tokens,
    ):
        encode_rows(rows(30), encoder, tokens, over_length=OverLength.DROP, seed=7, faults=SourceFaults())
    assert (cache.hits, len(encodings)) == (3, 10)
    cache.prune()
    assert len(list(tmp_path.iterdir())) == 3
