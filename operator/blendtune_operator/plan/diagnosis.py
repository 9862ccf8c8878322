"""What the scores say of the blend, and which shares to try next.

The method's own reading (arXiv 2310.04945): general data guards what the base model knew, in-domain data
teaches the business, and the ratio between the two is what there is to turn.
"""

from __future__ import annotations

from blendtune_api.v1alpha1 import (
    BlendedFineTune,
    BlendStatus,
    Diagnosis,
    DiagnosisVerdict,
    EvaluationSummary,
    Role,
    ScopeScore,
)

MEANINGFUL_GAIN = 0.05  # an in-domain gain that is surely smaller than this counts as none
_STEP = 2.0  # by how much the odds of in-domain to general data move in the next try


def diagnose(run: BlendedFineTune, blend: BlendStatus | None, evaluation: EvaluationSummary) -> Diagnosis:
    """The verdict with its evidence. Only 95% intervals that exclude zero count as evidence."""
    general, domain = evaluation.general, evaluation.in_domain
    if not (_measured(general) and _measured(domain)):
        return Diagnosis(
            verdict=DiagnosisVerdict.INCONCLUSIVE,
            message="gain and loss against the base model were not measured: enable evaluation.baseline, "
            "and use a rubric with general and in-domain questions",
        )
    assert general is not None and domain is not None
    evidence = f"In-domain {_delta(domain)}, general {_delta(general)} against the base model."
    share = _in_domain_share(run, blend)
    if _above(general.delta_high, 0.0) and _above(domain.delta_low, 0.0):
        verdict, advice = DiagnosisVerdict.BALANCED, "Nothing was surely forgotten: keep this blend."
    elif not _above(general.delta_high, 0.0):
        verdict, advice = DiagnosisVerdict.FORGETTING, _try_share(share, 1 / _STEP)
    elif not _above(domain.delta_high, MEANINGFUL_GAIN):
        verdict, advice = DiagnosisVerdict.IMBALANCED_BLEND, _try_share(share, _STEP)
    else:
        verdict = DiagnosisVerdict.INCONCLUSIVE
        advice = "The in-domain gain is not certain: ask more in-domain questions, or train for more epochs."
    return Diagnosis(verdict=verdict, message=f"{evidence} {advice}")


def _measured(scope: ScopeScore | None) -> bool:
    return scope is not None and scope.delta_low is not None and scope.delta_high is not None


def _above(value: float | None, threshold: float) -> bool:
    """Whether the end of an interval reaches beyond the threshold; exactly zero is no loss."""
    return value is not None and (value > threshold or value == threshold == 0.0)


def _delta(scope: ScopeScore) -> str:
    return f"{scope.delta or 0.0:+.2f} [{scope.delta_low:+.2f}, {scope.delta_high:+.2f}]"


def _in_domain_share(run: BlendedFineTune, blend: BlendStatus | None) -> float | None:
    """The achieved share of in-domain data; None before the blend, or when it is all of one kind."""
    if blend is None:
        return None
    roles = {source.name: source.role for source in run.spec.blend.sources}
    shares = {Role.IN_DOMAIN: 0.0, Role.GENERAL: 0.0}
    for source in blend.sources:
        if source.name in roles:
            shares[roles[source.name]] += source.achieved_share
    total = sum(shares.values())
    return shares[Role.IN_DOMAIN] / total if total else None


def _try_share(share: float | None, factor: float) -> str:
    """The advice to multiply the odds of in-domain to general data."""
    if share is None:
        return "Give the other kind of data more weight."
    if share >= 1.0:
        return "The blend holds no general data: add a general source of equal weight."
    if share <= 0.0:
        return "The blend holds no in-domain data: add an in-domain source of equal weight."
    odds = share / (1 - share) * factor
    target = odds / (1 + odds)
    return (
        f"In-domain data made up {share:.0%} of the blend: "
        f"try {target:.0%} in-domain and {1 - target:.0%} general."
    )
