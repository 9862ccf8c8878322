"""Whether a tuned model improved or regressed against its baseline. Verdict and diagnosis both use this."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum

from blendtune_api.v1alpha1 import EvaluationDigests, GateResult, GateStatus, Metric, ScopeScore, Verdict

COVERAGE_FLOOR = 0.95  # share of judged questions below which nothing is concluded
SIGNIFICANCE = 0.05  # probability of a false positive, over both domains together
GENERAL_MARGIN = 0.10  # the drop of the general score that is harmless where no gate says otherwise
_TOLERANCE = 1e-9  # margins such as 1 - 0.9 are not exact in binary


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


def general_margin(gates: Iterable[GateStatus]) -> float:
    """The drop of the general score that the gates allow: the least maxDrop, else GENERAL_MARGIN."""
    allowed = (gate.threshold for gate in gates if gate.metric is Metric.GENERAL and gate.rule == "maxDrop")
    return min(allowed, default=GENERAL_MARGIN)


def is_kept(general: ScopeScore, gates: Sequence[GateStatus]) -> bool:
    """Whether it is shown that what was known is kept.

    The whole 95% interval of the general difference lies above minus the margin, whatever its unscored
    questions might add; or the gates on retention passed.
    """
    retention = [gate.result for gate in gates if gate.metric is Metric.RETENTION]
    if retention and all(result is GateResult.PASSED for result in retention):
        return True
    margin = general_margin(gates)
    worst = [general.delta_low, *([] if general.delta_worst is None else [general.delta_worst])]
    return all(value is not None and value >= -margin - _TOLERANCE for value in worst)


def shown_losses(gates: Iterable[GateStatus]) -> tuple[GateStatus, ...]:
    """The failed gates on what was lost beside the rubric: on retention, and on the drop of a benchmark."""
    return tuple(
        gate
        for gate in gates
        if gate.result is GateResult.FAILED
        and (gate.metric, gate.rule) in ((Metric.RETENTION, "maxRise"), (Metric.BENCHMARK, "maxDrop"))
    )


def verdict(
    general: ScopeScore, in_domain: ScopeScore, coverage: float, gates: Sequence[GateStatus] = ()
) -> Verdict:
    """Improved if a domain rose, nothing fell, and it is shown that what was known is kept.

    Regressed if something fell and no domain rose; Mixed if a domain rose and something fell: the other
    domain, or by a failed gate retention or a benchmark. Inconclusive if nothing moved significantly, if it
    is not shown what was kept, or if the judge failed on too many questions. What rules left undecided does
    not lower the coverage: intervals and p-values count it against either conclusion.
    """
    moves = {direction(general), direction(in_domain)} - {Direction.UNSURE}
    if shown_losses(gates):
        moves.add(Direction.DOWN)
    if coverage < COVERAGE_FLOOR or not moves:
        return Verdict.INCONCLUSIVE
    if len(moves) > 1:
        return Verdict.MIXED
    if Direction.DOWN in moves:
        return Verdict.REGRESSED
    return Verdict.IMPROVED if is_kept(general, gates) else Verdict.INCONCLUSIVE


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
