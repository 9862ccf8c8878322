"""How far a training moves the predictions from the base model's: positions, numbers, resumption, ranks."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.trainer.training.ranks import Interruption
from tests.trainer.training.runs import Run, build_blend, build_config
from torch.nn import functional
from transformers import AutoModelForCausalLM

from blendtune_api.contract import ExitCode, Failure
from blendtune_api.v1alpha1 import (
    Checkpoint,
    DeepSpeed,
    DivergenceMeasure,
    EarlyStopping,
    Method,
    Role,
    RoleDivergence,
    StoppingMetric,
    Validation,
)
from blendtune_core.divergence import LIKELIEST, divergence, kept_bytes
from blendtune_runtime.errors import BadConfiguration
from blendtune_runtime.outcomes import likeliest_tokens, outcomes
from blendtune_trainer.blending.packed import IGNORED_LABEL, PackedBlend
from blendtune_trainer.ranks.group import Ranks
from blendtune_trainer.training import loss as loss_module
from blendtune_trainer.training.base_predictions import (
    BASE_PREDICTIONS_FILE,
    BasePredictions,
    Recording,
)
from blendtune_trainer.training.compared import ComparedPositions, compared_positions
from blendtune_trainer.training.divergence import Compared, Comparison
from blendtune_trainer.training.validation import ValidationLoss, reason_to_stop

MakeRun = Callable[..., Run]
KEEP = Checkpoint(every_minutes=600)
KL = StoppingMetric.KL


class Alone(Ranks):
    """One rank without a process group."""

    def sum(self, values: Any) -> list[float]:
        return list(values)

    def sum_arrays(self, values: torch.Tensor) -> torch.Tensor:
        return values


ALONE = Alone(rank=0, world_size=1, device=torch.device("cpu"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, base_model: Path) -> Run:
    run = Run.create(tmp_path_factory.mktemp("undisturbed"), base_model)
    assert run.train() == [0]
    return run


def chosen(positions: int, blend: PackedBlend | None = None, **changes: Any) -> ComparedPositions:
    config = build_config(Path("base"), divergence=DivergenceMeasure(positions=positions), **changes)
    return compared_positions(config.spec, blend or build_blend())


def supervised(blend: PackedBlend, role: Role) -> int:
    own = [index for index, source in enumerate(blend.validation_bin_sources) if roles()[source] is role]
    return sum(blend.validation_bin(index).supervised_tokens for index in own)


def roles() -> list[Role]:
    return [Role.IN_DOMAIN, Role.GENERAL]  # of the sources of `build_blend`


@pytest.mark.parametrize("role", Role)
def test_all_positions_are_compared_where_there_are_few(role: Role) -> None:
    blend, positions = build_blend(), chosen(10**4)
    assert positions.count(role) == supervised(blend, role)
    for index in range(blend.num_validation_bins):
        count = blend.validation_bin(index).supervised_tokens
        assert positions.ordinals[positions.of_bin(index)].tolist() == list(range(count))


@pytest.mark.parametrize("most", [1, 7, 20])
def test_so_many_of_each_role_are_evenly_chosen(most: int) -> None:
    blend = build_blend(validation_bins=9)
    positions = chosen(most, blend)
    for role in Role:
        bins = [index for index, own in enumerate(positions.roles) if own is role]
        assert positions.count(role) == most
        starts = np.cumsum([0, *(blend.validation_bin(index).supervised_tokens for index in bins)])
        places = np.concatenate(
            [
                start + positions.ordinals[positions.of_bin(index)]
                for start, index in zip(starts, bins, strict=False)
            ]
        )
        gaps = np.diff(places)
        assert (gaps > 0).all()
        assert gaps.size == 0 or gaps.max() - gaps.min() <= 1
        assert places[0] >= 0
        assert places[-1] < starts[-1]


def test_rows_without_a_role_are_not_compared() -> None:
    blend = replace(build_blend(), source_names=("ads", "(validation)"))
    positions = chosen(10**4, blend)
    assert positions.count(Role.GENERAL) == 0
    assert positions.count(Role.IN_DOMAIN) == supervised(build_blend(), Role.IN_DOMAIN)


def test_stopping_by_what_no_row_shows_is_refused() -> None:
    blend = build_blend(validation_bins=1)  # of an in-domain source
    with pytest.raises(BadConfiguration, match=r"earlyStopping\.metric kl .* fewer than ten rows"):
        chosen(100, blend, early_stopping=EarlyStopping(metric=KL, max=0.1))
    assert chosen(100, blend).count(Role.GENERAL) == 0


def test_outcomes_of_the_whole_vocabulary_give_torchs_divergence() -> None:
    generator = torch.Generator().manual_seed(1)
    base, tuned = torch.randn(2, 50, LIKELIEST, generator=generator) * 4
    tokens = likeliest_tokens(base)
    found = divergence(outcomes(base, tokens).numpy(), outcomes(tuned, tokens).numpy())
    exact = functional.kl_div(
        tuned.double().log_softmax(1), base.double().log_softmax(1), log_target=True, reduction="none"
    ).sum(1)
    assert found == pytest.approx(exact.numpy(), abs=1e-5)


def test_certain_models_keep_what_they_leave_to_the_rest() -> None:
    """In float32, one less the sum of the likeliest would be 0 or a multiple of 6e-8."""
    base, tuned = torch.zeros(1, 1000), torch.zeros(1, 1000)
    base[0, :LIKELIEST], tuned[0, :LIKELIEST] = 9.0, 26.0
    tokens = likeliest_tokens(base)
    found = divergence(outcomes(base, tokens).numpy(), outcomes(tuned, tokens).numpy())
    exact = functional.kl_div(
        tuned.double().log_softmax(1), base.double().log_softmax(1), log_target=True, reduction="sum"
    )
    assert found[0] == pytest.approx(float(exact), abs=1e-5)


@pytest.mark.parametrize("chunk_bytes", [1, 10**9])
def test_what_is_read_in_chunks_is_compared_alike(monkeypatch: pytest.MonkeyPatch, chunk_bytes: int) -> None:
    monkeypatch.setattr(loss_module, "LOSS_CHUNK_BYTES", chunk_bytes)
    blend, positions = build_blend(), chosen(9)
    generator = torch.Generator().manual_seed(2)
    bins = [blend.validation_bin(index).supervised_tokens for index in range(blend.num_validation_bins)]
    base = [torch.randn(count, 100, generator=generator) for count in bins]
    tuned = [torch.randn(count, 100, generator=generator) for count in bins]
    recording = Recording(positions, 100)
    for index, logits in enumerate(base):
        recording.read(index, logits)
    comparison = Comparison(Compared(positions=positions, base=recording.finish(ALONE)))
    for index, logits in enumerate(tuned):
        comparison.read(index, logits)
    for role, found in comparison.finish(ALONE).items():
        exact = [
            functional.kl_div(tuned[index][row].log_softmax(0), base[index][row].softmax(0), reduction="sum")
            for index, own in enumerate(positions.roles)
            if own is role
            for row in positions.ordinals[positions.of_bin(index)]
        ]
        assert 0.5 * float(np.mean(exact)) < found <= float(np.mean(exact)) + 1e-6


def test_a_file_is_read_by_its_own_identity_only(tmp_path: Path) -> None:
    positions = 40
    kept = BasePredictions(
        token_ids=np.ones((positions, LIKELIEST), np.int32),
        logarithms=np.full((positions, LIKELIEST + 1), -np.inf, np.float32),
    )
    path = tmp_path / "kept.npz"
    kept.write(path, "mine")
    found = BasePredictions.read(path, "mine")
    assert found is not None
    assert (found.token_ids == kept.token_ids).all()
    assert (found.logarithms == kept.logarithms).all()
    assert path.stat().st_size <= kept_bytes(positions // 2) + 2_000  # headers
    assert BasePredictions.read(path, "another's") is None
    path.write_bytes(path.read_bytes()[:100])
    assert BasePredictions.read(path, "mine") is None
    assert BasePredictions.read(tmp_path / "none.npz", "mine") is None


def of_role(run: Run, role: Role) -> RoleDivergence:
    return next(each for each in run.result.divergence if each.role is role)


def test_the_divergence_grows_from_nothing_and_is_the_exported_models(
    undisturbed: Run, base_model: Path
) -> None:
    lines = [
        json.loads(line)
        for line in (undisturbed.workspace.train / "validation.jsonl").read_text().splitlines()
    ]
    assert lines[0]["divergence"] == pytest.approx({"inDomain": 0.0, "general": 0.0}, abs=1e-7)
    blend = build_blend()
    for role in Role:
        found = of_role(undisturbed, role)
        assert found.positions == supervised(blend, role)
        assert [point.epoch for point in found.epochs] == [1, 2]
        assert found.value == found.epochs[-1].value == pytest.approx(lines[-1]["divergence"][role], rel=1e-5)
        exact, merged = divergences(base_model, undisturbed.workspace.model, blend, role)
        assert found.value == pytest.approx(merged, rel=1e-3)
        assert 0 < merged <= exact


def divergences(base: Path, tuned: Path, blend: PackedBlend, role: Role) -> tuple[float, float]:
    """By transformers alone, an example at a time: over the whole vocabulary, and with the rest as one."""
    models = [AutoModelForCausalLM.from_pretrained(folder).eval() for folder in (base, tuned)]
    exact: list[float] = []
    merged: list[float] = []
    for index, source in enumerate(blend.validation_bin_sources):
        if roles()[source] is not role:
            continue
        contents = blend.validation_bin(index)
        starts = np.flatnonzero(contents.position_ids == 0).tolist()
        for start, end in zip(starts, [*starts[1:], len(contents.input_ids)], strict=True):
            ids = torch.from_numpy(contents.input_ids[start:end])[None]
            places = np.flatnonzero(contents.labels[start:end] != IGNORED_LABEL)
            with torch.inference_mode():
                before, after = (model(ids).logits[0].double().log_softmax(1) for model in models)
            before, after = before[places - 1], after[places - 1]
            exact += (before.exp() * (before - after)).sum(1).tolist()
            order = before.argsort(1, descending=True)
            expected, found = (_merged(each.gather(1, order)) for each in (before, after))
            merged += (expected.exp() * (expected - found)).sum(1).tolist()
    return float(np.mean(exact)), float(np.mean(merged))


def _merged(logarithms: torch.Tensor) -> torch.Tensor:
    others = logarithms[:, LIKELIEST:].logsumexp(1, keepdim=True)
    return torch.cat([logarithms[:, :LIKELIEST], others], dim=1)


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_two_ranks_measure_what_one_does(make_run: MakeRun, undisturbed: Run, stage: int) -> None:
    run = make_run(deepspeed=DeepSpeed(stage=stage))
    assert run.train(2) == [0, 0]
    for role in Role:
        ours, theirs = of_role(run, role), of_role(undisturbed, role)
        assert ours.positions == theirs.positions
        assert [point.value for point in ours.epochs] == pytest.approx(
            [point.value for point in theirs.epochs], rel=1e-3, abs=1e-6
        )
    assert kept(run)[0].tolist() == kept(undisturbed)[0].tolist()
    assert kept(run)[1] == pytest.approx(kept(undisturbed)[1], abs=1e-4)


def kept(run: Run) -> tuple[Any, Any]:
    with np.load(run.workspace.train / BASE_PREDICTIONS_FILE) as arrays:
        return arrays["token_ids"], arrays["logarithms"]


@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize("lost", [False, True], ids=["kept", "lost"])
def test_a_resumed_training_compares_with_the_base_model_and_no_other(
    make_run: MakeRun, method: Method, lost: bool
) -> None:
    """Also if the file is lost: it is taken down before the trained weights are loaded."""
    whole, broken = (make_run(checkpoint=KEEP, method=method) for _ in range(2))
    assert whole.train() == [0]
    told = Interruption(rank=0, signal=signal.SIGTERM, calls=4)
    assert broken.train(interruption=told) == [ExitCode.PREEMPTED]
    file = broken.workspace.train / BASE_PREDICTIONS_FILE
    before = file.stat().st_mtime_ns
    if lost:
        file.unlink()
    assert broken.train() == [0]
    assert (file.stat().st_mtime_ns == before) is not lost
    assert broken.log_of(0).count("what the base model predicts is kept") == (2 if lost else 1)
    assert broken.result.divergence == whole.result.divergence
    assert all((of_role(whole, role).value or 0) > 1e-4 for role in Role)


def test_a_stop_while_the_base_model_reads_leaves_no_file(make_run: MakeRun) -> None:
    run = make_run(checkpoint=KEEP)
    told = Interruption(
        rank=0,
        signal=signal.SIGTERM,
        calls=1,
        method="read",
        owner="blendtune_trainer.training.base_predictions:Recording",
    )
    assert run.train(2, interruption=told) == [ExitCode.PREEMPTED] * 2
    assert not (run.workspace.train / BASE_PREDICTIONS_FILE).exists()
    assert run.train(2) == [0, 0]
    assert len(run.result.divergence) == 2


def test_nothing_is_measured_where_nothing_is_wanted(make_run: MakeRun, undisturbed: Run) -> None:
    run = make_run(divergence=DivergenceMeasure(positions=0))
    assert run.train() == [0]
    assert run.result.divergence == ()
    assert not (run.workspace.train / BASE_PREDICTIONS_FILE).exists()
    assert run.losses() == undisturbed.losses()
    assert run.result.model_digest == undisturbed.result.model_digest


def test_training_stops_where_the_predictions_have_moved_too_far(make_run: MakeRun, undisturbed: Run) -> None:
    first, last = (point.value for point in of_role(undisturbed, Role.GENERAL).epochs)
    assert first < last
    stopped = make_run(early_stopping=EarlyStopping(metric=KL, max=first / 2))
    assert stopped.train(2) == [0, 0]
    assert stopped.result.steps == 3
    assert stopped.result.stopped_early.startswith("at step 3 of 6: KL(base, tuned) on general held-out rows")
    assert f"above spec.training.earlyStopping.max {first / 2:g}" in stopped.result.stopped_early
    allowed = make_run(early_stopping=EarlyStopping(metric=KL, max=(first + last) / 2))
    assert allowed.train() == [0]
    assert (allowed.result.steps, allowed.result.stopped_early) == (6, "")


@pytest.mark.parametrize(
    ("early", "general", "in_domain", "stops"),
    [
        pytest.param(EarlyStopping(metric=KL, max=0.1), 0.2, 0.0, True, id="above"),
        pytest.param(EarlyStopping(metric=KL, max=0.1), 0.1, 0.0, False, id="at the limit"),
        pytest.param(EarlyStopping(metric=KL, max=0.1), 0.0, 9.0, False, id="in-domain rows may move"),
        pytest.param(EarlyStopping(metric=KL, max=0.1), None, 9.0, False, id="not measured"),
        pytest.param(EarlyStopping(metric=KL, max=0.1), float("inf"), 0.0, True, id="without bound"),
        pytest.param(EarlyStopping(), 9.0, 9.0, False, id="metric loss"),
        pytest.param(EarlyStopping(patience=1), 0.0, 0.0, True, id="out of patience"),
    ],
)
def test_when_to_stop(early: EarlyStopping, general: float | None, in_domain: float, stops: bool) -> None:
    moved = {Role.IN_DOMAIN: in_domain} | ({} if general is None else {Role.GENERAL: general})
    validations = [
        ValidationLoss(by_source={}, mean=1.0),
        ValidationLoss(by_source={}, mean=1.0, divergence=moved),
    ]
    assert bool(reason_to_stop(early, validations)) is stops


def test_stopping_without_held_out_rows_is_refused(make_run: MakeRun) -> None:
    run = make_run(build_blend(validation_bins=0), early_stopping=EarlyStopping(metric=KL, max=1.0))
    spec = run.config.spec
    held_out = replace(spec.blend, validation=Validation(fraction=0.5))
    run.config = replace(run.config, spec=replace(spec, blend=held_out))
    assert run.train() == [ExitCode.BAD_CONFIGURATION]
    outcome = run.outcome_of(0)
    assert isinstance(outcome, Failure)
    assert outcome.message.startswith("spec.training.earlyStopping.metric kl")
