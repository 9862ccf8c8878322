"""The sentences of the diagnosis: what to try next, and what the scores do not show."""

from __future__ import annotations

from math import ceil

from blendtune_api.v1alpha1 import GateResult, ScopeScore
from blendtune_core.interpolation import USUAL_WEIGHTS
from blendtune_core.outcome import MOSTLY_GENERAL, Compared, Outcome
from blendtune_core.power import detectable_difference
from blendtune_core.verdict import COVERAGE_FLOOR, GENERAL_MARGIN, Direction, direction

_STEP = 2.0  # the factor by which the next try changes the odds of in-domain to general data
_FEWEST = 7  # questions of a domain below which a sign-flip test finds nothing, corrected for two domains
_GENTLER = "a lower learningRate, fewer epochs or method: LoRA change the model less"


def not_measured(outcome: Outcome) -> str:
    """Why there are no differences in both domains, and what would measure them."""
    scores = outcome.scores
    if scores.not_compared:
        return f"Gain and loss against the base model were not measured: {scores.not_compared}."
    general, in_domain = _asked(scores.general), _asked(scores.in_domain)
    silent = [
        name
        for name, scope in (("general", scores.general), ("in-domain", scores.in_domain))
        if _is_silent(scope)
    ]
    if len(silent) == 1 and general and in_domain:
        return f"None of the {silent[0]} questions was scored: see status.coverage and the report's reasons."
    if general and not in_domain:
        return _one_sided("in-domain", "what the model learned")
    if in_domain and not general:
        rose = scores.in_domain is not None and direction(scores.in_domain) is Direction.UP
        return f"{'The domain was learned. ' * rose}{_one_sided('general', 'what the model forgot')}"
    if len(silent) == general + in_domain:
        return "No question was scored: see status.coverage and the report's reasons."
    if scores.overall is not None and scores.overall.baseline_score is not None:
        return "The base model's answers in one of the domains were not scored: see the report's reasons."
    return "Gain and loss against the base model were not measured: enable evaluation.baseline."


def _asked(scope: ScopeScore | None) -> bool:
    return scope is not None and scope.n + scope.unscored > 0


def _is_silent(scope: ScopeScore | None) -> bool:
    """Whether questions were asked, and none of their answers scored."""
    return scope is not None and scope.n == 0 and scope.unscored > 0


def _one_sided(missing: str, unseen: str) -> str:
    return (
        f"The rubric asks no {missing} questions, so {unseen} was not measured: add some, or use a "
        "built-in rubric, which has both."
    )


def score_more(coverage: float) -> str:
    return (
        f"Only {coverage:.0%} of the questions were judged, and nothing is concluded below "
        f"{COVERAGE_FLOOR:.0%}: the report names why each of the others was not."
    )


def train_more_gently(both: bool) -> str:
    """After a training that made the domain itself worse."""
    if both:
        return (
            "Both scores fell: the training damaged the model, and no other blend mends that. Check that the "
            f"rows' answers are right and that the chat template is the base model's; {_GENTLER}."
        )
    return (
        "The in-domain score fell although the model was trained on the domain: the rows teach something "
        f"else than the rubric asks. Compare the questions that were lost with the rows; {_GENTLER}."
    )


def keep_more(case: Compared) -> str:
    """After forgetting."""
    found = ""
    if case.general_moved is not Direction.DOWN and (case.retention_failed or case.general_loss_rose):
        where = "general text" if case.retention_failed else "held-out general rows"
        found = f"The loss on {where} rose. "
    if case.lost_benchmarks:
        found += f"The score fell by more than its gate allows in {', '.join(case.lost_benchmarks)}. "
    share = case.share
    if share is None:
        return f"{found}Give the general data more weight; {_GENTLER}."
    if share >= 1.0:
        return (
            f"{found}The blend holds no general data: add a general source of equal weight, with uri self:// "
            "if you have no data for it."
        )
    if share <= MOSTLY_GENERAL:
        return (
            f"{found}Only {share:.0%} of the blend was in-domain, so more general data is no remedy: "
            f"{_GENTLER}; and general rows should be like the questions that were lost."
        )
    if case.rows_are_known_by_heart:
        return (
            f"{found}The loss on in-domain rows is close to 0: they are known by heart, so train for fewer "
            f"epochs. {_try_share(share, 1 / _STEP)}"
        )
    return f"{found}{_try_share(share, 1 / _STEP)} Else {_GENTLER}."


def keep_more_general() -> str:
    """After forgetting, where nothing is known of the domain."""
    return f"The general score fell: give the general data more weight; {_GENTLER}."


def go_back(case: Compared) -> str:
    """After forgetting: the way back towards the base model, unless it was tried."""
    if case.outcome.scores.interpolation is not None:
        return ""
    weights = ", ".join(f"{weight:g}" for weight in USUAL_WEIGHTS)
    return (
        f"Without another training: a RubricEval with interpolation: {{weights: [{weights}]}} takes the best "
        "model between base and tuned one."
    )


def still_good(case: Compared) -> str:
    """Of a model whose loss grew although its scores are good."""
    if case.in_domain_moved is Direction.UP and case.is_kept:
        return "Its scores have not suffered: this model can be used."
    return ""


def ask_harder(case: Compared) -> str:
    base = case.in_domain.baseline_score
    return (
        f"The base model already answers the in-domain questions ({base:.2f}), so they cannot show a gain: "
        "ask what only the in-domain data teaches."
    )


def learn_more(case: Compared) -> str:
    """After a training that taught the domain not enough, where a larger share may help."""
    if case.share is None:
        return "Give the in-domain data more weight."
    learnt = "The domain was learned, but not as far as the gate asks. " if _rose(case) else ""
    if case.share <= 0.0:
        return "The blend holds no in-domain data: add an in-domain source of equal weight."
    more = " More epochs may do the same." if _rose(case) else ""
    return f"{learnt}{_try_share(case.share, _STEP)}{more}"


def teach_what_is_asked(case: Compared) -> str:
    """After a training whose rows, but not its questions, were learnt; or that had nothing but the domain."""
    if _rose(case):
        return (
            "The domain was learned, but not as far as the gate asks, from in-domain data alone: add rows, "
            "or train for more epochs."
        )
    if case.rows_were_learnt:
        return (
            "The loss on in-domain rows fell far, yet the questions are not answered better: the rows were "
            "learned, but they do not teach what the rubric asks. Compare the wrong answers in the report "
            "with the rows; a larger share is no remedy."
        )
    return (
        "The blend holds in-domain data alone, so its share is not the reason: train for more epochs or with "
        "a higher spec.training.learningRate, and check that the rows teach what the rubric asks."
    )


def gain_not_shown(case: Compared) -> str:
    fewest = case.in_domain.n
    if fewest < _FEWEST:
        return f"{fewest} in-domain question{'s' * (fewest != 1)} cannot show a gain: ask at least {_FEWEST}."
    return (
        "The in-domain gain is not certain: ask more in-domain questions, or train for more epochs."
        f"{_undecided(case.in_domain)}"
    )


def _undecided(scope: ScopeScore) -> str:
    """What the questions without a score have to do with it; empty if there are none."""
    if not scope.unscored:
        return ""
    are = "question is" if scope.unscored == 1 else "questions are"
    return (
        f" {scope.unscored} of its {are} undecided, which the interval counts either way: judge: "
        "{kind: Cascade} lets a model decide what the rules cannot."
    )


def loss_not_excluded(case: Compared) -> str:
    """What the general questions do not show; empty if the drop surely lies within the margin."""
    if case.is_kept:
        return ""
    lows = [value for value in (case.general.delta_low, case.general.delta_worst) if value is not None]
    hidden = max(0.0, -min(lows, default=-1.0))
    return (
        f"That what was known is kept is not shown: a general drop of up to {hidden:.2f} is not excluded, "
        f"and {_limit(case)}. {_more_questions(case)}{_undecided(case.general)}"
    )


def _limit(case: Compared) -> str:
    if case.outcome.drop_gates:
        return f"the gate allows {case.margin:g}"
    return f"{case.margin:g} would be harmless (without a gate general maxDrop)"


def _more_questions(case: Compared) -> str:
    """How many general questions would tell the margin apart, by the deviation or the interval that was seen.

    The interval counts where few questions changed: it is wide for their number, though they deviate little.
    """
    general = case.general
    seen = general.minimum_detectable_effect or detectable_difference(max(1, general.n))
    if general.delta is not None and general.delta_low is not None:
        seen = max(seen, general.delta - general.delta_low)
    if case.margin <= 0:
        return "No number of questions shows that nothing at all was lost: allow a small drop."
    finer = "" if case.outcome.retention_gates else " A gate on retention (maxRise: 0.05) decides with fewer."
    needed = max(_FEWEST, general.n + 1, ceil(general.n * (seen / case.margin) ** 2))
    there = f"there are {general.n:,}"
    return f"About {needed:,} general questions would tell {case.margin:g} apart; {there}.{finer}"


def keep_this_blend(case: Compared) -> str:
    """Of a blend that learned and kept; a gate that failed nevertheless is told of instead."""
    failed = [
        f"{gate.subject} {gate.rule}" for gate in case.outcome.gates if gate.result is GateResult.FAILED
    ]
    if failed:
        return (
            "The domain was learned, and what was lost is tolerated; but "
            f"{', '.join(failed)} failed, which another share would not mend: look at those questions in the "
            "report before you use this model."
        )
    if not case.drop_is_tolerated:
        return "The domain was learned and what was known is kept: keep this blend."
    lenient = f", a lenient one ({GENERAL_MARGIN:g} is usual)" if case.margin > GENERAL_MARGIN else ""
    return (
        "The domain was learned. Some of what was known was lost; the gate on general allows a drop of "
        f"{case.margin:g}{lenient}: keep this blend if that is the price you meant."
    )


def _rose(case: Compared) -> bool:
    return case.in_domain_moved is Direction.UP


def _try_share(share: float, factor: float) -> str:
    """The advice to multiply the odds of in-domain to general data by `factor`."""
    odds = share / (1 - share) * factor
    target = odds / (1 + odds)
    return (
        f"In-domain data made up {share:.0%} of the blend: "
        f"try {target:.0%} in-domain and {1 - target:.0%} general."
    )
