"""Studies to test with, and a cluster of dicts in which tests end their runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.operator.builders import benchmark, eval_result, fine_tune, retention, scope
from tests.operator.world import World

from blendtune_api import codec
from blendtune_api.blend_study import Axes, BlendStudy, BlendStudySpec, StudyTemplate
from blendtune_api.v1alpha1 import (
    BlendedFineTune,
    BlendedFineTuneStatus,
    Budget,
    Candidate,
    CandidateScope,
    ConditionStatus,
    ConditionType,
    EvaluationSummary,
    GateResult,
    InterpolationStatus,
    ObjectMeta,
    Reason,
    TrainingStatus,
)
from blendtune_core.interpolation import TUNED
from blendtune_operator.conditions import Finding, set_condition, timestamp
from blendtune_operator.names import Kind

Scores = Callable[[float], tuple[float, float]]  # in-domain score and drop in general, by share


def template(**spec: Any) -> StudyTemplate:
    base = fine_tune().spec
    blend = replace(base.blend, budget=Budget(tokens=1000))
    return StudyTemplate(spec=replace(base, **{"blend": blend, **spec}))


def study(axes: Axes | None = None, **spec: Any) -> BlendStudy:
    """A study of three shares and two seeds; `spec` replaces fields of the spec."""
    base = BlendStudySpec(
        template=template(), axes=axes or Axes(in_domain_share=(0.25, 0.5, 1.0), seeds=(1, 2))
    )
    metadata = ObjectMeta(name="mix", namespace="team", uid="study-uid")
    return BlendStudy(metadata=metadata, spec=replace(base, **spec))


def kneed(share: float) -> tuple[float, float]:
    return min(0.9, 0.1 + 1.6 * share), max(0.0, share - 0.5)


def _chosen(run: BlendedFineTune, in_domain: float, drop: float) -> InterpolationStatus | None:
    """Models on a straight line from a base of 0.1 and 0.75 to the tuned one."""
    asked = run.spec.evaluation.interpolation
    if asked is None:
        return None

    def between(score: float, delta: float) -> CandidateScope:
        return CandidateScope(score=score, delta=delta, low=delta - 0.02, high=delta + 0.02)

    candidates = tuple(
        Candidate(
            weight=weight,
            in_domain=between(0.1 + weight * (in_domain - 0.1), weight * (in_domain - 0.1)),
            general=between(0.75 - weight * drop, -weight * drop),
            gates=GateResult.PASSED,
        )
        for weight in (*asked.weights, TUNED)
    )
    return InterpolationStatus(
        weight=TUNED, uri="pvc://d/model", digest="1", tuned_uri="pvc://d/model", tuned_digest="1",
        candidates=candidates,
    )  # fmt: skip


class StudyWorld(World):
    """A world that reconciles only the study: tests write the status of its runs themselves."""

    def _keys(self) -> list[Any]:
        return [key for key in super()._keys() if key.kind is Kind.BLEND_STUDY]

    @property
    def study(self) -> BlendStudy:
        found = codec.decode_object(self.objects[Kind.BLEND_STUDY, "team", "mix"])
        assert isinstance(found, BlendStudy)
        return found

    def runs(self) -> dict[str, BlendedFineTune]:
        """The BlendedFineTunes by name, in the order of their creation."""
        found = [codec.decode_object(obj) for obj in self if obj["kind"] == Kind.BLENDED_FINE_TUNE]
        return {run.metadata.name: run for run in found if isinstance(run, BlendedFineTune)}

    def active(self) -> list[str]:
        return [name for name, run in self.runs().items() if run.status.completion_time is None]

    def finish(self, name: str, scores: Scores = kneed, hours: float = 1.0) -> None:
        """Lets a run succeed, with the scores of its share and so many GPU hours."""
        run = self.runs()[name]
        weights = {source.role: source.weight for source in run.spec.blend.sources}
        share = sum(weight for role, weight in weights.items() if role == "inDomain") / 100
        in_domain, drop = scores(share)
        result = eval_result()
        summary = EvaluationSummary(
            name=name,
            general=scope("general", 0.75 - drop, -drop, margin=0.02),
            in_domain=scope("inDomain", in_domain, in_domain - 0.1, margin=0.02),
            dimensions=result.dimensions,
            retention=(retention(drop),),
            benchmarks=(benchmark(-drop),),
            coverage=1.0,
            verdict=result.verdict,
            interpolation=_chosen(run, in_domain, drop),
        )
        training = TrainingStatus(steps=1, tokens=1, gpu_seconds=3600 * hours)
        self._end(name, ConditionType.SUCCEEDED, evaluation=summary, training=training)

    def fail_run(self, name: str) -> None:
        """Lets a run fail."""
        self._end(name, ConditionType.FAILED)

    def _end(self, name: str, condition: ConditionType, **status: Any) -> None:
        obj = self.objects[Kind.BLENDED_FINE_TUNE, "team", name]
        finding = Finding(condition, ConditionStatus.TRUE, Reason.STAGE_FAILED, "row 7 is no JSON")
        ended = BlendedFineTuneStatus(
            conditions=set_condition((), finding, 1, self.now), completion_time=timestamp(self.now), **status
        )
        obj["status"] = codec.encode(ended)
        self._touch(obj)
        self.now += timedelta(seconds=1)
        self.settle()

    def finish_all(self, scores: Scores = kneed, hours: float = 1.0) -> int:
        """Lets all runs succeed, one by one; returns how many there were."""
        ended = 0
        while active := self.active():
            self.finish(active[0], scores, hours)
            ended += 1
        return ended


def world_of(value: BlendStudy) -> StudyWorld:
    world = StudyWorld()
    world.apply(value)
    world.settle()
    return world
