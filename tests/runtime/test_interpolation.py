"""Models between a base model and what it was tuned to."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from blendtune_api.contract import WEIGHTS_FILE, WEIGHTS_INDEX, weight_files, weights_digest
from blendtune_runtime.errors import BadModel
from blendtune_runtime.models import interpolation
from blendtune_runtime.models.interpolation import (
    Origin,
    interpolated,
    origin_of,
    require_interpolable,
    write_interpolated,
    write_scaled_adapter,
)

ORIGIN = Origin(base="1", tuned="2")
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def tensors_of(folder: Path) -> dict[str, Tensor]:
    return {name: tensor for file in weight_files(folder) for name, tensor in load_file(file).items()}


def saved(folder: Path, seed: int, *, dtype: torch.dtype = torch.bfloat16, **settings: Any) -> Path:
    """A tiny model in a folder."""
    shard, layers = settings.pop("shard", "5GB"), settings.pop("layers", 2)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        **settings,
    )
    LlamaForCausalLM(config).to(dtype).save_pretrained(folder, max_shard_size=shard)
    return folder


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@given(seed=st.integers(0, 2**32 - 1), weight=st.floats(0, 1))
def test_a_tensor_is_the_formula_in_fp32_rounded_once(dtype: torch.dtype, seed: int, weight: float) -> None:
    random = torch.Generator().manual_seed(seed)
    base, tuned = (torch.randn(50, generator=random).to(dtype) for _ in range(2))
    exact = base.double() + weight * (tuned.double() - base.double())
    found = interpolated(base, tuned, weight)
    assert found.dtype is dtype
    of_fp32 = 4e-7 * (base.double().abs() + tuned.double().abs())
    rounding = exact.abs() * torch.finfo(dtype).eps / 2 + torch.finfo(dtype).smallest_normal
    assert torch.all((found.double() - exact).abs() <= of_fp32 + rounding)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@given(seed=st.integers(0, 2**32 - 1), scale=st.integers(-20, 8))
def test_the_ends_are_the_models_themselves(dtype: torch.dtype, seed: int, scale: int) -> None:
    random = torch.Generator().manual_seed(seed)
    base, tuned = torch.randn(50, generator=random), torch.randn(50, generator=random) * 2.0**scale
    base, tuned = base.to(dtype), tuned.to(dtype)
    assert torch.equal(interpolated(base, tuned, 0.0), base)
    assert torch.equal(interpolated(base, tuned, 1.0), tuned)


@pytest.mark.parametrize(
    "settings",
    [{}, {"tie_word_embeddings": True}, {"shard": "4kB"}, {"dtype": torch.float32}],
    ids=["full", "tied", "sharded", "fp32"],
)
def test_a_model_between_two(tmp_path: Path, settings: dict[str, Any]) -> None:
    base, tuned = saved(tmp_path / "base", 1, **settings), saved(tmp_path / "tuned", 2, **settings)
    between = tmp_path / "between"
    write_interpolated(base, tuned, 0.7, between, ORIGIN)
    assert [file.name for file in weight_files(between)] == [file.name for file in weight_files(tuned)]
    before, after = tensors_of(base), tensors_of(tuned)
    found = tensors_of(between)
    assert found.keys() == after.keys()
    assert ("lm_head.weight" in found) is not settings.get("tie_word_embeddings", False)
    for name, tensor in found.items():
        assert torch.equal(tensor, interpolated(before[name], after[name], 0.7)), name
    AutoModelForCausalLM.from_pretrained(between)
    assert (origin_of(between), origin_of(tuned)) == (ORIGIN, None)
    others = {path.name for path in tuned.iterdir()} - {file.name for file in weight_files(tuned)}
    assert {name: (between / name).read_bytes() for name in others} == {
        name: (tuned / name).read_bytes() for name in others
    }


@pytest.mark.parametrize(("weight", "same"), [(0.0, "base"), (1.0, "tuned")])
def test_the_ends_have_the_digest_of_the_models(tmp_path: Path, weight: float, same: str) -> None:
    for name, seed in (("base", 1), ("tuned", 2)):
        saved(tmp_path / name, seed, shard="4kB")
    write_interpolated(tmp_path / "base", tmp_path / "tuned", weight, tmp_path / "between", ORIGIN)
    assert weights_digest(tmp_path / "between") == weights_digest(tmp_path / same)


def test_the_base_model_may_be_stored_in_another_way(tmp_path: Path) -> None:
    """In one file instead of several, with a tied head beside its embeddings, and without `model.`."""
    tuned = saved(tmp_path / "tuned", 2, shard="4kB", tie_word_embeddings=True)
    base = saved(tmp_path / "base", 1, tie_word_embeddings=True)
    before = tensors_of(base)
    stored = {name.removeprefix("model."): tensor for name, tensor in before.items()}
    stored["lm_head.weight"] = stored["embed_tokens.weight"].clone()
    save_file(stored, base / WEIGHTS_FILE)
    write_interpolated(base, tuned, 0.5, tmp_path / "between", ORIGIN)
    after = tensors_of(tuned)
    for name, tensor in tensors_of(tmp_path / "between").items():
        assert torch.equal(tensor, interpolated(before[name], after[name], 0.5)), name


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(
            lambda base: base.pop("model.norm.weight"),
            "the base model has no model.norm.weight",
            id="missing",
        ),
        pytest.param(
            lambda base: base.update({"lm_head.weight": torch.zeros(60, 16)}),
            r"lm_head.weight is \[64, 16\] in the tuned model and \[60, 16\]",
            id="shape",
        ),
        pytest.param(
            lambda base: base.update({"lm_head.weight": torch.zeros(64, 16, dtype=torch.int8)}),
            "lm_head.weight differs",
            id="quantised",
        ),
    ],
)
def test_models_that_do_not_fit_are_refused_by_name(tmp_path: Path, change: Any, told: str) -> None:
    base, tuned = saved(tmp_path / "base", 1), saved(tmp_path / "tuned", 2)
    tensors = tensors_of(base)
    change(tensors)
    save_file(tensors, base / WEIGHTS_FILE)
    with pytest.raises(BadModel, match=told):
        write_interpolated(base, tuned, 0.5, tmp_path / "between", ORIGIN)
    assert not (tmp_path / "between").exists()


def test_what_will_not_lie_between_is_found_by_a_small_model(tmp_path: Path) -> None:
    """Before the training: names are compared without the numbers of layers, and how weights are stored."""
    base, small = saved(tmp_path / "base", 1, layers=3), saved(tmp_path / "small", 2)
    require_interpolable(base, small)
    tensors = tensors_of(base)
    save_file({name: tensor for name, tensor in tensors.items() if "mlp" not in name}, base / WEIGHTS_FILE)
    with pytest.raises(BadModel, match=r"has no model\.layers\.#\.mlp\.down_proj\.weight"):
        require_interpolable(base, small)
    save_file(tensors | {"model.norm.weight": torch.ones(16).to(torch.float8_e4m3fn)}, base / WEIGHTS_FILE)
    with pytest.raises(BadModel, match=r"model.norm.weight in .* is stored as F8_E4M3"):
        require_interpolable(base, small)


def test_what_broke_off_is_written_anew(tmp_path: Path) -> None:
    base, tuned = saved(tmp_path / "base", 1), saved(tmp_path / "tuned", 2)
    unfinished = tmp_path / "between.tmp"
    unfinished.mkdir()
    (unfinished / WEIGHTS_INDEX).write_text("half of")
    write_interpolated(base, tuned, 0.5, tmp_path / "between", ORIGIN)
    assert not unfinished.exists()
    assert not (tmp_path / "between" / WEIGHTS_INDEX).exists()


@pytest.fixture
def freed_at_once() -> Iterator[None]:
    """What is freed goes back to the system, so that memory in use can be told from what malloc keeps."""
    libc, mmap_threshold = ctypes.CDLL(None), -3
    if not hasattr(libc, "mallopt"):
        pytest.skip("measured as glibc allows")
    libc.mallopt(mmap_threshold, 64 << 10)
    libc.malloc_trim(0)  # or what earlier tests have left is used again, and nothing is seen
    yield
    libc.mallopt(mmap_threshold, 128 << 10)  # as it is by default


def anonymous_bytes() -> int:
    """What this process holds of main memory, without files that are mapped into it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


@pytest.mark.usefixtures("freed_at_once")
def test_memory_is_bounded_by_a_file_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve files of 16 MB each: what is held when one is written, after its last tensor was computed."""
    size, count = 16_000_000, 12
    for name in ("base", "tuned"):
        folder = tmp_path / name
        folder.mkdir()
        weight_map = {}
        for number in range(count):
            file = f"model-{number + 1:05}-of-{count:05}.safetensors"
            tensors = {f"{number}.{part}": torch.ones(size // 16, dtype=torch.bfloat16) for part in range(8)}
            save_file(tensors, folder / file, metadata={"format": "pt"})
            weight_map |= dict.fromkeys(tensors, file)
        (folder / WEIGHTS_INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    del tensors
    held = []

    def measured(*arguments: Any, **options: Any) -> None:
        held.append(anonymous_bytes() - before)
        save_file(*arguments, **options)

    monkeypatch.setattr(interpolation, "save_file", measured)
    before = anonymous_bytes()
    write_interpolated(tmp_path / "base", tmp_path / "tuned", 0.5, tmp_path / "between", ORIGIN)
    assert len(held) == count
    assert size / 4 <= max(held) < 2 * size, "the file, and less than another of copies of a tensor in fp32"


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_an_adapter_is_scaled_by_its_alpha(tmp_path: Path) -> None:
    """Merged, the scaled adapter is the model between the base and what the whole adapter makes of it."""
    from peft import LoraConfig, PeftModel, get_peft_model

    base = saved(tmp_path / "base", 1, dtype=torch.float32)
    config = LoraConfig(
        r=4, lora_alpha=10, target_modules=["q_proj", "down_proj"], alpha_pattern={"q_proj": 6}
    )
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter)
    adapted.save_pretrained(tmp_path / "adapter")
    adapted.merge_and_unload().save_pretrained(tmp_path / "tuned")

    write_scaled_adapter(tmp_path / "adapter", 0.7, tmp_path / "scaled")
    written = json.loads((tmp_path / "scaled" / "adapter_config.json").read_text())
    assert (written["lora_alpha"], written["alpha_pattern"]) == (7, {"q_proj": pytest.approx(4.2)})
    matrices = "adapter_model.safetensors"
    assert (tmp_path / "scaled" / matrices).read_bytes() == (tmp_path / "adapter" / matrices).read_bytes()
    scaled: Any = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(base), str(tmp_path / "scaled")
    ).merge_and_unload()
    write_interpolated(base, tmp_path / "tuned", 0.7, tmp_path / "between", ORIGIN)
    between = AutoModelForCausalLM.from_pretrained(tmp_path / "between").state_dict()
    for name, tensor in scaled.state_dict().items():
        torch.testing.assert_close(tensor, between[name], rtol=1e-5, atol=1e-5, msg=name)


def test_an_adapter_with_whole_modules_is_refused(tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"lora_alpha": 8, "modules_to_save": ["lm_head"]}')
    with pytest.raises(BadModel, match="modules_to_save"):
        write_scaled_adapter(adapter, 0.5, tmp_path / "scaled")
