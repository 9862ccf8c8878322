"""What every pod is given (environment variables, mounted files), and the exit codes with which it ends."""

from __future__ import annotations

from enum import IntEnum, StrEnum

CONFIG_FILE = "config.json"  # key of the ConfigMap and name of the mounted file
RUBRIC_FILE = "rubric.yaml"


class Env(StrEnum):
    """Environment variables that the operator sets: in every pod, or in pods of the stage that is named."""

    CONFIG = "BLENDTUNE_CONFIG"  # path of CONFIG_FILE
    CONFIG_DIGEST = "BLENDTUNE_CONFIG_DIGEST"  # text_digest of CONFIG_FILE; a file of another is refused
    CLAIMS = "BLENDTUNE_CLAIMS"  # folder in which every claim is mounted, each under its own name
    TERMINATION_LOG = "BLENDTUNE_TERMINATION_LOG"
    RUBRIC = "BLENDTUNE_RUBRIC"  # path of the user's rubric; unset for a built-in one
    JUDGE_API_KEY = "BLENDTUNE_JUDGE_API_KEY"  # eval: from the user's Secret; unset if the spec names none
    ATTEMPT = "BLENDTUNE_ATTEMPT"  # number of the attempt, from 1
    NODES = "BLENDTUNE_NODES"  # train: pods of the gang
    NODE_RANK = "BLENDTUNE_NODE_RANK"  # train: index of this pod
    RANKS_PER_NODE = "BLENDTUNE_RANKS_PER_NODE"  # train: processes to start, one per GPU
    MASTER_ADDR = "MASTER_ADDR"  # train: host of rank 0
    MASTER_PORT = "MASTER_PORT"  # train: its rendezvous port
    METRICS_PORT = "BLENDTUNE_METRICS_PORT"  # train: /metrics and /progress of rank 0; rehearse: /progress
    GRACE_SECONDS = "BLENDTUNE_GRACE_SECONDS"  # time from SIGTERM to SIGKILL


class ExitCode(IntEnum):
    """64-78 are permanent: another attempt would fail in the same way. 128 and above are retryable."""

    SUCCESS = 0
    BAD_CONFIGURATION = 64
    BAD_DATA = 65
    BAD_RUBRIC = 66
    DOES_NOT_FIT = 67
    WORKSPACE_IN_USE = 68
    BAD_MODEL = 69
    OTHER_CHECKPOINT = 70
    STORAGE_FULL = 71
    PREEMPTED = 143
    PEER_LOST = 200
    HANG = 201
    TRANSIENT = 202

    @staticmethod
    def is_permanent(code: int) -> bool:
        return 64 <= code <= 78
