"""Checkpoints that are whole or absent, and that only the run that made them can resume from.

A checkpoint is written into `step-N.tmp`, renamed to `step-N` when every rank is done, and only then named by
the pointer file. Whatever kills the training, the pointer names a whole checkpoint.
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
from typing import Any

import torch

from blendtune_api.codec import decode, encode
from blendtune_api.contract import ExitCode, RunConfig
from blendtune_api.v1alpha1 import Reason
from blendtune_trainer.errors import TrainerError, storage_full
from blendtune_trainer.failures import is_storage_full
from blendtune_trainer.files import flush_folder, write_text
from blendtune_trainer.leaves import leaves
from blendtune_trainer.ranks import Ranks

POINTER = "latest.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """What a checkpoint shares with the run that resumes from it. `settings` tells people what differs."""

    config_digest: str
    blend_digest: str
    settings: Mapping[str, Any]

    @staticmethod
    def of(config: RunConfig, blend_digest: str) -> Identity:
        spec = config.spec
        settings = {"model": spec.model, "blend": spec.blend, "training": spec.training}
        return Identity(config_digest=config.digest, blend_digest=blend_digest, settings=encode(settings))


@dataclass(frozen=True, kw_only=True, slots=True)
class Pointer:
    """The last whole checkpoint: `step` optimizer steps were taken, on `world_size` ranks at ZeRO `stage`."""

    step: int
    world_size: int
    stage: int
    identity: Identity

    @property
    def tag(self) -> str:
        return f"step-{self.step}"


class Checkpoints:
    """The checkpoints in `folder`, of which the latest `keep` stay."""

    def __init__(self, folder: Path, identity: Identity, keep: int) -> None:
        self._folder = folder
        self._identity = identity
        self._keep = keep

    def latest(self) -> Pointer | None:
        """The checkpoint to resume from. Raises TrainerError where another run left one."""
        pointer = self._read_pointer()
        if pointer is None:
            return None
        differences = tuple(_differences(pointer.identity, self._identity))
        if differences:
            raise TrainerError(
                Reason.BAD_CONFIGURATION,
                ExitCode.OTHER_CHECKPOINT,
                f"{self._folder / pointer.tag} is a checkpoint of another configuration: "
                f"{'; '.join(differences)}. Restore what differs, set another spec.storage.path, or delete "
                "this folder to train from the start",
            )
        return pointer

    def remove_unfinished(self) -> None:
        """Removes what a killed run left: half-written checkpoints and those that no pointer names."""
        pointer = self._read_pointer()
        last = pointer.step if pointer else -1
        for folder in self._folder.glob("step-*"):
            step = _step_of(folder)
            if step is None or step > last:
                shutil.rmtree(folder)

    def save(self, engine: Any, ranks: Ranks, step: int, stage: int) -> None:
        """Saves the state after `step`, but for frozen weights: those are the base model's.

        Every rank calls it. Raises TrainerError when the storage is full.
        """
        unfinished = self._folder / f"step-{step}.tmp"
        with self._reporting_full_storage(unfinished):
            engine.save_checkpoint(
                str(self._folder), tag=unfinished.name, save_latest=False, exclude_frozen_parameters=True
            )
            ranks.wait_for_all()
            if ranks.is_first:
                self._publish(unfinished, step, ranks.world_size, stage)
        ranks.wait_for_all()

    def load(self, engine: Any, ranks: Ranks, pointer: Pointer) -> None:
        """Puts the engine where `pointer` left off; it must be configured `universal` when ranks differ."""
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
        ranks.wait_for_all()
        with _own_optimizer_settings(engine.optimizer.optimizer):
            engine.load_checkpoint(str(self._folder), tag=tag, load_lr_scheduler_states=False)
        ranks.wait_for_all()
        if ranks.is_first:
            shutil.rmtree(self._folder / tag)

    def _read_pointer(self) -> Pointer | None:
        try:
            return decode(Pointer, json.loads((self._folder / POINTER).read_text()))
        except FileNotFoundError:
            return None

    def _publish(self, unfinished: Path, step: int, world_size: int, stage: int) -> None:
        for file in unfinished.iterdir():
            _flush(file)
        flush_folder(unfinished)
        pointer = Pointer(step=step, world_size=world_size, stage=stage, identity=self._identity)
        shutil.rmtree(self._folder / pointer.tag, ignore_errors=True)
        unfinished.rename(self._folder / pointer.tag)
        write_text(self._folder / POINTER, json.dumps(encode(pointer), indent=2) + "\n")
        whole = {_step_of(folder): folder for folder in self._folder.glob("step-*")}
        for old in sorted(number for number in whole if number is not None)[: -self._keep]:
            shutil.rmtree(whole[old])

    @contextmanager
    def _reporting_full_storage(self, unfinished: Path) -> Iterator[None]:
        """Turns a failed write into storage_full, and frees the room that the half-written files take."""
        try:
            yield
        except (OSError, RuntimeError) as error:
            if not is_storage_full(error):
                raise
            shutil.rmtree(unfinished, ignore_errors=True)
            free = shutil.disk_usage(self._folder).free
            pointer = self._read_pointer()
            stays = (
                f"the checkpoint of step {pointer.step} stays"
                if pointer
                else "there is no earlier checkpoint"
            )
            raise storage_full(
                f"{self._folder}: no room for a checkpoint ({free / 1e9:.1f} GB free): {error}; {stays}. "
                "Enlarge the claim or free space on it, then raise spec.retry"
            ) from error


def convert_to_universal(source: Path, target: Path) -> None:
    """Writes `source` as DeepSpeed's universal checkpoint, which any number of ranks can load."""
    from deepspeed.checkpoint import ds_to_universal  # heavy, and seldom needed

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
def _own_optimizer_settings(optimizer: Any) -> Iterator[None]:
    """Keeps parameter groups and step counters apart while a universal checkpoint is loaded.

    At ZeRO-3 DeepSpeed 0.19 gives every group the settings of the first, weight decay among them, and every
    parameter the same counter, which the optimizer then advances once for each of them.
    """
    decays = [group["weight_decay"] for group in optimizer.param_groups]
    yield
    for group, decay in zip(optimizer.param_groups, decays, strict=True):
        group["weight_decay"] = decay
    for state in optimizer.state.values():
        if torch.is_tensor(state.get("step")):
            state["step"] = state["step"].clone()


def _differences(theirs: Identity, ours: Identity) -> Iterator[str]:
    """What differs, field by field, in the words of the manifest."""
    before, now = dict(leaves(theirs.settings, "spec")), dict(leaves(ours.settings, "spec"))
    for path in sorted(before.keys() | now.keys()):
        if before.get(path) != now.get(path):
            yield f"{path} was {_said(before, path)} and is {_said(now, path)}"
    if theirs.blend_digest != ours.blend_digest:
        yield f"the blend was {theirs.blend_digest[:12]} and is {ours.blend_digest[:12]} (its data changed)"
    elif theirs.config_digest != ours.config_digest and before == now:
        yield "the configuration's digest differs"


def _said(values: Mapping[str, Any], path: str) -> str:
    return json.dumps(values[path]) if path in values else "unset"


def _step_of(folder: Path) -> int | None:
    """N of a folder `step-N`; None for any other."""
    number = folder.name.removeprefix("step-")
    return int(number) if number.isdecimal() else None


def _flush(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
