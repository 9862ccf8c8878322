"""The layers that a LoRA adapts and the parameters that it trains, by the shapes of the model's layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

Shape = tuple[int, int]  # inputs and outputs of a linear layer


def adapted_layers(layers: Mapping[str, Shape], target_modules: Sequence[str]) -> dict[str, Shape]:
    """The linear layers, by full name, that `target_modules` select; all of them if it is empty.

    A target is the full name of a layer or its last parts, as in peft: `q_proj` selects it in every block.
    """
    if not target_modules:
        return dict(layers)
    return {
        name: shape
        for name, shape in layers.items()
        if any(_names(target, name) for target in target_modules)
    }


def unknown_targets(layers: Iterable[str], target_modules: Sequence[str]) -> list[int]:
    """The indices of the targets that match no layer."""
    names = tuple(layers)
    return [
        index
        for index, target in enumerate(target_modules)
        if not any(_names(target, name) for name in names)
    ]


def module_names(layers: Iterable[str]) -> list[str]:
    """The last part of each layer's full name, sorted and without repeats: what users write as targets."""
    return sorted({name.rpartition(".")[2] for name in layers})


def trainable_parameters(adapted: Mapping[str, Shape], rank: int) -> int:
    """The parameters of the adapter. A layer of n inputs and m outputs gets matrices of r x n and m x r
    (arXiv 2106.09685, section 4.1).
    """
    return sum(rank * (inputs + outputs) for inputs, outputs in adapted.values())


def _names(target: str, layer: str) -> bool:
    return layer == target or layer.endswith(f".{target}")
