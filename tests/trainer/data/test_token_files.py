"""The files that the tokens of a run are written to, chunk by chunk."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from blendtune_trainer.tokens.token_files import TokenFiles, blocks

CHUNKS = [
    (np.arange(5, dtype=np.int32), np.array([False, True, True, False, True])),
    (np.arange(0, dtype=np.int32), np.zeros(0, np.bool_)),
    (np.arange(10**6, dtype=np.int32), np.arange(10**6) % 3 == 0),
]


def as_numpy_writes(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_the_files_are_those_of_numpy(tmp_path: Path) -> None:
    with TokenFiles(tmp_path / "tokens") as tokens:
        tokens.append(*CHUNKS[2])
        tokens.clear()
        for chunk in CHUNKS:
            tokens.append(*chunk)
        assert tokens.count == 5 + 10**6
        arrays = tokens.arrays()
        for index, (array, path) in enumerate(zip(arrays, tokens.paths.values(), strict=True)):
            whole = np.concatenate([chunk[index] for chunk in CHUNKS])
            assert path.read_bytes() == as_numpy_writes(whole)
            assert np.array_equal(array, whole)
            assert b"".join(blocks(array)) == b"".join(blocks(whole)) == whole.tobytes()


def test_a_killed_attempts_tokens_are_forgotten_and_none_stay(tmp_path: Path) -> None:
    folder = tmp_path / "tokens"
    folder.mkdir()
    (folder / "input_ids.npy").write_bytes(b"half of a file")
    with pytest.raises(ConnectionError), TokenFiles(folder) as tokens:
        tokens.append(*CHUNKS[0])
        assert np.array_equal(tokens.arrays()[0], CHUNKS[0][0])
        raise ConnectionError
    assert not folder.exists()


def test_files_that_are_moved_stay(tmp_path: Path) -> None:
    with TokenFiles(tmp_path / "tokens") as tokens:
        tokens.append(*CHUNKS[0])
        tokens.arrays()
        tokens.paths["input_ids"].replace(tmp_path / "moved.npy")
    assert np.array_equal(np.load(tmp_path / "moved.npy"), CHUNKS[0][0])
