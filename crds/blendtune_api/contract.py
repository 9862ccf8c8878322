"""What the operator and the images say to each other: environment, files, messages and exit codes.

A pod gets its pinned configuration as a file, finds every claim under one folder, and answers with a
termination message (JSON, at most 4,096 bytes) that it also writes beside its artifacts.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

from blendtune_api import codec
from blendtune_api.v1alpha1 import (
    BenchmarkScore,
    BlendedFineTuneSpec,
    BlendedSource,
    EpochModel,
    EpochScore,
    EvaluationDigests,
    Reason,
    RubricEvalSpec,
    ScopeScore,
    SourceLoss,
    Storage,
    Verdict,
)

MESSAGE_LIMIT_BYTES = 4096  # what the kubelet keeps of a termination message
_INFLATED_LIMIT_BYTES = 1_000_000
_CUT = " [...]"
_CUT_AT_ONCE = 50  # characters

CONFIG_FILE = "config.json"  # key of the ConfigMap and name of the mounted file
RUBRIC_FILE = "rubric.yaml"


class Env(StrEnum):
    """Environment variables that the operator sets in every pod, or in those named."""

    CONFIG = "BLENDTUNE_CONFIG"  # path of CONFIG_FILE
    CLAIMS = "BLENDTUNE_CLAIMS"  # folder in which each claim is mounted under its own name
    TERMINATION_LOG = "BLENDTUNE_TERMINATION_LOG"
    RUBRIC = "BLENDTUNE_RUBRIC"  # path of the user's rubric; unset for a built-in one
    JUDGE_API_KEY = "BLENDTUNE_JUDGE_API_KEY"  # eval: from the user's Secret; unset where none is named
    ATTEMPT = "BLENDTUNE_ATTEMPT"  # number of the attempt, from 1
    NODES = "BLENDTUNE_NODES"  # train: pods of the gang
    NODE_RANK = "BLENDTUNE_NODE_RANK"  # train: index of this pod
    RANKS_PER_NODE = "BLENDTUNE_RANKS_PER_NODE"  # train: processes to start, one per GPU
    MASTER_ADDR = "MASTER_ADDR"  # train: host of rank 0
    MASTER_PORT = "MASTER_PORT"  # train: its rendezvous port
    METRICS_PORT = "BLENDTUNE_METRICS_PORT"  # train: /metrics and /progress of rank 0
    GRACE_SECONDS = "BLENDTUNE_GRACE_SECONDS"  # time from SIGTERM to SIGKILL


class ExitCode(IntEnum):
    """64-78 are permanent: another attempt would end the same. 128 and above are worth another attempt."""

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


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuPreset:
    """What one GPU of a type offers. `peak_flops` is dense bf16, per second; None where nothing is known."""

    name: str
    memory_bytes: int | None = None
    peak_flops: float | None = None
    resource_name: str | None = "nvidia.com/gpu"  # None: the pods ask for no device and train on CPU
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()

    @property
    def is_gpu(self) -> bool:
        return self.resource_name is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """The pinned run of a BlendedFineTune: what its blend and train pods read."""

    uid: str
    namespace: str
    name: str
    spec: BlendedFineTuneSpec
    gpu: GpuPreset
    images: Mapping[str, str] = field(default_factory=dict)  # by stage

    @property
    def digest(self) -> str:
        """Digest of all that decides the artifacts; the same digest may take over a workspace."""
        spec = self.spec
        return digest_of([spec.model, spec.blend, spec.training])


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalConfig:
    """The pinned run of a RubricEval. The rows of `training_workspace` are searched for its prompts."""

    uid: str
    namespace: str
    name: str
    spec: RubricEvalSpec
    image: str = ""
    gpu: GpuPreset = field(default_factory=lambda: GpuPreset(name="cpu", resource_name=None))
    training_workspace: Storage | None = None


@dataclass(frozen=True, slots=True)
class Workspace:
    """The files of a run. `root` is the run's own folder within its claim."""

    root: Path

    @property
    def lock(self) -> Path:
        return self.root / "lock.json"

    @property
    def rubric(self) -> Path:
        """The checked rubric as JSON: what the blend Job searches the training rows for."""
        return self.root / "rubric.json"

    @property
    def blend(self) -> Path:
        return self.root / "blend"

    @property
    def train(self) -> Path:
        return self.root / "train"

    @property
    def checkpoints(self) -> Path:
        return self.train / "checkpoints"

    @property
    def steps_log(self) -> Path:
        """One JSON line per optimizer step: step, loss, learningRate, gradNorm, tokens, seconds, ranks."""
        return self.train / "steps.jsonl"

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def adapter(self) -> Path:
        """What a LoRA trained, as peft's folder; `model` is the base model with it merged in."""
        return self.root / "adapter"

    def epoch(self, number: int) -> Workspace:
        """Where `model` and `adapter` lie as they were after so many passes over the in-domain data."""
        return Workspace(self.root / "epochs" / str(number))

    @property
    def evaluation(self) -> Path:
        return self.root / "eval"

    def result(self, stage: str) -> Path:
        """Where a stage keeps its result: the same JSON as its termination message."""
        return self.root / stage / "result.json"


def storage_path(storage: Storage, namespace: str, name: str) -> PurePosixPath:
    """Path of a run's folder under the folder of claims."""
    return PurePosixPath(storage.persistent_volume_claim) / (storage.path or f"{namespace}/{name}")


def benchmarks_folder(claims: Path, storage: Storage) -> Path:
    """Where a claim has the tasks of benchmarks and their data, for all runs that use the claim."""
    return claims / storage.persistent_volume_claim / "benchmarks"


def workspace(claims: Path, storage: Storage, namespace: str, name: str) -> Workspace:
    return Workspace(claims / storage_path(storage, namespace, name))


@dataclass(frozen=True, kw_only=True, slots=True)
class RubricResult:
    """The rubric was checked and lies in the workspace."""

    name: str
    digest: str
    general: int  # questions
    in_domain: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """Bytes of one GPU, by what takes them."""

    model_states: int
    gathered_layer: int  # of ZeRO stage 3
    activations: int
    logits: int

    @property
    def total(self) -> int:
        return self.model_states + self.gathered_layer + self.activations + self.logits


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How a training lies on its GPUs. A micro-batch is one row of `bins_per_micro_batch` bins."""

    zero_stage: int
    bins_per_micro_batch: int
    activation_checkpointing: bool
    memory: Memory


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendResult:
    digest: str  # of the ordered blend
    config_digest: str
    tokens: int
    steps: int
    sources: tuple[BlendedSource, ...]
    parameters: int  # of the base model
    adapter_parameters: int = 0  # that a LoRA trains
    base_model_digest: str = ""
    layout: Layout | None = None
    training_seconds: float | None = None  # expected, of the steps; None where the peak is not known
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainResult:
    config_digest: str
    blend_digest: str
    steps: int
    tokens: int
    model_digest: str
    final_loss: float | None = None
    validation_loss: tuple[SourceLoss, ...] = ()
    gpu_seconds: float | None = None
    tokens_per_second_per_gpu: float | None = None
    mfu: float | None = None
    epochs: tuple[EpochModel, ...] = ()  # but for the last pass, whose model is the result's own


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalResult:
    overall: ScopeScore
    general: ScopeScore
    in_domain: ScopeScore
    dimensions: tuple[ScopeScore, ...]
    categories: tuple[ScopeScore, ...]
    coverage: float
    digests: EvaluationDigests
    verdict: Verdict | None = None
    not_compared: str = ""
    report_uri: str = ""
    contaminated: int = 0  # rubric questions found in the training rows
    epochs: tuple[EpochScore, ...] = ()
    benchmarks: tuple[BenchmarkScore, ...] = ()
    unscored_reason: str = ""  # the most frequent one, where questions are unscored


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a stage ended without a result. The message tells what was wrong, where, and what to do."""

    reason: Reason
    message: str


Outcome = RubricResult | BlendResult | TrainResult | EvalResult | Failure
_OUTCOMES: dict[str, type[Outcome]] = {
    kind.__name__: kind for kind in (RubricResult, BlendResult, TrainResult, EvalResult, Failure)
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """What `/progress` of rank 0 answers, as JSON."""

    step: int
    steps: int
    loss: float | None = None
    learning_rate: float | None = None
    tokens: int = 0
    tokens_per_second: float | None = None
    tokens_per_second_per_gpu: float | None = None
    mfu: float | None = None
    remaining_seconds: float | None = None
    save_seconds: float | None = None  # of the slowest checkpoint of this attempt, until all ranks had saved
    checkpoint_bytes: int | None = None  # of the latest checkpoint
    phase: str = ""  # loading, validating, training, saving, exporting


class MessageError(ValueError):
    """A termination message that is empty, cut or of another kind."""


def digest_of(value: object) -> str:
    """sha256 over the canonical JSON of dataclasses, mappings, lists and scalars."""
    canonical = json.dumps(codec.encode(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def weights_digest(folder: Path) -> str:
    """Digest of a model's weights: sha256 over name, size and content of its *.safetensors files, by name.

    Raises FileNotFoundError where there is no such file.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no *.safetensors file")
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def encode_message(outcome: Outcome) -> str:
    """The outcome as compact JSON of at most MESSAGE_LIMIT_BYTES; floats keep six digits.

    What is too large is deflated; then the message of a Failure, the warnings of a BlendResult and the reason
    of an EvalResult are cut, and the last of its benchmarks are left out: the report has them all.
    Raises MessageError where that is not enough.
    """
    text = _message_text(outcome)
    while not _fits(text):
        outcome = _shortened(outcome)
        text = _message_text(outcome)
    return text


def decode_message(text: str) -> Outcome:
    """The outcome that a container left. Raises MessageError where there is none to be read.

    Fields that this version does not know are ignored: the image may be newer than the operator.
    """
    try:
        document = json.loads(text)
        if "deflated" in document:
            document = json.loads(_inflate(document["deflated"]))
        return codec.decode(_OUTCOMES[document["kind"]], document["result"], lenient=True)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, zlib.error) as error:
        raise MessageError(f"no outcome in the termination message: {error}") from error


def _message_text(outcome: Outcome) -> str:
    body = {"kind": type(outcome).__name__, "result": _rounded(codec.encode(outcome))}
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    text = text.encode(errors="replace").decode()  # names of files may carry bytes that are no text
    if _fits(text) or isinstance(outcome, Failure):
        return text  # a failure stays readable in `kubectl describe pod`
    return json.dumps({"deflated": base64.b85encode(zlib.compress(text.encode(), level=9)).decode()})


def _inflate(text: str) -> bytes:
    return zlib.decompressobj().decompress(base64.b85decode(text), max_length=_INFLATED_LIMIT_BYTES)


def _shortened(outcome: Outcome) -> Outcome:
    if isinstance(outcome, Failure):
        kept = outcome.message.removesuffix(_CUT)
        return replace(outcome, message=kept[: len(kept) * 3 // 4] + _CUT)
    if isinstance(outcome, EvalResult) and outcome.unscored_reason:
        return replace(outcome, unscored_reason=outcome.unscored_reason[:-_CUT_AT_ONCE])
    if isinstance(outcome, EvalResult) and outcome.benchmarks:
        return replace(outcome, benchmarks=outcome.benchmarks[:-1])
    if isinstance(outcome, BlendResult) and outcome.warnings:
        return replace(outcome, warnings=outcome.warnings[:-1])
    raise MessageError(f"the {type(outcome).__name__} is larger than {MESSAGE_LIMIT_BYTES} bytes")


def _fits(text: str) -> bool:
    return len(text.encode()) <= MESSAGE_LIMIT_BYTES


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return codec.encode(float(f"{value:.6g}"))
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return value
