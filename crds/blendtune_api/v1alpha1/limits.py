"""Names, bounds and patterns of the API."""

from __future__ import annotations

GROUP = "blendtune.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
BLENDED_FINE_TUNE = "BlendedFineTune"
RUBRIC_EVAL = "RubricEval"

NAME_MAX_LENGTH = 40  # leaves room for "-train-<attempt>-worker-<index>" within 63 characters
MAX_SOURCES = 16
MAX_CATEGORIES = 16
MAX_BAD_ROW_REASONS = 8
MAX_REJECTIONS = 12
MAX_SCRIPTS = 4
MAX_BENCHMARKS = 16
MAX_EPOCH_MODELS = 16  # their digests fit into a termination message
MAX_EPOCH_LOSSES = 8
ATTEMPTS_KEPT = 5

COMPARED_POSITIONS = 16_384  # of each role, at which the trained model is compared with the base model
MAX_COMPARED_POSITIONS = 65_536

SELF_MAX_EPOCHS = 2.0  # more rows cost little, and the model knows them already
GENERAL_MAX_EPOCHS = 4.0  # repeats up to four are almost as good as new data (arXiv 2305.16264)
VALIDATION_FRACTION = 0.02

MODEL_URI = r"^(hf|s3|pvc|file)://[^\s]+$"
DATA_URI = r"^(hf|s3|pvc|file)://[^\s]+$"
SELF_URI = "self://"  # rows that the base model writes
SOURCE_URI = r"^((hf|s3|pvc|file)://[^\s]+|self://)$"
HUB_DATA = "hf://datasets/"
HUB_ONLY_CEL = (  # split and config are those of a data set on the hub
    f"!(has(self.split) || has(self.config)) || (has(self.uri) && self.uri.startsWith('{HUB_DATA}'))"
)
HUB_SPLIT = r"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$"
HUB_CONFIG = r"^[^\s<>:/\\|?*]+$"  # what the hub allows
EXPORT_URI = r"^(s3|pvc|file)://[^\s]+$"
API_URL = r"^https?://[^\s/?#@]+(/[^\s?#]*)?([?][^\s#]*)?$"  # without credentials: they belong in a Secret
KEY_IN_QUERY = r"(?i)[?&][^=&]*(key|token|secret|password|signature|sig|code)="
DNS_1035_LABEL = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
RELATIVE_PATH = r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$"
BENCHMARK_NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]*$"
PERCENT = r"^(100|[0-9]{1,2}([.][0-9]{1,3})?)%$"


def is_hub_data(uri: str | None) -> bool:
    """Whether a URI names a data set on the hub."""
    return (uri or "").startswith(HUB_DATA)
