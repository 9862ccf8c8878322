"""The end of a run, for people and for scripts."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from tests.operator.builders import fine_tune, rehearse_result, rubric_eval

from blendtune_api.contract import workspace
from blendtune_api.v1alpha1 import (
    BadRowReason,
    BadRows,
    BenchmarkScore,
    BlendedFineTune,
    BlendedFineTuneStatus,
    BlendedSource,
    BlendStatus,
    Condition,
    ConditionStatus,
    ConditionType,
    EvaluationSummary,
    GateResult,
    GateStatus,
    Metric,
    NamedValue,
    Reason,
    RehearsalStatus,
    Role,
    RoleDivergence,
    RubricEval,
    RubricEvalStatus,
    ScopeScore,
    State,
    TrainerStatus,
    TrainingStatus,
)
from blendtune_operator.cli.exit_status import ExitStatus, exit_status
from blendtune_operator.cli.run import evaluation_progress
from blendtune_operator.cli.view import one_line, print_result


def with_status(status: BlendedFineTuneStatus) -> BlendedFineTune:
    run = fine_tune()
    return BlendedFineTune(metadata=run.metadata, spec=run.spec, status=status)


def condition(type: ConditionType, status: ConditionStatus, reason: Reason, message: str = "") -> Condition:
    return Condition(
        type=type,
        status=status,
        reason=reason,
        message=message,
        last_transition_time="2026-01-01T00:00:00Z",
    )


GATES = ConditionType.GATES_PASSED
FAILED = ConditionType.FAILED
TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


@pytest.mark.parametrize(
    ("state", "found", "expected"),
    [
        pytest.param(
            State.SUCCEEDED,
            condition(GATES, TRUE, Reason.GATES_PASSED),
            ExitStatus.SUCCESS,
            id="passed",
        ),
        pytest.param(
            State.SUCCEEDED, condition(GATES, UNKNOWN, Reason.NO_GATES), ExitStatus.SUCCESS, id="no-gates"
        ),
        pytest.param(
            State.SUCCEEDED, condition(GATES, FALSE, Reason.GATES_FAILED), ExitStatus.FAILED, id="gate-failed"
        ),
        pytest.param(
            State.SUCCEEDED,
            condition(GATES, UNKNOWN, Reason.GATES_INCONCLUSIVE),
            ExitStatus.INCONCLUSIVE,
            id="gate-inconclusive",
        ),
        pytest.param(
            State.FAILED, condition(FAILED, TRUE, Reason.BAD_DATA), ExitStatus.BAD_INPUT, id="bad-data"
        ),
        pytest.param(
            State.FAILED,
            condition(FAILED, TRUE, Reason.BACKOFF_LIMIT_EXCEEDED),
            ExitStatus.FAILED,
            id="gave-up",
        ),
        pytest.param(
            State.FAILED,
            condition(ConditionType.ACCEPTED, FALSE, Reason.NOT_SUPPORTED),
            ExitStatus.BAD_INPUT,
            id="not-accepted",
        ),
    ],
)
def test_exit_status(state: State, found: Condition, expected: ExitStatus) -> None:
    assert exit_status([with_status(BlendedFineTuneStatus(state=state, conditions=(found,)))]) is expected


PASSED = BlendedFineTuneStatus(state=State.SUCCEEDED)
OPEN = BlendedFineTuneStatus(
    state=State.SUCCEEDED, conditions=(condition(GATES, UNKNOWN, Reason.GATES_INCONCLUSIVE),)
)
GAVE_UP = BlendedFineTuneStatus(state=State.FAILED)
BAD_DATA = BlendedFineTuneStatus(state=State.FAILED, conditions=(condition(FAILED, TRUE, Reason.BAD_DATA),))


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        pytest.param((PASSED, PASSED), ExitStatus.SUCCESS, id="all well"),
        pytest.param((PASSED, OPEN), ExitStatus.INCONCLUSIVE, id="one inconclusive"),
        pytest.param((OPEN, GAVE_UP, PASSED), ExitStatus.FAILED, id="one failed"),
        pytest.param((OPEN, GAVE_UP, BAD_DATA), ExitStatus.BAD_INPUT, id="one with bad input"),
    ],
)
def test_the_worst_run_decides_the_exit_status(
    ends: tuple[BlendedFineTuneStatus, ...], expected: ExitStatus
) -> None:
    assert exit_status(map(with_status, ends)) is expected


def test_progress_fits_one_line() -> None:
    trainer = TrainerStatus(
        progress_percentage=10,
        estimated_remaining_seconds=90,
        metrics=(
            NamedValue(name="step", value="11"),
            NamedValue(name="steps", value="109"),
            NamedValue(name="loss", value="1.25"),
            NamedValue(name="divergenceGeneral", value="0.03125"),
            NamedValue(name="tokensPerSecond", value="190.4"),
        ),
    )
    run = with_status(BlendedFineTuneStatus(state=State.TRAINING, trainer_status=trainer))
    assert one_line(run).endswith("Training  step 11/109  loss 1.2500  KL 0.0312  190 tokens/s  ETA 0:01:30")


def test_the_end_tells_how_far_the_model_moved_and_why_it_stopped() -> None:
    training = TrainingStatus(
        steps=3,
        tokens=100,
        divergence=(
            RoleDivergence(role=Role.IN_DOMAIN, positions=9, value=0.51234),
            RoleDivergence(role=Role.GENERAL, positions=9, value=0.03),
        ),
        stopped_early="at step 3 of 6: KL(base, tuned) is too large",
    )
    console = Console(record=True, width=120)
    print_result(
        console, with_status(BlendedFineTuneStatus(state=State.SUCCEEDED, training=training)), None, []
    )
    text = console.export_text()
    assert "KL(base, tuned) on held-out rows: inDomain 0.512, general 0.03 nats per token" in text
    assert "stopped    at step 3 of 6: KL(base, tuned) is too large" in text


def test_the_progress_of_a_rehearsal_fits_one_line() -> None:
    rehearsal = RehearsalStatus(progress_percentage=40, estimated_remaining_seconds=90)
    run = with_status(BlendedFineTuneStatus(state=State.REHEARSING, rehearsal=rehearsal))
    assert one_line(run).endswith("Rehearsing  40%  ETA 0:01:30")


def test_what_the_base_model_wrote_is_told_at_the_end() -> None:
    rehearsal = RehearsalStatus(progress_percentage=100, sources=rehearse_result().sources)
    status = BlendedFineTuneStatus(state=State.SUCCEEDED, rehearsal=rehearsal)
    console = Console(file=io.StringIO(), width=200)
    print_result(console, with_status(status), None, [])
    assert isinstance(console.file, io.StringIO)
    assert (
        "rehearsed  known: 100 rows of 5,000 tokens, of 128 written, up to 200 tokens each, "
        "in Latin (97), Han (3); left out: 20 Unfinished, 8 NearRubric" in console.file.getvalue()
    )


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        ({"done": 69, "total": 414, "estimatedRemainingSeconds": 90}, "69/414 answers  ETA 0:01:30"),
        ({"done": 414, "total": 414}, "414/414 answers"),
        ({"done": 1}, ""),
        (None, ""),
    ],
)
def test_an_evaluation_tells_how_far_it_is(
    tmp_path: Path, progress: dict[str, int] | None, expected: str
) -> None:
    run = with_status(BlendedFineTuneStatus(state=State.EVALUATING))
    folder = workspace(tmp_path, run.spec.storage, run.metadata.namespace, run.metadata.name).evaluation
    folder.mkdir(parents=True)
    if progress is not None:
        (folder / "progress.json").write_text(json.dumps(progress))
    assert evaluation_progress(run, tmp_path) == expected


def printed(run: BlendedFineTune, evaluation: RubricEval | None = None, width: int = 160) -> str:
    console = Console(width=width, file=io.StringIO())
    with console.capture() as capture:
        print_result(console, run, evaluation, [("report", Path("/r/report.html"))])
    return capture.get()


def test_scores_stand_beside_the_base_models_and_what_is_missing_is_no_number() -> None:
    summary = EvaluationSummary(
        name="ads",
        overall=ScopeScore(name="overall", n=3, unscored=1),
        in_domain=ScopeScore(
            name="inDomain", score=0.9, low=0.8, high=0.95, n=24, baseline_score=0.1, delta=0.8
        ),
        benchmarks=(
            BenchmarkScore(name="mmlu", metric="acc", score=0.5, n=9, baseline_score=0.52, delta=-0.02),
        ),
        gates=(
            GateStatus(
                metric=Metric.IN_DOMAIN,
                rule="minGain",
                threshold=0.3,
                result=GateResult.PASSED,
                value=0.8,
                low=0.7,
                high=0.9,
            ),
        ),
    )
    text = printed(with_status(BlendedFineTuneStatus(state=State.SUCCEEDED, evaluation=summary)))
    overall = next(line for line in text.splitlines() if "overall" in line)
    assert "0.000" not in overall
    assert all(number in text for number in ("0.100", "0.900", "+0.800", "0.80 to 0.95"))
    assert "gate inDomain minGain 0.3: +0.800 (+0.700 to +0.900) Passed" in text
    assert "benchmark  mmlu: acc 0.500, base 0.520, change -0.020" in text
    assert "/r/report.html" in text


def test_long_names_take_no_number_from_80_columns() -> None:
    category = ScopeScore(
        name="language-and-instructions-of-the-house", score=0.125, low=0.05, high=0.35, n=135, unscored=12,
        baseline_score=0.25, delta=-0.125, delta_low=-0.48, delta_high=0.25,
    )  # fmt: skip
    status = RubricEvalStatus(state=State.SUCCEEDED, overall=category, categories=(category,))
    evaluation = RubricEval(metadata=rubric_eval().metadata, spec=rubric_eval().spec, status=status)
    run = with_status(BlendedFineTuneStatus(state=State.SUCCEEDED))
    lines = printed(run, evaluation, width=80).splitlines()
    (row, _) = (line for line in lines if "0.125" in line)
    assert " ".join(row.split()[1:]) == "0.250 0.125 0.05 to 0.35 -0.125 -0.48 to +0.25 135 12"
    assert max(map(len, lines)) <= 80


def test_bad_rows_are_told_with_the_blend() -> None:
    source = BlendedSource(
        name="ads",
        examples=10,
        tokens=100,
        target_share=1,
        achieved_share=1,
        epochs=1,
        dropped=1_234,
        bad_rows=28,
    )
    bad = BadRows(reason=BadRowReason.EMPTY_CONTENT, rows=28, first="ads.jsonl:7")
    blend = BlendStatus(digest="d", tokens=100, sources=(source,), bad_rows=(bad,))
    lines = printed(with_status(BlendedFineTuneStatus(state=State.SUCCEEDED, blend=blend))).splitlines()
    assert any(line.split()[-2:] == ["1,234", "28"] for line in lines)
    assert "bad rows   28 EmptyContent, first ads.jsonl:7" in lines


def test_a_failure_says_why() -> None:
    failed = condition(FAILED, TRUE, Reason.BAD_DATA, "ads.jsonl:17: not valid JSON")
    text = printed(with_status(BlendedFineTuneStatus(state=State.FAILED, conditions=(failed,))))
    assert "BadData: ads.jsonl:17: not valid JSON" in text
