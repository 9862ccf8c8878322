"""What the gates could not see: the smallest difference that each could tell from its threshold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from blendtune_api.contract import EvalResult
from blendtune_api.v1alpha1 import GateResult, GateStatus, Metric, ScopeScore
from blendtune_core.asked import critical_of_others, critical_of_scores
from blendtune_core.gates import scope_of
from blendtune_core.power import Z, detectable_difference
from blendtune_core.verdict import GENERAL_MARGIN
from blendtune_eval.report.model import Report
from blendtune_eval.report.words import threshold, title

_MARGINS = ("minGain", "maxDrop", "maxRise")  # rules whose threshold is a distance from no difference
_CHANCE = 0.05
_ASKED_OTHERWISE = {Metric.RETENTION: "this text", Metric.BENCHMARK: "its samples"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """How finely one gate could see. `too_fine`: its threshold is finer than that."""

    name: str
    rule: str
    result: GateResult | None  # None where no gate was asked for
    least: str
    told: str
    too_fine: bool


def sights(report: Report) -> tuple[Sight, ...]:
    """One for each gate that measured something and, without a gate on it, one for the general score."""
    found = [sight for gate in report.gates if (sight := _of_gate(gate, report.scores)) is not None]
    if not any(gate.metric is Metric.GENERAL and gate.rule == "maxDrop" for gate in report.gates):
        found += _of_verdict(report.scores)
    return tuple(found)


def smallest_difference(low: float, high: float, critical: float = Z) -> float:
    """The smallest difference found with 80% power, for a measure whose interval was this wide."""
    return detectable_difference(1, (high - low) / 2 / critical, critical)


def _of_gate(gate: GateStatus, scores: EvalResult) -> Sight | None:
    if gate.value is None or gate.low is None or gate.high is None:
        return None
    scope = scope_of(gate.metric, scores)
    critical = critical_of_others(scores) if scope is None else critical_of_scores(scores)
    if gate.rule == "maxCriticalErrors":
        return _of_count(gate, scope)
    least = smallest_difference(gate.low, gate.high, critical)
    too_fine = gate.rule in _MARGINS and 0 < gate.threshold < least
    return Sight(
        name=f"{title(gate.metric)} {gate.name}".strip(),
        rule=threshold(gate),
        result=gate.result,
        least=_amount(least, gate.metric),
        told=_told(gate, least, scope, too_fine=too_fine),
        too_fine=too_fine,
    )


def _told(gate: GateStatus, least: float, scope: ScopeScore | None, *, too_fine: bool) -> str:
    asked = f"{scope.n} questions" if scope is not None else _ASKED_OTHERWISE[gate.metric]
    what = _amount(least, gate.metric)
    told = (
        f"With {asked} it finds a distance of {what} from the threshold 4 times in 5; a smaller one seldom."
    )
    if too_fine and scope is not None:
        needed = ceil(scope.n * (least / gate.threshold) ** 2)
        told += (
            f" The threshold is finer than that: about {needed:,} questions would tell {gate.threshold:g}."
        )
    elif gate.value is not None and abs(gate.value - gate.threshold) < least:
        told += " What was measured lies nearer than that."
    return told


def _of_count(gate: GateStatus, scope: ScopeScore | None) -> Sight | None:
    """The share of critical errors that `n` questions may all miss, with a chance of 5%."""
    if scope is None or not scope.n:
        return None
    hidden = 1 - _CHANCE ** (1 / scope.n)
    return Sight(
        name=title(gate.metric),
        rule=threshold(gate),
        result=gate.result,
        least=f"{hidden:.1%} of the questions",
        told=f"Where {hidden:.1%} of all such questions lead to a critical error, {scope.n} of them show "
        "none 1 time in 20.",
        too_fine=False,
    )


def _of_verdict(scores: EvalResult) -> Iterator[Sight]:
    """No gate asks for the general score: the verdict does."""
    general = scores.general
    if general.delta_low is None or general.delta_high is None:
        return
    least = smallest_difference(general.delta_low, general.delta_high, critical_of_scores(scores))
    too_fine = least > GENERAL_MARGIN
    finer = "" if not too_fine else " That is more than the verdict allows: it can seldom show what is kept."
    yield Sight(
        name=title(general.name),
        rule=f"no gate; the verdict allows a drop of {GENERAL_MARGIN:g}",
        result=None,
        least=f"{least:.2f}",
        told=f"With {general.n} questions a drop of {least:.2f} is found 4 times in 5; "
        f"a smaller one seldom.{finer}",
        too_fine=too_fine,
    )


def _amount(value: float, metric: Metric) -> str:
    return f"{value:.3f} nats per token" if metric is Metric.RETENTION else f"{value:.2f}"
