"""The dashboard of quality: what the models gained, what they forgot, and whether that passes."""

from __future__ import annotations

from blendtune_api.v1alpha1 import DiagnosisVerdict, GateResult
from monitoring.grafana import RUN, Json, Panel, Query, Row, View, by_run, dashboard, matrix, merged

_EVALUATION = 'namespace=~"$namespace",name=~"$name"'
_DOMAINS = f'{_EVALUATION},scope_kind=~"overall|domain"'
_BY_RUN = {
    "xField": f"{RUN}\\scope",
    "showValue": "auto",
    "legend": {"displayMode": "list", "placement": "bottom"},
}
_RESULTS = {
    GateResult.PASSED.value: "green",
    GateResult.FAILED.value: "red",
    GateResult.INCONCLUSIVE.value: "orange",
}
_DIAGNOSES = {
    DiagnosisVerdict.BALANCED.value: "green",
    DiagnosisVerdict.IMBALANCED_BLEND.value: "orange",
    DiagnosisVerdict.FORGETTING.value: "red",
    DiagnosisVerdict.NOT_LEARNED.value: "orange",
    DiagnosisVerdict.OVERTRAINED.value: "orange",
    DiagnosisVerdict.HARMED.value: "red",
    DiagnosisVerdict.INCONCLUSIVE.value: "yellow",
}


def _by(labels: str, series: str, selector: str = _EVALUATION) -> str:
    return f"max by ({labels}) ({series}{{{selector}}})"


_SCORES = Row("Scores", (
    Panel(
        title="Scores over runs",
        description="Score of each tuned model, 0 to 1: over all, the general and the in-domain questions.",
        unit="none", view=View.BAR_CHART, width=12, minimum=0, maximum=1, decimals=2, options=_BY_RUN,
        queries=[Query(by_run("blendtune_eval_score", _DOMAINS, "scope"))],
        transformations=[matrix("scope")],
    ),
    Panel(
        title="General against in-domain",
        description="Change against the base model: what was gained in-domain, and forgotten in general.",
        unit="none", view=View.BAR_CHART, width=12, decimals=2, options=_BY_RUN,
        queries=[Query(by_run("blendtune_eval_delta", f'{_EVALUATION},scope_kind="domain"', "scope"))],
        transformations=[matrix("scope")],
    ),
    Panel(
        title="Base and tuned",
        description="Scores of both models on the same questions, and the change with its 95% interval.",
        unit="none", view=View.TABLE, width=24, height=12, decimals=3,
        queries=[Query(_by("namespace, name, scope", series, _DOMAINS)) for series in (
            "blendtune_eval_baseline_score", "blendtune_eval_score", "blendtune_eval_score_low",
            "blendtune_eval_score_high", "blendtune_eval_delta", "blendtune_eval_delta_low",
            "blendtune_eval_delta_high",
        )],
        transformations=merged({
            "A": "base", "B": "tuned", "C": "tuned low", "D": "tuned high", "E": "change", "F": "change low",
            "G": "change high",
        }),
    ),
))  # fmt: skip

_DETAIL = Row("Categories and dimensions", (
    Panel(
        title="Scores by category",
        description="Heat map of the tuned models' scores. Categories describe, and are never gated.",
        unit="none", view=View.TABLE, width=24, minimum=0, maximum=1, decimals=2, coloured=True,
        queries=[Query(by_run("blendtune_eval_score", f'{_EVALUATION},scope_kind="category"', "scope"))],
        transformations=[matrix("scope")],
    ),
    Panel(
        title="Change by category",
        description="Heat map of the change against the base model: red was forgotten, green was learned.",
        unit="none", view=View.TABLE, width=24, minimum=-1, maximum=1, decimals=2, coloured=True,
        queries=[Query(by_run("blendtune_eval_delta", f'{_EVALUATION},scope_kind="category"', "scope"))],
        transformations=[matrix("scope")],
    ),
    Panel(
        title="Dimensions",
        description="Reliability, consistency and business impact of each tuned model, 0 to 1.",
        unit="none", view=View.BAR_CHART, width=24, minimum=0, maximum=1, decimals=2, options=_BY_RUN,
        queries=[Query(by_run("blendtune_eval_score", f'{_EVALUATION},scope_kind="dimension"', "scope"))],
        transformations=[matrix("scope")],
    ),
))  # fmt: skip

_GATES = Row("Gates and diagnosis", (
    Panel(
        title="Gates by result",
        description="How many gates passed, failed, or need a person to decide.",
        unit="short", view=View.STAT, height=9, colours=_RESULTS,
        queries=[Query(f"sum by (result) (blendtune_gate{{{_EVALUATION}}})", "{{result}}")],
    ),
    Panel(
        title="Gates",
        description="What each gate measured, its threshold and its result.",
        unit="none", view=View.TABLE, width=16, height=9, decimals=3,
        queries=[
            Query(_by("namespace, name, metric, benchmark, rule", "blendtune_gate_value")),
            Query(_by("namespace, name, metric, benchmark, rule", "blendtune_gate_threshold")),
            Query(f'{_by("namespace, name, metric, benchmark, rule, result", "blendtune_gate")} == 1'),
        ],
        transformations=merged({"A": "value", "B": "threshold"}, hidden=("Value #C",)),
    ),
    Panel(
        title="Diagnosis",
        description="What the scores say of the blend; the run's status holds the evidence and what to try.",
        unit="short", view=View.STAT, width=24, height=4, colours=_DIAGNOSES,
        queries=[Query(
            f"sum by (verdict) (blendtune_run_diagnosis{{{_EVALUATION}}})", "{{verdict}}"
        )],
    ),
))  # fmt: skip

_KEPT = Row("What was kept", (
    Panel(
        title="Retention",
        description="Loss on general text of both models in nats per token, its rise with the 95% interval.",
        unit="none", view=View.TABLE, width=12, height=8, decimals=3,
        queries=[Query(_by("namespace, name, text", f"blendtune_retention_{series}")) for series in (
            "baseline_loss", "loss", "rise", "rise_low", "rise_high", "divergence",
        )],
        transformations=merged({
            "A": "base", "B": "tuned", "C": "rise", "D": "rise low", "E": "rise high", "F": "divergence",
        }),
    ),
    Panel(
        title="Standard benchmarks",
        description="Scores of both models on the metric's scale, and the change with its 95% interval.",
        unit="none", view=View.TABLE, width=12, height=8, decimals=3,
        queries=[Query(_by("namespace, name, benchmark, metric", f"blendtune_benchmark_{series}"))
                 for series in ("baseline_score", "score", "delta", "delta_low", "delta_high")],
        transformations=merged({
            "A": "base", "B": "tuned", "C": "change", "D": "change low", "E": "change high",
        }),
    ),
))  # fmt: skip

_TRUST = Row("How far the scores can be trusted", (
    Panel(
        title="Questions that were scored",
        description="Share of the rubric's questions that the judge could score.",
        unit="percentunit", view=View.BAR_GAUGE, minimum=0, maximum=1,
        thresholds=[(None, "red"), (0.9, "green")],
        queries=[Query(
            f"blendtune_eval_coverage_ratio{{{_EVALUATION}}}", "{{namespace}}/{{name}} ({{judge}})"
        )],
    ),
    Panel(
        title="Unscored questions",
        description="Questions that could not be scored, by scope. They count nowhere, not as wrong either.",
        unit="short", view=View.BAR_GAUGE, minimum=0, thresholds=[(None, "green"), (1, "orange")],
        queries=[Query(
            f"blendtune_eval_unscored_questions{{{_DOMAINS}}}", "{{namespace}}/{{name}} {{scope}}"
        )],
    ),
    Panel(
        title="Critical errors",
        description="Answers of the tuned model with an error that the rubric calls critical.",
        unit="short", view=View.BAR_GAUGE, minimum=0, thresholds=[(None, "green"), (1, "red")],
        queries=[Query(f"blendtune_eval_critical_errors{{{_EVALUATION}}}")],
    ),
    Panel(
        title="Undecided answers",
        description="Answers that the rules left undecided, by reason: a model judge or a person can decide.",
        unit="short", view=View.TABLE, width=12,
        queries=[Query(_by("namespace, name, reason", "blendtune_eval_unsure_answers"))],
        transformations=merged({"A": "answers"}),
    ),
    Panel(
        title="Unfinished answers",
        description="Answers that were cut within their thoughts, of each model. Raise maxNewTokens.",
        unit="short", view=View.TABLE, width=12,
        queries=[Query(by_run("blendtune_eval_unfinished_answers", _EVALUATION, "whose"))],
        transformations=[matrix("whose")],
    ),
))  # fmt: skip

_BLEND = Row("Blend", (
    Panel(
        title="Shares of the sources",
        description="Share of each source in the blend's unit: as declared, and as achieved.",
        unit="percentunit", view=View.TABLE, width=12, height=9, decimals=2,
        queries=[
            Query(_by("namespace, name, source", "blendtune_blend_target_share")),
            Query(_by("namespace, name, source", "blendtune_blend_achieved_share")),
        ],
        transformations=merged({"A": "target", "B": "achieved"}),
    ),
    Panel(
        title="Loss on held-out rows",
        description="Validation loss of each source before and after training, nats per supervised token.",
        unit="none", view=View.TABLE, width=12, height=9, decimals=3,
        queries=[
            Query(_by("namespace, name, source", "blendtune_training_validation_loss",
                      f'{_EVALUATION},moment="{moment}"'))
            for moment in ("before", "after")
        ],
        transformations=merged({"A": "before", "B": "after"}),
    ),
))  # fmt: skip


_STUDY = 'namespace=~"$namespace"'
_STUDIES = Row("Studies", (
    Panel(
        title="Runs of the studies",
        description="Runs of each study by their state.",
        unit="short", view=View.TABLE, width=12, height=5,
        queries=[Query(by_run("blendtune_study_runs", _STUDY, "state"))],
        transformations=[matrix("state")],
    ),
    Panel(
        title="GPU hours of the studies",
        description="GPU hours of training that each study's runs spent, and those expected by its end.",
        unit="suffix: h", view=View.TABLE, width=12, height=5, decimals=2,
        queries=[
            Query(_by("namespace, name", f"blendtune_study_{series}", _STUDY))
            for series in ("gpu_hours", "expected_gpu_hours")
        ],
        transformations=merged({"A": "spent", "B": "expected"}),
    ),
    Panel(
        title="Verdicts of the studies",
        description="Whether an ended study recommends a setting, cannot tell, or finds none allowed.",
        unit="short", view=View.STAT, width=12, height=4, options={"textMode": "name"},
        queries=[Query(f"blendtune_study_verdict{{{_STUDY}}} == 1", "{{namespace}}/{{name}} {{verdict}}")],
    ),
    Panel(
        title="Recommended share",
        description="Share of in-domain data that each study recommends.",
        unit="percentunit", view=View.STAT, width=12, height=4, minimum=0, maximum=1,
        queries=[Query(f"blendtune_study_recommended_share{{{_STUDY}}}")],
    ),
))  # fmt: skip


def quality() -> Json:
    return dashboard(
        "blendtune-quality",
        "Blendtune / Quality",
        "Scores of the tuned models beside their base models, gates, and the blends they were trained on.",
        "blendtune_eval_score",
        (_SCORES, _DETAIL, _GATES, _KEPT, _TRUST, _BLEND, _STUDIES),
    )
