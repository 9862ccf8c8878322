"""Exports the model after each pass over the in-domain data, during the training."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from blendtune_api.contract import Workspace, weights_digest
from blendtune_api.v1alpha1 import EpochModel
from blendtune_trainer.ranks.group import Ranks
from blendtune_trainer.record.step_log import StepLog

EPOCHS_LOG = "epochs.jsonl"


class EpochModels:
    """Exports a model at each step in `due`, a mapping from steps taken to passes completed.

    Every rank has one of these objects, and `export(workspace, step)` is called on every rank. Models that a
    killed training exported after its last checkpoint are exported again.
    """

    def __init__(
        self,
        workspace: Workspace,
        ranks: Ranks,
        due: Mapping[int, int],
        export: Callable[[Workspace, int], None],
        first_step: int,
    ) -> None:
        self._workspace = workspace
        self._ranks = ranks
        self._due = due
        self._export = export
        self._log = StepLog(workspace.train / EPOCHS_LOG)
        if ranks.is_first:
            self._log.truncate_after(first_step)
        self._exported: set[int] = ranks.broadcast({line["step"] for line in self._log.read()})

    def is_due(self, step: int) -> bool:
        """Whether a model is to be exported after `step` steps, and has not been yet."""
        return step in self._due and step not in self._exported

    def export(self, step: int) -> None:
        """Exports the model; every rank calls it."""
        epoch = self._due[step]
        target = self._workspace.epoch(epoch)
        self._export(target, step)
        self._exported.add(step)
        if self._ranks.is_first:
            digest = weights_digest(target.model)
            self._log.append(step=step, epoch=epoch, digest=digest)
            self._log.flush()
            print(f"the model after epoch {epoch} lies in {target.model} ({digest[:12]})", flush=True)
        self._ranks.barrier()

    def exported(self) -> tuple[EpochModel, ...]:
        """The models exported so far."""
        return tuple(
            EpochModel(epoch=line["epoch"], step=line["step"], digest=line["digest"])
            for line in self._log.read()
        )
