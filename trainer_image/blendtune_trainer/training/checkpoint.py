"""Checkpoints that are complete or absent, and that only the run that saved them can resume from.

A checkpoint is written to `step-N.tmp` with a list of its files and their sizes, renamed to `step-N` when
every rank is done, and only then named by the pointer file. So the pointer names a complete checkpoint
whenever the training is killed. Files that storage loses later are found by the list, and the checkpoint
before is used.
"""

from __future__ import annotations

import json
import os
import shutil
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from blendtune_api.codec import decode, encode
from blendtune_api.contract import RunConfig
from blendtune_runtime.errors import OtherCheckpoint, StorageFull
from blendtune_runtime.files import write_text
from blendtune_trainer.flatten import flatten
from blendtune_trainer.ranks.failures import is_storage_full
from blendtune_trainer.ranks.group import Ranks

POINTER = "latest.json"
CONTENTS = "contents.json"  # in each checkpoint

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """What a checkpoint and the run that resumes from it must have in common."""

    config_digest: str
    blend_digest: str
    settings: Mapping[str, Any]  # model, blend and training of the spec, to say what differs

    @staticmethod
    def of(config: RunConfig, blend_digest: str) -> Identity:
        """The identity of a run."""
        spec = config.spec
        settings = {"model": spec.model, "blend": spec.blend, "training": spec.training}
        return Identity(config_digest=config.digest, blend_digest=blend_digest, settings=encode(settings))


@dataclass(frozen=True, kw_only=True, slots=True)
class Pointer:
    """A complete checkpoint, after `step` optimizer steps on `world_size` ranks at ZeRO `stage`."""

    step: int
    world_size: int
    stage: int
    identity: Identity

    @property
    def tag(self) -> str:
        """The name of the checkpoint's folder."""
        return f"step-{self.step}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """The list of a complete checkpoint's files."""

    pointer: Pointer
    files: Mapping[str, int]  # path in the checkpoint -> bytes


class Checkpoints:
    """The checkpoints in `folder`, of which the latest `keep` are kept."""

    def __init__(self, folder: Path, identity: Identity, keep: int) -> None:
        self._folder = folder
        self._identity = identity
        self._keep = keep

    def latest(self) -> Pointer | None:
        """The last complete checkpoint, if any. Raises OtherCheckpoint if another configuration saved it."""
        pointer = _read(Pointer, self._folder / POINTER)
        steps = [step for step in self._steps() if pointer is None or step < pointer.step]
        if pointer is not None:
            self._check_identity(pointer)
            steps.append(pointer.step)
        complete = next(filter(None, map(self._complete, sorted(steps, reverse=True))), None)
        if complete is not None:
            self._check_identity(complete)
        return complete

    def _check_identity(self, pointer: Pointer) -> None:
        """Raises OtherCheckpoint, with what differs, for a checkpoint of another configuration."""
        differences = tuple(_differences(pointer.identity, self._identity))
        if differences:
            raise OtherCheckpoint(
                f"{self._folder / pointer.tag} is a checkpoint of another configuration: "
                f"{'; '.join(differences)}. Restore what differs, set another spec.storage.path, or delete "
                "this folder to train from the start",
            )

    def _complete(self, step: int) -> Pointer | None:
        """The checkpoint of a step; None if it is incomplete, which is logged with the reason."""
        folder = self._folder / f"step-{step}"
        contents = _read(Contents, folder / CONTENTS)
        damage = _damage(folder, contents)
        if contents is not None and damage is None:
            return contents.pointer
        print(f"the checkpoint of step {step} is not whole: {damage}", flush=True)
        return None

    def remove_all_after(self, step: int) -> None:
        """Removes the checkpoints of later steps and all that are incomplete."""
        for folder in self._folder.glob("step-*"):
            if (_step_of(folder) or step + 1) > step:
                shutil.rmtree(folder)

    def save(self, engine: Any, ranks: Ranks, step: int, stage: int) -> int:
        """Saves the state after `step` optimizer steps, without frozen weights, which are the base model's.

        Every rank calls it. Returns the bytes of the checkpoint on rank 0, and 0 on the others. Raises
        StorageFull if there is no space for it.
        """
        size = 0
        unfinished = self._folder / f"step-{step}.tmp"
        with self._reporting_full_storage(unfinished):
            engine.save_checkpoint(
                str(self._folder), tag=unfinished.name, save_latest=False, exclude_frozen_parameters=True
            )
            ranks.barrier()
            if ranks.is_first:
                size = self._publish(unfinished, step, ranks.world_size, stage)
        ranks.barrier()
        return size

    def load(self, engine: Any, ranks: Ranks, pointer: Pointer) -> None:
        """Loads a checkpoint into the engine. If the world size differs, the engine must be `universal`."""
        if pointer.world_size == ranks.world_size:
            all_trained = all(parameter.requires_grad for parameter in engine.module.parameters())
            engine.load_checkpoint(
                str(self._folder),
                tag=pointer.tag,
                load_lr_scheduler_states=False,
                load_module_strict=all_trained,
            )
            return
        tag = f"{pointer.tag}.universal"
        if ranks.is_first:
            convert_to_universal(self._folder / pointer.tag, self._folder / tag)
        ranks.barrier()
        with _separate_optimizer_state(engine.optimizer.optimizer):
            engine.load_checkpoint(str(self._folder), tag=tag, load_lr_scheduler_states=False)
        ranks.barrier()
        if ranks.is_first:
            shutil.rmtree(self._folder / tag)

    def _steps(self) -> list[int]:
        return [step for folder in self._folder.glob("step-*") if (step := _step_of(folder)) is not None]

    def _publish(self, unfinished: Path, step: int, world_size: int, stage: int) -> int:
        """Renames a checkpoint that every rank has written, and points to it; returns its bytes."""
        pointer = Pointer(step=step, world_size=world_size, stage=stage, identity=self._identity)
        files = [file for file in unfinished.rglob("*") if file.is_file()]
        for file in files:
            _flush(file)
        sizes = {str(file.relative_to(unfinished)): file.stat().st_size for file in files}
        write_text(unfinished / CONTENTS, json.dumps(encode(Contents(pointer=pointer, files=sizes))) + "\n")
        shutil.rmtree(self._folder / pointer.tag, ignore_errors=True)
        unfinished.rename(self._folder / pointer.tag)
        write_text(self._folder / POINTER, json.dumps(encode(pointer), indent=2) + "\n")
        for old in sorted(self._steps())[: -self._keep]:
            shutil.rmtree(self._folder / f"step-{old}")
        return sum(sizes.values())

    @contextmanager
    def _reporting_full_storage(self, unfinished: Path) -> Iterator[None]:
        """Turns a write that failed for lack of space into StorageFull, and removes the incomplete files."""
        try:
            yield
        except (OSError, RuntimeError) as error:
            if not is_storage_full(error) and not _was_removed(unfinished, error):
                raise
            shutil.rmtree(unfinished, ignore_errors=True)
            free = shutil.disk_usage(self._folder).free
            pointer = _read(Pointer, self._folder / POINTER)
            stays = (
                f"the checkpoint of step {pointer.step} stays"
                if pointer
                else "there is no earlier checkpoint"
            )
            raise StorageFull(
                f"{self._folder}: no room for a checkpoint ({free / 1e9:.1f} GB free): {error}; {stays}. "
                "Enlarge the claim or free space on it, then raise spec.retry"
            ) from error


def _was_removed(unfinished: Path, error: OSError | RuntimeError) -> bool:
    """Whether another rank has found the storage full, and removed the folder before this one wrote to it."""
    is_missing = isinstance(error, FileNotFoundError) or "does not exist" in str(error)  # torch's own words
    return is_missing and not unfinished.exists()


def convert_to_universal(source: Path, target: Path) -> None:
    """Converts `source` to a universal checkpoint of DeepSpeed, which any number of ranks can load."""
    from deepspeed.checkpoint import ds_to_universal  # slow to import, and rarely needed

    shutil.rmtree(target, ignore_errors=True)
    arguments = Namespace(
        input_folder=str(source),
        output_folder=str(target),
        num_extract_workers=1,
        num_merge_workers=1,
        keep_temp_folder=False,
        strict=True,
        inject_missing_state=True,
    )
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        ds_to_universal.main(arguments)


@contextmanager
def _separate_optimizer_state(optimizer: Any) -> Iterator[None]:
    """Works around two defects of DeepSpeed 0.19 in loading a universal checkpoint at ZeRO-3.

    Every parameter group gets the settings of the first, such as its weight decay; and all parameters share
    one step counter, which the optimizer then increments once for each of them.
    """
    decays = [group["weight_decay"] for group in optimizer.param_groups]
    yield
    for group, decay in zip(optimizer.param_groups, decays, strict=True):
        group["weight_decay"] = decay
    for state in optimizer.state.values():
        if torch.is_tensor(state.get("step")):
            state["step"] = state["step"].clone()


def _differences(theirs: Identity, ours: Identity) -> Iterator[str]:
    """Each field of the manifest that differs, with both values."""
    before, now = dict(flatten(theirs.settings, "spec")), dict(flatten(ours.settings, "spec"))
    for path in sorted(before.keys() | now.keys()):
        if before.get(path) != now.get(path):
            yield f"{path} was {_shown(before, path)} and is {_shown(now, path)}"
    if theirs.blend_digest != ours.blend_digest:
        yield f"the blend was {theirs.blend_digest[:12]} and is {ours.blend_digest[:12]} (its data changed)"
    elif theirs.config_digest != ours.config_digest and before == now:
        yield "the configuration's digest differs"


def _shown(values: Mapping[str, Any], path: str) -> str:
    """The value at a path for a message."""
    return json.dumps(values[path]) if path in values else "unset"


def _read(kind: type[T], path: Path) -> T | None:
    """The value in a JSON file; None if the file is missing or is something else."""
    try:
        return decode(kind, json.loads(path.read_text()))
    except (OSError, ValueError):
        return None


def _damage(folder: Path, contents: Contents | None) -> str | None:
    """What is wrong with a checkpoint; None if it is complete."""
    if contents is None:
        return f"{folder / CONTENTS} is missing or cannot be read"
    for name, size in contents.files.items():
        try:
            found = (folder / name).stat().st_size
        except FileNotFoundError:
            return f"{folder / name} is missing"
        if found != size:
            return f"{folder / name} has {found:,} of its {size:,} bytes"
    return None


def _step_of(folder: Path) -> int | None:
    """N for a folder `step-N`; None for any other."""
    number = folder.name.removeprefix("step-")
    return int(number) if number.isdecimal() else None


def _flush(file: Path) -> None:
    """Syncs a file to disk."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
