"""Standard benchmarks: tasks of lm-evaluation-harness, with the same settings for each model.

The harness is an extra: it is imported only where a spec names a benchmark.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig

from blendtune_api.contract import benchmarks_folder, digest_of
from blendtune_api.v1alpha1 import RubricEvalSpec
from blendtune_core.benchmark_scores import Measured
from blendtune_eval.answering.answer import load_model, within_gpu_memory
from blendtune_eval.answering.decoding import SEED
from blendtune_eval.answering.subjects import Subject
from blendtune_eval.cache import Journal
from blendtune_eval.harness_results import measured
from blendtune_runtime.errors import BadConfiguration, Transient

FIELD = "spec.benchmarks"
DATASETS_FOLDER = "datasets"
_BATCH_SIZE = 32
_BOOTSTRAP_ITERATIONS = 1000  # for the standard errors of metrics other than means


class Benchmarks:
    """The benchmarks that a spec names."""

    def __init__(self, names: Sequence[str], folder: Path) -> None:
        """`folder` has the workspace's own tasks and prepared data sets; it need not exist.

        Raises BadConfiguration where the harness is not installed or does not know a name.
        """
        try:
            self._version = version("lm-eval")
        except PackageNotFoundError as error:
            raise BadConfiguration(
                f"{FIELD}: lm-evaluation-harness is not installed. Use an evaluation image that was built "
                "with it, or install blendtune[benchmarks]"
            ) from error
        self._folder = folder
        self._names = tuple(dict.fromkeys(names))
        self._fields = {name: f"{FIELD}[{names.index(name)}]" for name in self._names}
        self._tasks = _known_tasks(folder, self._names)
        for name in self._names:
            self._check(name)
        self._settings = [self._version, _contents(folder), SEED]
        self.digest = digest_of([self._names, self._settings])

    def prepare(self) -> None:
        """Loads the data of all benchmarks, so that what cannot run is found before any model is asked.

        Raises BadConfiguration where they cannot be read; Transient where they cannot be downloaded.
        """
        with self._own_data():
            for name in self._names:
                self._load(name)

    def measure(self, subject: Subject, results: Path, gpus: int) -> dict[str, Measured]:
        """What a model scores in each benchmark, by name. Results in the folder `results` are taken over.

        Raises BadConfiguration where a benchmark has no score of its own or its data cannot be read;
        Transient where they cannot be downloaded; BadModel or DoesNotFit where the model cannot be loaded.
        """
        decoding = subject.decoding
        identity = digest_of(
            [
                self._settings,
                subject.checkpoint.digest,
                decoding.rendering,
                decoding.stop_token_ids,
                decoding.precision,
            ]
        )
        journal = Journal(results / f"{identity[:32]}.jsonl", identity, Measured)
        model: Any = None
        for name in self._names:
            if journal.get(name) is None:
                model = model or _harness_model(subject, gpus)
                journal.add({name: self._run(name, model)})
            if (score := journal.get(name)) is not None:
                print(f"{name} ({subject.label}): {score.metric} {score.score:.4f}", flush=True)
        return {name: score for name in self._names if (score := journal.get(name)) is not None}

    @property
    def names(self) -> tuple[str, ...]:
        return self._names

    def _check(self, name: str) -> None:
        if name not in self._tasks.all_tasks:
            raise BadConfiguration(
                f"{self._fields[name]}: there is no benchmark {name!r}, neither in lm-evaluation-"
                f"harness {self._version} nor in the folder {self._folder}"
            )
        if name in self._tasks.all_tags:
            raise BadConfiguration(
                f"{self._fields[name]}: {name} is a tag of several tasks, which have no common score: "
                "name the tasks"
            )

    def _run(self, name: str, model: Any) -> Measured:
        from lm_eval.evaluator import evaluate

        with self._own_data():
            loaded = self._load(name)
            random.seed(SEED)
            np.random.seed(SEED)
            torch.manual_seed(SEED)
            with within_gpu_memory():
                outcome: Any = evaluate(
                    lm=model,
                    task_dict=loaded,
                    bootstrap_iters=_BOOTSTRAP_ITERATIONS,
                    apply_chat_template=True,
                    fewshot_as_multiturn=True,
                    confirm_run_unsafe_code=False,
                )
        found = measured(name, outcome)
        if found is None:
            raise BadConfiguration(
                f"{self._fields[name]}: {name} has no score of its own: name the tasks in it"
            )
        return found

    def _load(self, name: str) -> Any:
        from huggingface_hub.errors import OfflineModeIsEnabled

        field = self._fields[name]
        missing = f"{field}: the data of {name} could not be loaded"
        try:
            loaded = self._tasks.load([name])
        except OfflineModeIsEnabled as error:
            prepared = self._folder / DATASETS_FOLDER
            raise BadConfiguration(f"{missing} offline: prepare it in {prepared}. {error}") from error
        except ConnectionError as error:
            raise Transient(f"{missing}: {error}") from error
        except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
            raise BadConfiguration(f"{missing}: {error}") from error
        for task in loaded["tasks"].values():
            if getattr(task, "UNSAFE_CODE", False):
                raise BadConfiguration(
                    f"{field}: {name} runs code that a model writes, which is not done here"
                )
            if task.get_config("num_fewshot") is None:
                task.set_config(key="num_fewshot", value=0)
            task.set_fewshot_seed(seed=SEED)
        return loaded

    @contextmanager
    def _own_data(self) -> Iterator[None]:
        """Within the block, the workspace's tasks find their files and prepared data sets in its folder."""
        import datasets

        before = datasets.config.HF_DATASETS_CACHE
        prepared = self._folder / DATASETS_FOLDER
        try:
            if prepared.is_dir():
                datasets.config.HF_DATASETS_CACHE = prepared
            with chdir(self._folder) if self._folder.is_dir() else nullcontext():
                yield
        finally:
            datasets.config.HF_DATASETS_CACHE = before


def open_benchmarks(spec: RubricEvalSpec, claims: Path) -> Benchmarks | None:
    """None where the spec names none. Raises BadConfiguration."""
    if not spec.benchmarks:
        return None
    return Benchmarks(spec.benchmarks, benchmarks_folder(claims, spec.storage))


def _known_tasks(folder: Path, names: Sequence[str]) -> Any:
    """The workspace's own tasks and, where a name needs them, the harness's, which take long to list."""
    from lm_eval import tasks

    if folder.is_dir():
        own: Any = tasks.TaskManager(include_path=folder, include_defaults=False)
        if all(_is_whole(own.task_index, name) for name in names):
            return own
    return tasks.TaskManager(include_path=folder if folder.is_dir() else None)


def _is_whole(index: Mapping[str, Any], name: object) -> bool:
    """Whether the index has the task, or the group with all of its tasks."""
    if not isinstance(name, str) or name not in index:
        return False
    members = (index[name].cfg or {}).get("task")
    return not isinstance(members, list) or all(_is_whole(index, member) for member in members)


def _harness_model(subject: Subject, gpus: int) -> Any:
    """The model as the harness takes it. The checkpoint's generation config is not used."""
    from lm_eval.models.huggingface import HFLM

    model = load_model(subject.checkpoint.folder, gpus, context=1)
    stops = subject.decoding.stop_token_ids
    model.generation_config = GenerationConfig(eos_token_id=list(stops), pad_token_id=stops[0])
    return HFLM(
        pretrained=model,
        tokenizer=subject.chat.tokenizer,
        backend="causal",
        chat_template_args=subject.chat.switches,
        batch_size=_BATCH_SIZE,
        trust_remote_code=False,
    )


def _contents(folder: Path) -> Mapping[str, str]:
    """sha256 of the workspace's own tasks and their data, by path; prepared data sets are left out."""
    found: dict[str, str] = {}
    for parent, folders, files in os.walk(folder):
        if Path(parent) == folder and DATASETS_FOLDER in folders:
            folders.remove(DATASETS_FOLDER)
        for file in files:
            path = Path(parent) / file
            with path.open("rb") as stream:
                found[str(path.relative_to(folder))] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found
