"""Models between a base model and what it was tuned to: base + weight (tuned - base), tensor by tensor.

Between the two, much of what tuning made a model forget comes back before what it learned is lost (WiSE-FT,
arXiv 2109.01903). A full model is written file by file: no more than one file of weights is in memory.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from blendtune_api.contract import weight_files
from blendtune_runtime.errors import BadModel
from blendtune_runtime.files import replacing_folder, write_json

ORIGIN_FILE = "interpolation.json"
ADAPTER_CONFIG = "adapter_config.json"
_ARITHMETIC = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_NOT_SCALED = ("modules_to_save", "use_dora", "trainable_token_indices")  # of an adapter's config
_QUANTISED = ("F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "I8", "U8")  # as safetensors names them
_PLACE = re.compile(r"(?<=\.)\d+(?=\.)")  # of a layer or an expert
_SHOWN = 3  # names of tensors in a message


def interpolated(base: Tensor, tuned: Tensor, weight: float) -> Tensor:
    """base + weight (tuned - base), in fp32 at least, rounded to the tuned tensor's precision.

    The result is the base tensor itself where `weight` is 0, and the tuned one where it is 1: from the half
    on, `lerp` counts from the other end.
    """
    precision = torch.promote_types(torch.float32, tuned.dtype)
    return torch.lerp(base.to(precision), tuned.to(precision), weight).to(tuned.dtype)


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """The digests of the two models between which one lies."""

    base: str
    tuned: str


def write_interpolated(base: Path, tuned: Path, weight: float, folder: Path, origin: Origin) -> None:
    """Writes the model between the two to `folder`, completely or not at all.

    All but the weights is as in `tuned`, in which tied weights are stored once; a file beside them says the
    weight and the `origin`. Raises BadModel, which names tensors, if the base model lacks some or has them in
    another shape; FileNotFoundError without weights.
    """
    weights = weight_files(tuned)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _Base.opened(base) as of_base, replacing_folder(folder) as unfinished:
        shutil.copytree(tuned, unfinished, ignore=shutil.ignore_patterns(*(file.name for file in weights)))
        for file in weights:
            _write_file(of_base, file, weight, unfinished / file.name)
        write_json(unfinished / ORIGIN_FILE, {**asdict(origin), "weight": weight})


def _write_file(base: _Base, tuned: Path, weight: float, target: Path) -> None:
    """Writes one file of weights. What it holds in memory is gone when it returns."""
    with _reading(tuned) as read:
        names = list(read.keys())
        base.require(names, {name: read.get_slice(name).get_shape() for name in names}, tuned)
        tensors = {}
        for name in names:
            tensors[name] = _between(base.tensor(name), read.get_tensor(name), weight, name)
    save_file(tensors, target, metadata={"format": "pt"})


def origin_of(folder: Path) -> Origin | None:
    """Between which models that in `folder` lies; None where it is none of these, or not whole."""
    try:
        written = json.loads((folder / ORIGIN_FILE).read_text())
        return Origin(base=str(written["base"]), tuned=str(written["tuned"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def require_interpolable(base: Path, exported: Path) -> None:
    """Raises BadModel if nothing will lie between the model in `base` and one that is exported as `exported`.

    That may be a small model of the same architecture, with fewer layers: numbers in names are not compared.
    """
    with _Base.opened(base) as of_base:
        known = {_PLACE.sub("#", name) for name in of_base.files}
        for file in weight_files(exported):
            with _reading(file) as read:
                names = {_PLACE.sub("#", name) for name in read.keys()}  # noqa: SIM118
            if missing := sorted(name for name in names if not {name, _bare(name)} & known):
                raise BadModel(
                    f"interpolation: {base} has no {_listed(missing)}, as the tuned model will have"
                )
        of_base.require_numbers(base)


def write_scaled_adapter(adapter: Path, weight: float, folder: Path) -> None:
    """Writes a LoRA adapter whose change of the base model is `weight` times that of `adapter`.

    Its matrices stay bit for bit: lora_alpha is scaled, by which what they multiply to is multiplied. Raises
    BadModel if the adapter holds weights that lora_alpha does not scale.
    """
    config: dict[str, Any] = json.loads((adapter / ADAPTER_CONFIG).read_text())
    if unscaled := [key for key in _NOT_SCALED if config.get(key)]:
        raise BadModel(
            f"{adapter / ADAPTER_CONFIG}: an adapter with {unscaled[0]} is not scaled by lora_alpha: "
            "take the merged model"
        )
    scaled = {
        **config,
        "lora_alpha": _whole(config["lora_alpha"] * weight),
        "alpha_pattern": {
            name: _whole(alpha * weight) for name, alpha in (config.get("alpha_pattern") or {}).items()
        },
    }
    with replacing_folder(folder) as unfinished:
        shutil.copytree(adapter, unfinished)
        write_json(unfinished / ADAPTER_CONFIG, scaled)


def _whole(value: float) -> float:
    """An integer where it is one: what peft declares lora_alpha to be."""
    return int(value) if float(value).is_integer() else value


def _between(base: Tensor, tuned: Tensor, weight: float, name: str) -> Tensor:
    if tuned.dtype in _ARITHMETIC and base.dtype in _ARITHMETIC:
        return interpolated(base, tuned, weight)
    if torch.equal(base, tuned):
        return tuned
    raise BadModel(
        f"interpolation: {name} differs between the tuned model ({tuned.dtype}) and its base model "
        f"({base.dtype}), and these are no numbers to weigh"
    )


@dataclass(frozen=True, slots=True)
class _Base:
    """The tensors of the base model, read one by one."""

    files: Mapping[str, Any]  # the open file of each tensor, by its name

    @classmethod
    @contextmanager
    def opened(cls, folder: Path) -> Iterator[_Base]:
        with ExitStack() as stack:
            files = [stack.enter_context(_reading(file)) for file in weight_files(folder)]
            yield cls({name: file for file in files for name in file.keys()})  # noqa: SIM118

    def tensor(self, name: str) -> Tensor:
        own = self._own_name(name)
        tensor: Tensor = self.files[own].get_tensor(own)
        return tensor

    def require(self, names: list[str], shapes: Mapping[str, list[int]], file: Path) -> None:
        """Raises BadModel unless there is a tensor of each name and shape."""
        missing = [name for name in names if not self._own_name(name)]
        if missing:
            raise BadModel(
                f"interpolation: the base model has no {_listed(missing)}, which {file} holds: the two are "
                "not of one architecture"
            )
        for name in names:
            own = self._own_name(name)
            shape = self.files[own].get_slice(own).get_shape()
            if shape != shapes[name]:
                raise BadModel(
                    f"interpolation: {name} is {shapes[name]} in the tuned model and {shape} in its base "
                    "model: tokens were added, or the two are not of one architecture"
                )

    def _own_name(self, name: str) -> str:
        """The tensor's name in the base model; empty without one.

        A checkpoint of a bare model leaves out the first part of each name, such as `transformer.`.
        """
        return next((each for each in (name, _bare(name)) if each in self.files), "")

    def require_numbers(self, folder: Path) -> None:
        """Raises BadModel if weights are stored in numbers that cannot be weighed, such as 8 bits."""
        for name, file in self.files.items():
            if (stored := file.get_slice(name).get_dtype()) in _QUANTISED:
                raise BadModel(
                    f"interpolation: {name} in {folder} is stored as {stored}: take it in 16 or 32 bits"
                )


def _bare(name: str) -> str:
    """The name without its first part."""
    return name.partition(".")[2]


@contextmanager
def _reading(file: Path) -> Iterator[Any]:
    """A file of safetensors, open for reading. Raises BadModel if it is none."""
    try:
        opened = safe_open(file, framework="pt")
    except SafetensorError as error:
        raise BadModel(f"{file} holds no tensors: {error}") from error
    with opened as read:
        yield read


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
