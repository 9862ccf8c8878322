"""Whether a tuned model moved against its baseline: one reading for verdict and diagnosis."""

from __future__ import annotations

from enum import Enum

from blendtune_api.v1alpha1 import EvaluationDigests, ScopeScore, Verdict

COVERAGE_FLOOR = 0.95  # share of questions scored below which nothing is concluded
SIGNIFICANCE = 0.05  # chance of calling a difference where there is none, over both domains together


class Direction(Enum):
    UP = "up"
    DOWN = "down"
    UNSURE = "unsure"


def direction(scope: ScopeScore) -> Direction:
    """Where a domain moved: significantly, and whatever its unscored questions would have shown."""
    if scope.delta is None or scope.p_value is None or scope.p_value > SIGNIFICANCE:
        return Direction.UNSURE
    if scope.delta > 0 and (scope.delta_worst is None or scope.delta_worst > 0):
        return Direction.UP
    if scope.delta < 0 and (scope.delta_best is None or scope.delta_best < 0):
        return Direction.DOWN
    return Direction.UNSURE


def verdict(general: ScopeScore, in_domain: ScopeScore, coverage: float) -> Verdict:
    """Improved and Regressed: a domain moved that way and none the other. Mixed: they moved apart."""
    moves = {direction(general), direction(in_domain)} - {Direction.UNSURE}
    if coverage < COVERAGE_FLOOR or not moves:
        return Verdict.INCONCLUSIVE
    if len(moves) > 1:
        return Verdict.MIXED
    return Verdict.IMPROVED if Direction.UP in moves else Verdict.REGRESSED


def not_comparable(one: EvaluationDigests, other: EvaluationDigests) -> str:
    """Why two models may not be compared: they were not asked or judged alike. Empty when they were."""
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
