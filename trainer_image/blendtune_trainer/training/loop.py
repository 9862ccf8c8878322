"""The training loop: steps, validations, exports and checkpoints."""

from __future__ import annotations

import math
import time
from itertools import zip_longest
from typing import Any, NoReturn

import torch
from torch import Tensor

from blendtune_api.v1alpha1 import Training
from blendtune_runtime.errors import Diverged, Preempted
from blendtune_trainer.blending.packed import PackedBlend
from blendtune_trainer.ranks.group import Ranks
from blendtune_trainer.ranks.signals import StopRequest
from blendtune_trainer.ranks.watchdog import Watchdog
from blendtune_trainer.training.batches import bins_of_step, micro_batches
from blendtune_trainer.training.checkpoint import Checkpoints
from blendtune_trainer.training.divergence import Compared
from blendtune_trainer.training.epochs import EpochModels
from blendtune_trainer.training.microbatch import Lookahead, forward
from blendtune_trainer.training.plan import Plan
from blendtune_trainer.training.report import StepReport, TrainingReport
from blendtune_trainer.training.schedule import learning_rate
from blendtune_trainer.training.validation import validate


class TrainingLoop:
    """Trains `engine` on `blend`. Every rank runs one loop, and all take the same decisions."""

    def __init__(
        self,
        *,
        engine: Any,
        blend: PackedBlend,
        training: Training,
        plan: Plan,
        ranks: Ranks,
        stage: int,
        checkpoints: Checkpoints,
        report: TrainingReport,
        stop: StopRequest,
        watchdog: Watchdog,
        epoch_models: EpochModels,
        compared: Compared | None,
    ) -> None:
        self._engine = engine
        self._blend = blend
        self._training = training
        self._plan = plan
        self._ranks = ranks
        self._stage = stage
        self._checkpoints = checkpoints
        self._report = report
        self._stop = stop
        self._watchdog = watchdog
        self._epoch_models = epoch_models
        self._compared = compared
        self._micro_batches = Lookahead(blend, ranks.device)
        self._saved_step: int | None = None
        self._saved_at = time.monotonic()

    def run(self, first_step: int) -> int:
        """Trains from `first_step` on. Returns the number of steps taken, also by earlier attempts.

        It is lower than planned after early stopping. Raises Preempted after a stop signal on any rank, once
        a checkpoint is saved; Diverged if the loss or gradient is not finite; StorageFull.
        """
        step = first_step
        self._saved_step = first_step
        self._engine.train()  # a loaded model is in evaluation mode, without dropout and recomputation
        while True:
            self._validate_when_due(step)
            self._export_when_due(step)
            if step == self._plan.steps or self._report.reason_to_stop(self._training.early_stopping):
                break
            stop, save = self._take_step(step)
            step += 1
            if stop:
                self._checkpoint_and_stop(step)
            if save:
                self._save(step)
        if self._ranks.any(self._stop.requested):
            self._checkpoint_and_stop(step)
        return step

    def _take_step(self, step: int) -> tuple[bool, bool]:
        """Takes an optimizer step. Returns whether any rank shall stop, and whether a checkpoint is due."""
        start = time.monotonic()
        bins = bins_of_step(step, self._plan.bins_per_step, self._blend.num_bins)
        supervised = sum(self._blend.supervised_tokens(index) for index in bins)
        rate = learning_rate(self._training, step, self._plan.steps)
        for group in self._engine.optimizer.param_groups:
            group["lr"] = rate
        nll = self._accumulate(step, supervised)
        self._engine.step()
        sums, (norm,) = self._ranks.sum_and_read(
            [nll, self._stop.requested, self._checkpoint_due()], [self._engine.get_global_grad_norm()]
        )
        total, stop, save = sums
        self._check_finite(step + 1, total, norm)
        self._watchdog.beat()
        self._report.log_step(
            StepReport(
                step=step + 1,
                loss=total / supervised if supervised else None,
                learning_rate=rate,
                gradient_norm=norm,
                tokens=sum(self._blend.tokens(index) for index in bins),
                seconds=time.monotonic() - start,
                gpu_memory_bytes=self._ranks.peak_memory_bytes(),
            )
        )
        return stop > 0, save > 0

    def _check_finite(self, step: int, nll: float, gradient_norm: float | None) -> None:
        """Raises Diverged if the loss or the gradient is not finite: every further step would be wasted."""
        if not math.isfinite(nll) or not math.isfinite(gradient_norm or 0.0):
            raise Diverged(
                f"training diverged: the loss or the gradient of step {step} is not a number. Lower "
                "spec.training.learningRate or raise spec.training.warmupRatio; if it is the first step, "
                "spec.model may be damaged",
            )

    def _accumulate(self, step: int, supervised: int) -> Tensor:
        """Accumulates the gradients of a step's loss: the mean over its supervised tokens on all ranks.

        Returns the summed loss of this rank, a number on the device, for which nothing has waited. DeepSpeed
        averages the gradients over the ranks, hence the factor of the world size.
        """
        scale = self._ranks.world_size / max(1, supervised)
        total = torch.zeros((), device=self._ranks.device)
        own, following = self._own_bins(step), self._own_bins(step + 1)[:1]
        for indices, next_indices in zip_longest(own, [*own[1:], *following]):
            torch.manual_seed(
                self._training.seed + min(indices, default=0)
            )  # depends on the bins, not on the rank
            nll = forward(self._engine, self._micro_batches.take(indices))
            self._engine.backward(nll * scale, scale_wrt_gas=False)
            total += nll.detach()
            if next_indices is not None:
                self._micro_batches.prepare(next_indices)  # a GPU is still computing this one
        return total

    def _own_bins(self, step: int) -> list[tuple[int, ...]]:
        """The bins of `step` that this rank takes, by micro-batch; none after the last step."""
        bins = bins_of_step(step, self._plan.bins_per_step, self._blend.num_bins)
        return micro_batches(bins, self._ranks.rank, self._ranks.world_size, self._plan.bins_per_micro_batch)

    def _checkpoint_due(self) -> bool:
        """Whether a checkpoint is due by the clock of rank 0; False on the other ranks."""
        elapsed = time.monotonic() - self._saved_at
        return self._ranks.is_first and elapsed >= self._training.checkpoint.every_minutes * 60

    def _validate_when_due(self, step: int) -> None:
        if step not in self._plan.validate_at or not self._blend.num_validation_bins:
            return
        if self._report.has_validation(step):
            return
        self._report.set_phase("validating")
        loss = validate(self._engine, self._blend, self._ranks, self._compared, self._wants_to_stop)
        if loss is None:
            self._checkpoint_and_stop(step)
        else:
            self._report.log_validation(step, loss)
        self._report.set_phase("training")

    def _export_when_due(self, step: int) -> None:
        if not self._epoch_models.is_due(step):
            return
        self._report.set_phase("exporting")
        self._epoch_models.export(step)
        self._watchdog.beat()
        self._report.set_phase("training")

    def _wants_to_stop(self) -> bool:
        self._watchdog.beat()
        return self._stop.requested

    def _save(self, step: int) -> None:
        self._report.set_phase("saving")
        self._report.flush()
        begin = time.monotonic()
        size = self._checkpoints.save(self._engine, self._ranks, step, self._stage)
        self._report.log_checkpoint(step, time.monotonic() - begin, size)
        self._saved_step = step
        self._saved_at = time.monotonic()
        self._watchdog.beat()
        self._report.set_phase("training")

    def _checkpoint_and_stop(self, step: int) -> NoReturn:
        """Saves a checkpoint, unless there is one of this step, and raises Preempted."""
        if step != self._saved_step:
            self._save(step)
        done = f"checkpointed at step {step} of {self._plan.steps}" if step else "no step was taken yet"
        raise Preempted(f"stopped on request: {done}")
