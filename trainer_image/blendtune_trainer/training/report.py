"""Reports a training: logs on disk, live progress, experiment trackers, one console line per step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite

from blendtune_api.contract import GpuPreset, Workspace
from blendtune_api.v1alpha1 import (
    MAX_EPOCH_LOSSES,
    EarlyStopping,
    EpochDivergence,
    EpochLoss,
    Role,
    RoleDivergence,
    SourceLoss,
)
from blendtune_trainer.ranks.group import Ranks
from blendtune_trainer.record.progress import Pace, ProgressBoard
from blendtune_trainer.record.step_log import StepLog
from blendtune_trainer.record.tracking import Tracking
from blendtune_trainer.training.throughput import model_flops_utilisation
from blendtune_trainer.training.validation import ValidationLoss, reason_to_stop

VALIDATION_LOG = "validation.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class StepReport:
    """One optimizer step."""

    step: int  # from 1
    loss: float | None  # nats per supervised token; None for a step without supervised tokens
    learning_rate: float
    gradient_norm: float | None  # before clipping
    tokens: int
    seconds: float
    gpu_memory_bytes: int | None = None  # peak of this rank; None on CPU


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """The training so far, including earlier attempts, from the step log."""

    steps: int
    tokens: int
    rank_seconds: float  # of steps, summed over the ranks
    final_loss: float | None


class TrainingReport:
    """Only rank 0 reports. Every rank remembers the validation losses, which early stopping depends on."""

    def __init__(
        self,
        workspace: Workspace,
        board: ProgressBoard,
        ranks: Ranks,
        gpu: GpuPreset,
        flops_per_token: float,
        tracking: Tracking,
    ) -> None:
        self._steps = StepLog(workspace.steps_log)
        self._validations = StepLog(workspace.train / VALIDATION_LOG)
        self._board = board
        self._ranks = ranks
        self._gpu = gpu
        self._flops_per_token = flops_per_token
        self._tracking = tracking
        self._pace = Pace()
        self._losses: dict[int, ValidationLoss] = {}

    def resume(self, step: int, steps: int) -> None:
        """Removes what earlier attempts logged after the checkpoint of `step`, of `steps` planned."""
        validations = []
        if self._ranks.is_first:
            self._steps.truncate_after(step)
            self._validations.truncate_after(step)
            validations = self._validations.read()
            tokens = sum(line["tokens"] for line in self._steps.read())
            self._board.update(step=step, steps=steps, tokens=tokens)
        self._losses = {
            line["step"]: ValidationLoss(
                by_source=line["loss"],
                mean=line["mean"],
                divergence={Role(role): value for role, value in line.get("divergence", {}).items()},
            )
            for line in self._ranks.broadcast(validations)
        }
        if self._losses:
            self._show_divergence(self._validations_in_order()[-1])

    def set_phase(self, name: str) -> None:
        """Sets the phase of the live progress: loading, training, validating, saving or exporting."""
        self._board.update(phase=name)

    def log_step(self, taken: StepReport) -> None:
        """Reports an optimizer step."""
        if not self._ranks.is_first:
            return
        self._steps.append(
            step=taken.step,
            loss=taken.loss,
            learningRate=taken.learning_rate,
            gradNorm=taken.gradient_norm,
            tokens=taken.tokens,
            seconds=round(taken.seconds, 4),
            ranks=self._ranks.world_size,
        )
        self._pace.add(taken.tokens, taken.seconds)
        self._show(taken)

    def log_validation(self, step: int, loss: ValidationLoss) -> None:
        """Reports the validation loss after `step` steps."""
        self._losses[step] = loss
        if self._ranks.is_first:
            moved = {role.value: value for role, value in loss.divergence.items()}
            self._validations.append(step=step, loss=dict(loss.by_source), mean=loss.mean, divergence=moved)
            by_source = {f"validation/{name}": value for name, value in loss.by_source.items()}
            by_role = {f"divergence/{name}": value for name, value in moved.items()}
            self._tracking.log(step, {**by_source, "validation/mean": loss.mean, **by_role})
            self._show_divergence(loss)
            shown = [f"{name} {value:.4f}" for name, value in loss.by_source.items()]
            shown += [f"KL(base, tuned) {name} {value:.4g}" for name, value in moved.items()]
            print(f"validation after step {step}: {', '.join(shown)}", flush=True)

    def log_checkpoint(self, step: int, seconds: float, size: int) -> None:
        """Reports a checkpoint of `size` bytes, saved in `seconds`."""
        if not self._ranks.is_first:
            return
        slowest = max(seconds, self._board.progress.save_seconds or 0.0)
        self._board.update(save_seconds=slowest, checkpoint_bytes=size)
        print(f"checkpoint of step {step}: {size / 1e9:.3g} GB in {seconds:.1f} s", flush=True)

    def has_validation(self, step: int) -> bool:
        """Whether there is a validation loss after `step` steps, also from an earlier attempt."""
        return step in self._losses

    def reason_to_stop(self, early: EarlyStopping) -> str:
        """Why the validations so far end the training; "" if they do not. The same on every rank."""
        return reason_to_stop(early, self._validations_in_order())

    def divergence(self, positions: Mapping[Role, int]) -> tuple[RoleDivergence, ...]:
        """The divergence of each role, from so many positions: after the last step, and the last epochs."""
        ends = [loss.divergence for step, loss in sorted(self._losses.items()) if step > 0]
        epochs = list(enumerate(ends, start=1))[-MAX_EPOCH_LOSSES:]
        return tuple(
            RoleDivergence(
                role=role,
                positions=count,
                value=ends[-1].get(role) if ends else None,
                epochs=tuple(
                    EpochDivergence(epoch=epoch, value=found[role])
                    for epoch, found in epochs
                    if isfinite(found.get(role, inf))
                ),
            )
            for role, count in positions.items()
        )

    def validation_losses(self) -> tuple[SourceLoss, ...]:
        """The losses of each source: before the first step, after the last, and after the last epochs."""
        if not self._losses:
            return ()
        before, after = self._losses.get(0), self._losses[max(self._losses)]
        ends = [loss for step, loss in sorted(self._losses.items()) if step > 0]
        epochs = list(enumerate(ends, start=1))[-MAX_EPOCH_LOSSES:]
        return tuple(
            SourceLoss(
                name=name,
                before=before.by_source.get(name) if before else None,
                after=value,
                epochs=tuple(EpochLoss(epoch=epoch, loss=loss.by_source[name]) for epoch, loss in epochs),
            )
            for name, value in after.by_source.items()
        )

    def flush(self) -> None:
        """Syncs the logs to disk."""
        if self._ranks.is_first:
            self._steps.flush()
            self._validations.flush()

    def totals(self) -> Totals:
        """The totals of all logged steps."""
        lines = self._steps.read()
        return Totals(
            steps=len(lines),
            tokens=sum(line["tokens"] for line in lines),
            rank_seconds=sum(line["seconds"] * line["ranks"] for line in lines),
            final_loss=lines[-1]["loss"] if lines else None,
        )

    def _validations_in_order(self) -> list[ValidationLoss]:
        return [loss for _, loss in sorted(self._losses.items())]

    def _show_divergence(self, loss: ValidationLoss) -> None:
        self._board.update(
            divergence_general=loss.divergence.get(Role.GENERAL),
            divergence_in_domain=loss.divergence.get(Role.IN_DOMAIN),
        )

    def _show(self, taken: StepReport) -> None:
        before = self._board.progress
        rate = self._pace.tokens_per_second
        per_gpu = None if rate is None else rate / self._ranks.world_size
        self._board.update(
            step=taken.step,
            loss=taken.loss,
            learning_rate=taken.learning_rate,
            gradient_norm=taken.gradient_norm,
            gpu_memory_bytes=taken.gpu_memory_bytes,
            tokens=before.tokens + taken.tokens,
            tokens_per_second=rate,
            tokens_per_second_per_gpu=per_gpu,
            mfu=model_flops_utilisation(per_gpu, self._flops_per_token, self._gpu.peak_flops),
            remaining_seconds=self._pace.seconds_for(before.steps - taken.step),
        )
        self._track(taken)
        loss = "-" if taken.loss is None else f"{taken.loss:.4f}"
        norm = "-" if taken.gradient_norm is None else f"{taken.gradient_norm:.3f}"
        print(
            f"step {taken.step}/{before.steps} loss {loss} lr {taken.learning_rate:.3g} gradient norm {norm} "
            f"{taken.tokens / taken.seconds:.0f} tokens/s",
            flush=True,
        )

    def _track(self, taken: StepReport) -> None:
        shown = self._board.progress
        self._tracking.log(
            taken.step,
            {
                "training/loss": taken.loss,
                "training/learningRate": taken.learning_rate,
                "training/gradientNorm": taken.gradient_norm,
                "training/tokens": shown.tokens,
                "training/tokensPerSecond": shown.tokens_per_second,
                "training/mfu": shown.mfu,
            },
        )
