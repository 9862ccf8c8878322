"""BlendStudy, the resource itself, and the rules over the whole object."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from blendtune_api.blend_study.limits import STUDY_NAME_MAX_LENGTH
from blendtune_api.blend_study.spec import BlendStudySpec
from blendtune_api.blend_study.status import BlendStudyStatus
from blendtune_api.marks import Mark, Rule
from blendtune_api.v1alpha1 import DNS_1035_LABEL, ObjectMeta

_NAME_RULE = Rule(
    cel=f"size(self.metadata.name) <= {STUDY_NAME_MAX_LENGTH}"
    f" && self.metadata.name.matches('{DNS_1035_LABEL}')",
    message=f"metadata.name must have at most {STUDY_NAME_MAX_LENGTH} characters, only of a-z, 0-9 and '-', "
    "begin with a letter and end with a letter or digit: the names of the runs are made of it",
    check=lambda self: (
        len(self.metadata.name) <= STUDY_NAME_MAX_LENGTH
        and bool(re.fullmatch(DNS_1035_LABEL, self.metadata.name))
    ),
)
_STARTED = "!has(oldSelf.status) || !has(oldSelf.status.startTime) || "
_SAME_WEIGHTS = (
    "has(self.spec.axes.interpolation) == has(oldSelf.spec.axes.interpolation) && "
    "(!has(self.spec.axes.interpolation) || "
    "self.spec.axes.interpolation == oldSelf.spec.axes.interpolation)"
)
_FROZEN_RULE = Rule(
    cel=f"{_STARTED}(self.spec.template == oldSelf.spec.template && self.spec.hold == oldSelf.spec.hold && "
    f"{_SAME_WEIGHTS})",
    message="template, hold and axes.interpolation are fixed once the study has started: create a new "
    "BlendStudy, or delete this one and apply it again",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendStudy:
    """Runs a BlendedFineTune in several blends, sizes and lengths, and recommends one of them."""

    metadata: ObjectMeta
    spec: Annotated[BlendStudySpec, Mark("The desired state.")]
    status: Annotated[BlendStudyStatus, Mark("The observed state, written by the operator.")] = field(
        default_factory=BlendStudyStatus
    )

    RULES: ClassVar[tuple[Rule, ...]] = (_NAME_RULE, _FROZEN_RULE)
