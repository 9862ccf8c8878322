"""The resource BlendStudy: which blend, size and number of epochs to use, asked as a set of runs."""

from blendtune_api.blend_study.limits import (
    BLEND_STUDY,
    MAX_RUNS,
    MAX_SHARES,
    RECOMMENDATION_LENGTH,
    RUN_SUFFIX_LENGTH,
    STUDY_NAME_MAX_LENGTH,
)
from blendtune_api.blend_study.resource import BlendStudy
from blendtune_api.blend_study.spec import (
    Axes,
    BlendStudySpec,
    Bound,
    Hold,
    Objective,
    Search,
    SearchKind,
    Stopping,
    StudyTemplate,
)
from blendtune_api.blend_study.status import (
    BlendStudyStatus,
    GpuHours,
    RecommendationStatus,
    RecommendationVerdict,
    RunCounts,
    StudyRun,
    StudyRunState,
    StudyScore,
    StudySetting,
    StudyState,
)

__all__ = [
    "BLEND_STUDY",
    "MAX_RUNS",
    "MAX_SHARES",
    "RECOMMENDATION_LENGTH",
    "RUN_SUFFIX_LENGTH",
    "STUDY_NAME_MAX_LENGTH",
    "Axes",
    "BlendStudy",
    "BlendStudySpec",
    "BlendStudyStatus",
    "Bound",
    "GpuHours",
    "Hold",
    "Objective",
    "RecommendationStatus",
    "RecommendationVerdict",
    "RunCounts",
    "Search",
    "SearchKind",
    "Stopping",
    "StudyRun",
    "StudyRunState",
    "StudyScore",
    "StudySetting",
    "StudyState",
    "StudyTemplate",
]
