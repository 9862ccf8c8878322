"""The model after each pass over the in-domain data, exported while the training goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from blendtune_api.contract import Workspace, weights_digest
from blendtune_api.v1alpha1 import EpochModel
from blendtune_trainer.ranks.group import Ranks
from blendtune_trainer.record.step_log import StepLog

EPOCHS_LOG = "epochs.jsonl"


class EpochModels:
    """Exports a model at each step of `due`, which gives the number of the pass that is then complete.

    Every rank holds one, and `export` (where to, after which step) is called on all of them. What a killed
    training exported after its last checkpoint is exported again.
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
            self._log.keep_until(first_step)
        self._exported: set[int] = ranks.from_first({line["step"] for line in self._log.read()})

    def is_due(self, step: int) -> bool:
        return step in self._due and step not in self._exported

    def export(self, step: int) -> None:
        epoch = self._due[step]
        home = self._workspace.epoch(epoch)
        self._export(home, step)
        self._exported.add(step)
        if self._ranks.is_first:
            digest = weights_digest(home.model)
            self._log.append(step=step, epoch=epoch, digest=digest)
            self._log.flush()
            print(f"the model after epoch {epoch} lies in {home.model} ({digest[:12]})", flush=True)
        self._ranks.wait_for_all()

    def exported(self) -> tuple[EpochModel, ...]:
        return tuple(
            EpochModel(epoch=line["epoch"], step=line["step"], digest=line["digest"])
            for line in self._log.read()
        )
