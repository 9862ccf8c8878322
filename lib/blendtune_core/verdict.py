"""Whether a tuned model improved or regressed against its baseline. Verdict and diagnosis both use this."""

from __future__ import annotations

from enum import Enum

from blendtune_api.v1alpha1 import EvaluationDigests, ScopeScore, Verdict

COVERAGE_FLOOR = 0.95  # share of scored questions below which nothing is concluded
SIGNIFICANCE = 0.05  # probability of a false positive, over both domains together


class Direction(Enum):
    UP = "up"
    DOWN = "down"
    UNSURE = "unsure"


def direction(scope: ScopeScore) -> Direction:
    """Whether a domain's score rose or fell: significantly, and whatever its unscored questions might add."""
    if scope.delta is None or scope.p_value is None or scope.p_value > SIGNIFICANCE:
        return Direction.UNSURE
    if scope.delta > 0 and (scope.delta_worst is None or scope.delta_worst > 0):
        return Direction.UP
    if scope.delta < 0 and (scope.delta_best is None or scope.delta_best < 0):
        return Direction.DOWN
    return Direction.UNSURE


def verdict(general: ScopeScore, in_domain: ScopeScore, coverage: float) -> Verdict:
    """Improved (Regressed) if a domain rose (fell) and none did the opposite; Mixed if one rose and one fell.

    Inconclusive if neither moved significantly, or if too few questions were scored.
    """
    moves = {direction(general), direction(in_domain)} - {Direction.UNSURE}
    if coverage < COVERAGE_FLOOR or not moves:
        return Verdict.INCONCLUSIVE
    if len(moves) > 1:
        return Verdict.MIXED
    return Verdict.IMPROVED if Direction.UP in moves else Verdict.REGRESSED


def not_comparable(one: EvaluationDigests, other: EvaluationDigests) -> str:
    """Why two evaluations are not comparable: what they differ in. Empty if they are comparable."""
    differing = [
        name
        for name, digest, other_digest in (
            ("rubric", one.rubric, other.rubric),
            ("judge", one.judge, other.judge),
            ("chat template", one.template, other.template),
            ("decoding (stop tokens, limits, sampling, precision, engine)", one.decoding, other.decoding),
        )
        if digest != other_digest
    ]
    if not differing:
        return ""
    return f"the two were not asked and judged alike, they differ in {', '.join(differing)}"
