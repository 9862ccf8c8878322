"""Fused kernels for norms, rotary embeddings and feed-forward networks: Liger's, on CUDA in 16 bits.

The loss stays ours. Liger's fused linear cross-entropy could sum over the supervised tokens of a step as
well, but it forms no logits, which validation compares with the base model's, and it goes around the forward
pass of the head, in which models scale or cap their logits.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from inspect import signature
from typing import Any

import torch

from blendtune_api.v1alpha1 import Kernels, Training
from blendtune_core.sizing.layout import fuses_layers
from blendtune_core.sizing.shape import FUSABLE
from blendtune_runtime.errors import BadConfiguration

_LAYERS = ("rope", "rms_norm", "swiglu", "geglu")  # switches of Liger's functions, by model type
_LOSSES = ("cross_entropy", "fused_linear_cross_entropy")
_COMPILERS = ("gcc", "clang")  # as Triton looks for one


def kernels_work(config: Any) -> bool:
    """Whether Liger's kernels are known to compute models with this config, and are installed."""
    return config.model_type in FUSABLE and _missing() is None


def require_kernels(training: Training, config: Any, device: torch.device | None = None) -> None:
    """Raises BadConfiguration if Liger's kernels are asked for where they cannot compute the model.

    Without a `device` it is not known on what the training will run.
    """
    if training.kernels is not Kernels.LIGER:
        return
    if config.model_type not in FUSABLE:
        raise BadConfiguration(
            f"spec.training.kernels: liger is not known to compute a {config.model_type} as transformers "
            f"does, only {', '.join(sorted(FUSABLE))}; set auto or none"
        )
    missing = _missing()
    if missing is None and device is not None and device.type != "cuda":
        missing = "a CUDA device"
    if missing is not None:
        raise BadConfiguration(f"spec.training.kernels: liger needs {missing}; set auto or none")


def fuse_if_asked(model: Any, training: Training, device: torch.device) -> None:
    """Has Liger's kernels compute the layers of a loaded model, if the training takes them on this device.

    Rotary embeddings change for all models of the type in this process. Raises BadConfiguration as
    `require_kernels`.
    """
    require_kernels(training, model.config, device)
    if fuses_layers(training, on_gpu=device.type == "cuda", fusable=kernels_work(model.config)):
        fuse(model)


def fuse(model: Any) -> None:
    """Has Liger's kernels compute norms, rotary embeddings and feed-forward networks of a FUSABLE model."""
    from liger_kernel.transformers.monkey_patch import MODEL_TYPE_TO_APPLY_LIGER_FN

    apply = MODEL_TYPE_TO_APPLY_LIGER_FN[model.config.model_type]
    switches = dict.fromkeys(_LAYERS, True) | dict.fromkeys(_LOSSES, False)
    known = signature(apply).parameters
    apply(model=model, **{name: on for name, on in switches.items() if name in known})


def _missing() -> str | None:
    """What Liger's kernels lack in this image; None if nothing."""
    if importlib.util.find_spec("liger_kernel") is None:
        return "the liger-kernel package"
    if not os.environ.get("CC") and not any(map(shutil.which, _COMPILERS)):
        return f"a C compiler, with which Triton builds what starts a kernel ({' or '.join(_COMPILERS)})"
    return None
