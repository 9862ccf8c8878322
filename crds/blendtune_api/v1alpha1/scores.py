"""Scores, gates, verdicts and diagnosis, as the status holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from blendtune_api.marks import Mark
from blendtune_api.v1alpha1.enums import DiagnosisVerdict, GateResult, Metric, RetentionText, Verdict
from blendtune_api.v1alpha1.gate import subject_of
from blendtune_api.v1alpha1.interpolation import INTERPOLATION_STATUS, InterpolationStatus
from blendtune_api.v1alpha1.limits import MAX_BENCHMARKS, MAX_EPOCH_MODELS

_LOW = "Lower end of the 95% interval, with what is unscored counted against the model."
_HIGH = "Upper end of the 95% interval, with what is unscored counted for the model."


@dataclass(frozen=True, kw_only=True, slots=True)
class ScopeScore:
    """The score of one scope: overall, a domain, a dimension or a category. Missing is never zero."""

    name: Annotated[str, Mark("Name of the scope.", max_length=63)]
    score: Annotated[
        float | None, Mark("Score; absent when nothing could be scored.", minimum=0, maximum=1)
    ] = None
    low: Annotated[float | None, Mark(_LOW, minimum=0, maximum=1)] = None
    high: Annotated[float | None, Mark(_HIGH, minimum=0, maximum=1)] = None
    n: Annotated[int, Mark("Questions scored.", minimum=0)] = 0
    unscored: Annotated[int, Mark("Questions that were undecided or not judged.", minimum=0)] = 0
    baseline_score: Annotated[float | None, Mark("Score of the base model.", minimum=0, maximum=1)] = None
    delta: Annotated[float | None, Mark("Score less the base model's.", minimum=-1, maximum=1)] = None
    delta_low: Annotated[float | None, Mark(_LOW, minimum=-1, maximum=1)] = None
    delta_high: Annotated[float | None, Mark(_HIGH, minimum=-1, maximum=1)] = None
    p_value: Annotated[
        float | None,
        Mark(
            "Two-sided p-value of the delta, by a sign-flip test; for the domains, Holm-corrected.",
            minimum=0,
            maximum=1,
        ),
    ] = None
    minimum_detectable_effect: Annotated[
        float | None, Mark("Smallest delta that is found with 80% power at 5%.", minimum=0)
    ] = None
    worst: Annotated[
        float | None,
        Mark("Score if every unscored question had failed; absent if none is unscored.", minimum=0),
    ] = None
    best: Annotated[float | None, Mark("Score if every unscored question had passed.", maximum=1)] = None
    delta_worst: Annotated[
        float | None, Mark("Delta if every unscored question went against the model.", minimum=-1)
    ] = None
    delta_best: Annotated[
        float | None, Mark("Delta if every unscored question went for the model.", maximum=1)
    ] = None
    critical_errors: Annotated[int, Mark("Questions answered with a critical error.", minimum=0)] = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochScope:
    """The score of a scope after an earlier epoch, and the gain since then."""

    score: Annotated[float, Mark("Score after that epoch.", minimum=0, maximum=1)]
    gain: Annotated[
        float | None,
        Mark("The final model's score minus that one, on the questions scored for both.", minimum=-1),
    ] = None
    low: Annotated[float | None, Mark("Lower end of the gain's 95% interval.", minimum=-1)] = None
    high: Annotated[float | None, Mark("Upper end of the gain's 95% interval.", minimum=-1)] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochScore:
    epoch: Annotated[int, Mark("Number of the epoch, from 1.", minimum=1)]
    general: Annotated[EpochScope | None, Mark("General questions.")] = None
    in_domain: Annotated[EpochScope | None, Mark("In-domain questions.")] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchmarkScore:
    """The result of lm-evaluation-harness on one benchmark, on the scale of its metric."""

    name: Annotated[str, Mark("Name of the task or group.", max_length=100)]
    metric: Annotated[
        str, Mark("Its first metric, and the filter of the answers if there is one.", max_length=100)
    ]
    score: Annotated[float, Mark("Value of the metric.")]
    standard_error: Annotated[
        float | None, Mark("Standard error of the score; absent where unknown.", minimum=0)
    ] = None
    n: Annotated[int, Mark("Samples scored.", minimum=0)]
    lower_is_better: Annotated[
        bool | None, Mark("Whether less is better, as of a perplexity. Absent: more is.")
    ] = None
    also: Annotated[
        str, Mark("The same metric by the task's other filters of the answers.", max_length=255)
    ] = ""
    baseline_score: Annotated[float | None, Mark("Score of the base model.")] = None
    baseline_standard_error: Annotated[float | None, Mark("Its standard error.", minimum=0)] = None
    delta: Annotated[float | None, Mark("Score less the base model's.")] = None
    delta_low: Annotated[float | None, Mark("Lower end of its 95% interval.")] = None
    delta_high: Annotated[float | None, Mark("Upper end of its 95% interval.")] = None

    @property
    def gain(self) -> tuple[float, float, float] | None:
        """The delta and its interval, turned round where less is better; None without an interval."""
        if self.delta is None or self.delta_low is None or self.delta_high is None:
            return None
        if self.lower_is_better:
            return 0.0 - self.delta, 0.0 - self.delta_high, 0.0 - self.delta_low
        return self.delta, self.delta_low, self.delta_high


@dataclass(frozen=True, kw_only=True, slots=True)
class UnsureAnswers:
    """Answers that the rules left undecided for one reason."""

    reason: Annotated[str, Mark("Why.", max_length=255)]
    answers: Annotated[int, Mark("How many, of the model and its baseline.", minimum=1)]


@dataclass(frozen=True, kw_only=True, slots=True)
class UnfinishedAnswers:
    """Answers that were cut within their thoughts, and so are none."""

    model: Annotated[int, Mark("Of the model.", minimum=0)] = 0
    baseline: Annotated[int, Mark("Of the base model.", minimum=0)] = 0
    max_new_tokens: Annotated[
        int, Mark("An estimate of the sampling.maxNewTokens that lets all but few finish.", minimum=1)
    ] = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedQuestions:
    """How far an evaluation has asked that may stop once its gates are decided."""

    questions: Annotated[int, Mark("Questions put to the model.", minimum=0)]
    of: Annotated[int, Mark("Questions of the rubric.", minimum=0)]
    look: Annotated[int, Mark("The look at the answers after which it stopped, from 1.", minimum=1)]
    looks: Annotated[int, Mark("Looks that were planned.", minimum=1)]
    open: Annotated[
        tuple[Annotated[str, Mark("Metric and rule.", max_length=255)], ...],
        Mark("Gates on scores that the answers left open.", max_items=16),
    ] = ()


ASKED_QUESTIONS = Mark("How many questions were asked; absent where stopWhenDecided is not set.")

UNSURE_ANSWERS = Mark(
    "Answers that the rules could not decide, the most frequent reason first.", max_items=16
)
UNFINISHED_ANSWERS = Mark("Answers cut within their thoughts; absent where none was.")

BENCHMARK_SCORES = Mark(
    "Standard benchmarks: those of gates first, else as the spec orders them.", max_items=MAX_BENCHMARKS
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RetentionScore:
    """How well both models predict general text, in nats per token: less is better."""

    text: Annotated[RetentionText, Mark("The text that is predicted.")]
    rows: Annotated[int, Mark("Rows or answers.", minimum=0)]
    tokens: Annotated[int, Mark("Tokens predicted.", minimum=0)]
    baseline: Annotated[float, Mark("Loss of the base model.")]
    loss: Annotated[float, Mark("Loss of the tuned model.")]
    rise: Annotated[float, Mark("Loss less the base model's.")]
    rise_low: Annotated[float, Mark("Lower end of its 95% interval.")]
    rise_high: Annotated[float, Mark("Upper end of its 95% interval.")]
    divergence: Annotated[
        float, Mark("KL divergence of the tuned model's predictions from the base model's.", minimum=0)
    ]


RETENTION_SCORES = Mark("What was kept, token by token.", max_items=len(RetentionText))

EPOCH_SCORES = Mark("Scores after earlier epochs: the continual-training curve.", max_items=MAX_EPOCH_MODELS)


@dataclass(frozen=True, kw_only=True, slots=True)
class GateStatus:
    metric: Annotated[Metric, Mark("What is measured.")]
    name: Annotated[str, Mark("The benchmark; empty for other metrics.", max_length=100)] = ""
    rule: Annotated[
        str,
        Mark(
            "The threshold's field: minScore, minGain, maxDrop, maxRise or maxCriticalErrors.", max_length=63
        ),
    ]
    threshold: Annotated[float, Mark("The threshold.", minimum=0)]
    result: Annotated[GateResult, Mark("Passed, Failed or Inconclusive.")]
    value: Annotated[float | None, Mark("What was measured.")] = None
    low: Annotated[float | None, Mark("Lower end of its 95% interval.")] = None
    high: Annotated[float | None, Mark("Upper end of its 95% interval.")] = None
    message: Annotated[str, Mark("Why, with the numbers.", max_length=512)] = ""

    @property
    def subject(self) -> str:
        return subject_of(self.metric, self.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationDigests:
    model: Annotated[str, Mark("Weights of the model.", max_length=128)] = ""
    baseline: Annotated[str, Mark("Weights of the baseline.", max_length=128)] = ""
    rubric: Annotated[str, Mark("The questions and criteria.", max_length=128)] = ""
    judge: Annotated[str, Mark("Kind and version of the judge.", max_length=128)] = ""
    template: Annotated[str, Mark("Chat template and its variables.", max_length=128)] = ""
    decoding: Annotated[str, Mark("Stop tokens, limits, sampling, precision and engine.", max_length=128)] = (
        ""
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationSummary:
    """The part of a RubricEval's status that its BlendedFineTune shows."""

    name: Annotated[str, Mark("Name of the RubricEval.", max_length=253)]
    overall: Annotated[ScopeScore | None, Mark("All questions.")] = None
    general: Annotated[ScopeScore | None, Mark("General questions.")] = None
    in_domain: Annotated[ScopeScore | None, Mark("In-domain questions.")] = None
    dimensions: Annotated[
        tuple[ScopeScore, ...], Mark("reliability, consistency, businessImpact.", max_items=3)
    ] = ()
    gates: Annotated[tuple[GateStatus, ...], Mark("Each gate's outcome.", max_items=16)] = ()
    coverage: Annotated[
        float | None,
        Mark(
            "Share of the questions that were judged, if not decided by rules; of two models, the lesser.",
            minimum=0,
            maximum=1,
        ),
    ] = None
    verdict: Annotated[Verdict | None, Mark("Tuned against base.")] = None
    not_compared: Annotated[
        str, Mark("Why the model was not compared with its baseline; empty when it was.", max_length=1024)
    ] = ""
    epochs: Annotated[tuple[EpochScore, ...], EPOCH_SCORES] = ()
    benchmarks: Annotated[tuple[BenchmarkScore, ...], BENCHMARK_SCORES] = ()
    retention: Annotated[tuple[RetentionScore, ...], RETENTION_SCORES] = ()
    unsure: Annotated[tuple[UnsureAnswers, ...], UNSURE_ANSWERS] = ()
    unfinished: Annotated[UnfinishedAnswers | None, UNFINISHED_ANSWERS] = None
    asked: Annotated[AskedQuestions | None, ASKED_QUESTIONS] = None
    interpolation: Annotated[InterpolationStatus | None, INTERPOLATION_STATUS] = None
    report_uri: Annotated[str, Mark("Folder of the report.", max_length=1024)] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RubricStatus:
    name: Annotated[str, Mark("Name of the rubric, as its file states it.", max_length=63)]
    digest: Annotated[str, Mark("Digest of the questions and criteria.", max_length=128)]
    general: Annotated[int, Mark("General questions.", minimum=0)]
    in_domain: Annotated[int, Mark("In-domain questions.", minimum=0)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    verdict: Annotated[DiagnosisVerdict, Mark("What the scores say about the blend.")]
    message: Annotated[str, Mark("The evidence, and what to try.", max_length=4096)]
