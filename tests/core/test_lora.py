from __future__ import annotations

import pytest

from blendtune_core.lora import adapted_layers, module_names, trainable_parameters, unknown_targets

_BLOCK = {
    "self_attn.q_proj": (4096, 4096),
    "self_attn.k_proj": (4096, 4096),
    "self_attn.v_proj": (4096, 4096),
    "self_attn.o_proj": (4096, 4096),
    "mlp.gate_proj": (4096, 11008),
    "mlp.up_proj": (4096, 11008),
    "mlp.down_proj": (11008, 4096),
}
LLAMA_7B = {f"model.layers.{layer}.{name}": shape for layer in range(32) for name, shape in _BLOCK.items()}


@pytest.mark.parametrize(
    ("rank", "targets", "trained"),
    [
        pytest.param(8, ("q_proj", "v_proj"), 4_194_304, id="query and value"),
        pytest.param(16, (), 39_976_960, id="all linear layers"),
        pytest.param(1, ("model.layers.3.mlp.up_proj",), 4096 + 11008, id="one layer by its full name"),
        pytest.param(1, ("mlp.up_proj", "up_proj"), 32 * (4096 + 11008), id="named twice, adapted once"),
    ],
)
def test_parameters_of_llama_7b(rank: int, targets: tuple[str, ...], trained: int) -> None:
    assert trainable_parameters(adapted_layers(LLAMA_7B, targets), rank) == trained


def test_a_target_is_whole_parts_of_a_name() -> None:
    assert unknown_targets(LLAMA_7B, ("q_proj", "proj", "attn.q_proj", "layers.0", "self_attn.q_proj")) == [
        1,
        2,
        3,
    ]


def test_the_names_that_people_write() -> None:
    assert module_names(LLAMA_7B) == sorted(name.rpartition(".")[2] for name in _BLOCK)
