"""From question scores to the scores of scopes, with intervals, beside a baseline's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from blendtune_api.contract import EvalResult
from blendtune_api.v1alpha1 import EpochScope, EpochScore, EvaluationDigests, Role, ScopeScore
from blendtune_core.gates import verdict_of
from blendtune_core.paired_scores import PairedValue, PairedValues, corrected
from blendtune_core.power import level_of
from blendtune_core.sequential import ONLY_LOOK, Look
from blendtune_core.statistics import Interval
from blendtune_eval.rubric import Category, Question
from blendtune_eval.scoring.dimensions import (
    BUSINESS_IMPACT,
    CONSISTENCY,
    RELIABILITY,
    business_impact,
    consistency,
    reliability,
)
from blendtune_eval.scoring.score import QuestionScore

OVERALL, GENERAL, IN_DOMAIN = "overall", "general", "inDomain"
_STRATA = {role: stratum for stratum, role in enumerate(Role)}
_NO_DIGESTS = EvaluationDigests()


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """What is measured of each question: a value in [minimum, 1], None where it could not be scored."""

    of: Callable[[QuestionScore], float | None]
    minimum: float = 0.0
    weighted: bool = True
    bounds: Callable[[QuestionScore], Interval | None] = lambda _: None  # of what could not be scored

    def weight(self, question: Question) -> float:
        return question.weight if self.weighted else 1.0


_SCORE = Measure(of=lambda score: score.score, bounds=lambda score: score.bounds)
_RELIABILITY = Measure(of=reliability, weighted=False)
_CONSISTENCY = Measure(of=consistency, weighted=False)


def analyse(
    categories: Sequence[Category],
    scores: Sequence[QuestionScore],
    baseline: Sequence[QuestionScore] | None = None,
    *,
    digests: EvaluationDigests = _NO_DIGESTS,
    not_compared: str = "",
    look: Look = ONLY_LOOK,
    candidates: int = 1,
) -> EvalResult:
    """The scores of all scopes and, beside a baseline, the verdict where there are no gates.

    Both models were asked the same questions. `not_compared` is the reason why the two may not be compared:
    the baseline then has its scores, but there are no differences and no verdict. `digests` say what decided
    the scores. Intervals and p-values pay for the looks beside `look`; where the model is to be chosen from
    several `candidates`, they hold for all of them together. Epochs, benchmarks and the place of the report
    are left empty.
    """
    paired = _Paired.of(scores, baseline, compared=not not_compared, look=look, candidates=candidates)
    general, in_domain = _domains(paired)
    coverage = min(_coverage(scores), _coverage(baseline or scores))
    impact = Measure(
        of=business_impact,
        minimum=-1.0 if any(score.question.has_critical_errors for score in scores) else 0.0,
    )
    result = EvalResult(
        overall=paired.tested_score(OVERALL),
        general=general,
        in_domain=in_domain,
        dimensions=(
            paired.score(RELIABILITY, _RELIABILITY),
            paired.score(CONSISTENCY, _CONSISTENCY),
            paired.within(Role.IN_DOMAIN).score(BUSINESS_IMPACT, impact),
        ),
        categories=tuple(_category(paired, category) for category in categories),
        coverage=coverage,
        digests=digests,
        not_compared=not_compared or _without_baseline(baseline),
    )
    return replace(result, verdict=verdict_of(result, ()))


def epoch_score(
    epoch: int, model: Sequence[QuestionScore], then: Sequence[QuestionScore], look: Look = ONLY_LOOK
) -> EpochScore:
    """The model's scores after an earlier epoch, `then`, and what it gained since."""
    general, in_domain = _domains(_Paired.of(model, then, look=look))
    return EpochScore(epoch=epoch, general=_since(general), in_domain=_since(in_domain))


def _since(score: ScopeScore) -> EpochScope | None:
    if score.baseline_score is None:
        return None
    return EpochScope(
        score=score.baseline_score, gain=score.delta, low=score.delta_low, high=score.delta_high
    )


@dataclass(frozen=True, slots=True)
class _Paired:
    """Each question's scores: the model's and, where there is a baseline, the baseline's."""

    pairs: tuple[tuple[QuestionScore, QuestionScore | None], ...]
    compared: bool
    look: Look = ONLY_LOOK
    candidates: int = 1

    @classmethod
    def of(
        cls,
        scores: Sequence[QuestionScore],
        baseline: Sequence[QuestionScore] | None,
        *,
        compared: bool = True,
        look: Look = ONLY_LOOK,
        candidates: int = 1,
    ) -> _Paired:
        """Raises KeyError for a question that the baseline was not asked."""
        if baseline is None:
            return cls(tuple((score, None) for score in scores), compared, look, candidates)
        by_question = {score.question.id: score for score in baseline}
        pairs = tuple((score, by_question[score.question.id]) for score in scores)
        return cls(pairs, compared, look, candidates)

    def where(self, belongs: Callable[[Question], bool]) -> _Paired:
        return replace(self, pairs=tuple(pair for pair in self.pairs if belongs(pair[0].question)))

    def within(self, domain: Role) -> _Paired:
        return self.where(lambda question: question.domain is domain)

    def score(self, name: str, measure: Measure = _SCORE) -> ScopeScore:
        errors = sum(model.critical_error for model, _ in self.pairs)
        return replace(self._values(measure).score(name), critical_errors=errors)

    def tested_score(self, name: str) -> ScopeScore:
        return self._values(_SCORE).tested(self.score(name))

    def _values(self, measure: Measure) -> PairedValues:
        questions = [
            PairedValue(
                model=measure.of(model),
                baseline=None if baseline is None else measure.of(baseline),
                weight=measure.weight(model.question),
                stratum=_STRATA[model.question.domain],
                model_bounds=measure.bounds(model),
                baseline_bounds=None if baseline is None else measure.bounds(baseline),
            )
            for model, baseline in self.pairs
        ]
        return PairedValues(
            questions=questions,
            minimum=measure.minimum,
            compared=self.compared,
            look=self.look,
            level=level_of(self.candidates),
        )


def _domains(paired: _Paired) -> list[ScopeScore]:
    """The general and the in-domain score. Two domains are tested: their p-values are corrected for two."""
    return corrected(
        [
            paired.within(Role.GENERAL).tested_score(GENERAL),
            paired.within(Role.IN_DOMAIN).tested_score(IN_DOMAIN),
        ],
        paired.candidates,
    )


def _category(paired: _Paired, category: Category) -> ScopeScore:
    """Nothing is concluded from a category, so the bounds of what is unscored are left out."""
    score = paired.where(lambda question: question.category == category.name).score(category.name)
    return replace(score, worst=None, best=None, delta_worst=None, delta_best=None)


def _without_baseline(baseline: Sequence[QuestionScore] | None) -> str:
    """Why nothing can be compared although the base model was asked; empty if something can."""
    if baseline is None or any(score.score is not None for score in baseline):
        return ""
    reasons = (wording.unscored for score in baseline for wording in score.wordings if wording.unscored)
    return (
        f"none of the base model's answers was scored, the first because: {next(reasons, 'it is undecided')}"
    )


def _coverage(scores: Sequence[QuestionScore]) -> float:
    """Share of the questions whose answers were all judged, though rules may have left some undecided."""
    return sum(not score.failed for score in scores) / len(scores)
