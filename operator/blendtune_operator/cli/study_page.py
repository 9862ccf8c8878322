"""The report of a study: one self-contained page with the curves, the plane, the front and the answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from blendtune_api.blend_study import BlendStudy, StudyRun, StudyRunState, StudyScore
from blendtune_documents.pages import render
from blendtune_operator.cli.study_plots import curves, plane
from blendtune_operator.plan.study.observation import Summary, summarise
from blendtune_operator.plan.study.presentation import describe, high, low, score_range
from blendtune_operator.plan.study.recommendation import pareto_front
from blendtune_operator.plan.study.runs import observations

_RUN_HEADS = ("run", "share", "model", "epochs", "method", "learning rate", "seed", "state", "scores",
              "GPU hours", "")  # fmt: skip


def study_page(study: BlendStudy) -> str:
    """The whole page. It loads nothing from elsewhere."""
    objective, found = study.spec.objective, study.status.recommendation
    observed = tuple(observations(study.status.runs, objective))
    summaries = summarise(observed)
    pursued, kept = objective.maximize, objective.subject_to.subject
    values = {
        "name": study.metadata.name,
        "namespace": study.metadata.namespace,
        "answer": "The study has not ended." if found is None else found.message,
        "pursued": pursued,
        "kept": kept,
        "max_drop": objective.subject_to.most,
        "curves": list(curves(study, observed, summaries)),
        "against": plane(study, observed, summaries) if objective.subject_to.is_score else None,
        "setting_heads": ("setting", "runs", pursued, "95%", kept, "change", "95%",
                          "GPU hours", "gain per GPU hour", "front"),
        "settings": _settings(summaries),
        "run_heads": _RUN_HEADS,
        "runs": _runs(study.status.runs),
    }  # fmt: skip
    return render("study", values)


def _settings(summaries: Sequence[Summary]) -> list[tuple[str, ...]]:
    front = pareto_front(summaries)
    return [
        (
            describe(summary.setting, [other.setting for other in summaries]),
            str(summary.runs),
            f"{summary.objective.value:.3f}",
            "{:.3f} to {:.3f}".format(*score_range(summary.objective)),
            f"{summary.constrained.value:.3f}",
            f"{summary.change.value:+.3f}",
            f"{low(summary.change):+.3f} to {high(summary.change):+.3f}",
            _number(summary.gpu_hours),
            _number(summary.gain_per_gpu_hour),
            "yes" if summary in front else "",
        )
        for summary in summaries
    ]


def _runs(runs: Iterable[StudyRun]) -> list[tuple[str, ...]]:
    return [
        (
            run.name,
            f"{run.in_domain_share:g}",
            run.model,
            f"{run.epochs:g}",
            run.method,
            "" if run.learning_rate is None else f"{run.learning_rate:g}",
            str(run.seed),
            run.state,
            "; ".join(map(_told, run.scores)),
            _number(run.gpu_hours) if run.state is not StudyRunState.PENDING else "",
            run.message,
        )
        for run in runs
    ]


def _told(score: StudyScore) -> str:
    """A score; of what has none, its change."""
    if score.score is not None:
        return f"{score.name} {score.score:.3f}"
    return f"{score.name} {score.delta or 0.0:+.3f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
