"""Which layers a LoRA adapts and how many parameters it trains, from the shapes of the model's layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

Shape = tuple[int, int]  # inputs and outputs of a linear layer


def adapted_layers(layers: Mapping[str, Shape], target_modules: Sequence[str]) -> dict[str, Shape]:
    """Those of a model's linear layers, by full name, that `target_modules` name; all where it is empty.

    A target is a layer's full name or its last parts, as in peft: `q_proj` names it in every block.
    """
    if not target_modules:
        return dict(layers)
    return {
        name: shape
        for name, shape in layers.items()
        if any(_names(target, name) for target in target_modules)
    }


def unknown_targets(layers: Iterable[str], target_modules: Sequence[str]) -> list[int]:
    """Positions of the targets that name none of the layers."""
    names = tuple(layers)
    return [
        index
        for index, target in enumerate(target_modules)
        if not any(_names(target, name) for name in names)
    ]


def module_names(layers: Iterable[str]) -> list[str]:
    """The last part of each layer's full name: what people write as a target."""
    return sorted({name.rpartition(".")[2] for name in layers})


def trainable_parameters(adapted: Mapping[str, Shape], rank: int) -> int:
    """A layer of n inputs and m outputs gets r x n and m x r parameters (arXiv 2106.09685, section 4.1)."""
    return sum(rank * (inputs + outputs) for inputs, outputs in adapted.values())


def _names(target: str, layer: str) -> bool:
    return layer == target or layer.endswith(f".{target}")
