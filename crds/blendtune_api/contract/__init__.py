"""The contract between the operator and the images: environment variables, files, messages and exit codes.

A pod reads its pinned configuration from a file, finds every claim mounted under one folder, and reports its
outcome as a termination message (JSON, at most 4,096 bytes), which it also writes beside its artifacts.
"""

from blendtune_api.contract.config import UNKNOWN_DATE, EvalConfig, GpuPreset, RunConfig
from blendtune_api.contract.digests import digest_of, text_digest
from blendtune_api.contract.folders import Workspace, benchmarks_folder, storage_path, workspace
from blendtune_api.contract.message import MESSAGE_LIMIT_BYTES, MessageError, decode_message, encode_message
from blendtune_api.contract.outcome import (
    BlendResult,
    EvalResult,
    Failure,
    Layout,
    Memory,
    Outcome,
    Progress,
    RehearseResult,
    RubricResult,
    TrainResult,
)
from blendtune_api.contract.pod import CONFIG_FILE, RUBRIC_FILE, Env, ExitCode
from blendtune_api.contract.report import (
    REPORT_FILE,
    REPORT_FORMAT,
    REPORT_PAGE,
    ReadAnswer,
    ReadCategory,
    ReadCriterion,
    ReadJudge,
    ReadQuestion,
    ReadReport,
    ReadRespondent,
    ReadRubric,
    ReadTraining,
    ReadWording,
)
from blendtune_api.contract.weights import (
    WEIGHTS_FILE,
    WEIGHTS_INDEX,
    indexed_files,
    weight_files,
    weights_digest,
)

__all__ = [
    "CONFIG_FILE",
    "MESSAGE_LIMIT_BYTES",
    "REPORT_FILE",
    "REPORT_FORMAT",
    "REPORT_PAGE",
    "RUBRIC_FILE",
    "UNKNOWN_DATE",
    "WEIGHTS_FILE",
    "WEIGHTS_INDEX",
    "BlendResult",
    "Env",
    "EvalConfig",
    "EvalResult",
    "ExitCode",
    "Failure",
    "GpuPreset",
    "Layout",
    "Memory",
    "MessageError",
    "Outcome",
    "Progress",
    "ReadAnswer",
    "ReadCategory",
    "ReadCriterion",
    "ReadJudge",
    "ReadQuestion",
    "ReadReport",
    "ReadRespondent",
    "ReadRubric",
    "ReadTraining",
    "ReadWording",
    "RehearseResult",
    "RubricResult",
    "RunConfig",
    "TrainResult",
    "Workspace",
    "benchmarks_folder",
    "decode_message",
    "digest_of",
    "encode_message",
    "indexed_files",
    "storage_path",
    "text_digest",
    "weight_files",
    "weights_digest",
    "workspace",
]
