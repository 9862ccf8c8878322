"""Counts the calls for which a host would wait for its GPU: those whose result depends on what is on it.

On a CPU nothing waits, but the calls are the same: a number, a truth value or a list made of a tensor, and
results whose size depends on a tensor's content.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from tests.trainer.training.ranks import RANK_SERVER
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from blendtune_api.contract import Env

_READS = frozenset(
    {
        "_local_scalar_dense",  # item(), float(), int(), bool()
        "nonzero",
        "masked_select",
        "equal",
        "is_nonzero",
        "unique_consecutive",
        "_unique2",
        "bincount",
    }
)
_READING_METHODS = (Tensor.tolist, Tensor.numpy, Tensor.cpu)  # not operators of their own on a CPU
_INDEXING = ("index", "index_put", "index_put_")


class Reads(TorchDispatchMode):
    """While it is entered, notes where each such call comes from."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        name = func.overloadpacket.__name__
        if name in _READS or (name in _INDEXING and any(map(_is_mask, args[1]))):
            self.note(name)
        return func(*args, **(kwargs or {}))

    def note(self, name: str) -> None:
        self.places.append(f"{name} of {_caller()}")


class _Methods(TorchFunctionMode):
    def __init__(self, reads: Reads) -> None:
        super().__init__()
        self._reads = reads

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in _READING_METHODS:
            self._reads.note(func.__name__)
        return func(*args, **(kwargs or {}))


@contextmanager
def counting() -> Iterator[list[str]]:
    """The places of the calls made in the block, in their order."""
    reads = Reads()
    with reads, _Methods(reads):
        yield reads.places


def start_counted_rank(environment: Mapping[str, str], places: Path) -> BaseProcess:
    """Trains as a rank does, and writes the places of each step's calls to `places`, as lists by step."""
    process = RANK_SERVER.Process(target=_run_counted_rank, args=(dict(environment), str(places)))
    process.start()
    return process


def _run_counted_rank(environment: dict[str, str], places: str) -> None:
    os.environ.update(environment)
    from blendtune_trainer import train
    from blendtune_trainer.training.loop import TrainingLoop

    take_step = TrainingLoop._take_step
    steps: list[list[str]] = []

    def take_step_counted(loop: TrainingLoop, step: int) -> tuple[bool, bool]:
        with counting() as found:
            taken = take_step(loop, step)
        steps.append(found)
        Path(places).write_text(json.dumps(steps))
        return taken

    TrainingLoop._take_step = take_step_counted  # type: ignore[method-assign]
    log = os.open(environment[Env.TERMINATION_LOG] + ".log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.exit(train.main())


def _is_mask(index: Any) -> bool:
    return isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8)


def _caller() -> str:
    """The innermost frame that is neither of torch nor of this file, as package/file:function."""
    for frame in reversed(traceback.extract_stack()):
        path = Path(frame.filename)
        if "torch" not in path.parts and path != Path(__file__):
            return f"{'/'.join(path.parts[-3:])}:{frame.name}:{frame.lineno}"
    return "?"
