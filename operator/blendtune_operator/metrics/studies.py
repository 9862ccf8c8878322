"""Prometheus series of the studies: how far they are, what they cost, and what they recommend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from blendtune_api.blend_study import BlendStudy, RecommendationVerdict, StudyRunState, StudyState
from blendtune_operator.metrics.series import add_known

_STUDY = ("namespace", "name")


def study_series(studies: Iterable[BlendStudy]) -> Iterator[Metric]:
    """A value that is not known is absent."""
    studies = tuple(studies)
    yield _states(studies)
    yield _runs(studies)
    yield from _gpu_hours(studies)
    yield from _recommendations(studies)


def _family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=[*_STUDY, *labels])


def _labels(study: BlendStudy) -> list[str]:
    return [study.metadata.namespace, study.metadata.name]


def _states(studies: Iterable[BlendStudy]) -> Metric:
    family = _family("blendtune_study_state", "1 for the state the study is in, 0 for the others.", "state")
    for study in studies:
        for state in StudyState:
            family.add_metric([*_labels(study), state], float(study.status.state is state))
    return family


def _runs(studies: Iterable[BlendStudy]) -> Metric:
    family = _family("blendtune_study_runs", "Runs of the study by their state.", "state")
    for study in studies:
        states = [run.state for run in study.status.runs]
        for state in StudyRunState:
            family.add_metric([*_labels(study), state], states.count(state))
    return family


def _gpu_hours(studies: Iterable[BlendStudy]) -> Iterator[Metric]:
    spent = _family("blendtune_study_gpu_hours", "GPU hours of training that the study's runs spent.")
    expected = _family("blendtune_study_expected_gpu_hours", "GPU hours expected by the study's end.")
    for study in studies:
        hours = study.status.gpu_hours
        add_known(spent, _labels(study), hours.spent if hours else None)
        add_known(expected, _labels(study), hours.expected if hours else None)
    yield spent
    yield expected


def _recommendations(studies: Iterable[BlendStudy]) -> Iterator[Metric]:
    verdicts = _family("blendtune_study_verdict", "1 for the verdict of a study that has ended.", "verdict")
    shares = _family("blendtune_study_recommended_share", "Share of in-domain data that is recommended.")
    for study in studies:
        found = study.status.recommendation
        if found is None:
            continue
        for verdict in RecommendationVerdict:
            verdicts.add_metric([*_labels(study), verdict], float(found.verdict is verdict))
        is_told = found.verdict is RecommendationVerdict.RECOMMENDED
        add_known(
            shares, _labels(study), found.setting.in_domain_share if is_told and found.setting else None
        )
    yield verdicts
    yield shares
