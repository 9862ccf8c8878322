"""What a person sees of a study: its settings with their scores, and the recommendation."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from blendtune_api.blend_study import BlendStudy, RecommendationVerdict, StudyRunState, StudyState
from blendtune_operator.cli.exit_status import ExitStatus
from blendtune_operator.plan.study.observation import Mean, summarise
from blendtune_operator.plan.study.presentation import describe, high, low, score_range
from blendtune_operator.plan.study.recommendation import pareto_front
from blendtune_operator.plan.study.runs import observations


def print_study(study: BlendStudy, console: Console) -> None:
    """Prints the settings with their scores, the failed runs, and the recommendation."""
    status = study.status
    console.print(f"{study.metadata.name}  {status.state}", style="bold", highlight=False)
    console.print(study_table(study))
    for run in status.runs:
        if run.state is StudyRunState.FAILED:
            console.print(f"{run.name} failed: {run.message}", style="red", markup=False, soft_wrap=True)
    if status.recommendation is not None:
        console.print(status.recommendation.message, highlight=False, markup=False, soft_wrap=True)


def study_table(study: BlendStudy) -> Table:
    """Each setting with the means of its runs and their 95% intervals over questions and seeds."""
    objective = study.spec.objective
    summaries = summarise(observations(study.status.runs, objective))
    front = pareto_front(summaries)
    caption = "* no other setting beats it in both metrics; h: GPU hours of a run"
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, caption=caption, caption_justify="left")
    for name in ("setting", "runs", objective.maximize, objective.subject_to.subject, "change", "h"):
        table.add_column(name, no_wrap=name != "setting")
    for summary in summaries:
        one = summary.setting
        mark = " *" if summary in front else ""
        table.add_row(
            describe(one, [other.setting for other in summaries]) + mark,
            str(summary.runs),
            _score(summary.objective),
            f"{summary.constrained.value:.2f}",
            _change(summary.change),
            "-" if summary.gpu_hours is None else f"{summary.gpu_hours:.3g}",
        )
    return table


def _score(mean: Mean) -> str:
    lowest, highest = score_range(mean)
    return f"{mean.value:.2f} ({lowest:.2f} to {highest:.2f})"


def _change(mean: Mean) -> str:
    return f"{mean.value:+.2f} ({low(mean):+.2f} to {high(mean):+.2f})"


def study_exit_status(study: BlendStudy) -> ExitStatus:
    recommendation = study.status.recommendation
    if study.status.state is not StudyState.SUCCEEDED or recommendation is None:
        return ExitStatus.FAILED
    return {
        RecommendationVerdict.RECOMMENDED: ExitStatus.SUCCESS,
        RecommendationVerdict.NONE_ALLOWED: ExitStatus.FAILED,
        RecommendationVerdict.CANNOT_TELL: ExitStatus.INCONCLUSIVE,
    }[recommendation.verdict]
