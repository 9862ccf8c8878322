"""Names and bounds of the kind BlendStudy."""

from __future__ import annotations

from blendtune_api.v1alpha1 import NAME_MAX_LENGTH

BLEND_STUDY = "BlendStudy"
MAX_RUNS = 100
MAX_SHARES = 21
RECOMMENDATION_LENGTH = 8192  # characters
RUN_SUFFIX_LENGTH = 13  # of a run's name: "-<share in percent>-<8 hexadecimal digits of a digest>"
STUDY_NAME_MAX_LENGTH = NAME_MAX_LENGTH - RUN_SUFFIX_LENGTH
