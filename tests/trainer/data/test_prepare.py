"""The blend that is prepared from files of rows: what it holds, its digest, and when it is made again."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.trainer.data.blends import SEQUENCE_LENGTH, Change, edit, rows, write_rows, write_rubric
from transformers import PreTrainedTokenizerFast

from blendtune_api.contract import BlendResult, decode_message
from blendtune_api.v1alpha1 import Stage
from blendtune_runtime.errors import BadData
from blendtune_trainer.blending.lineage import read_lineage, write_lineage
from blendtune_trainer.blending.packed import PackedBlend
from blendtune_trainer.model.base_model import base_model_folder
from blendtune_trainer.prepare import prepare
from blendtune_trainer.stage import Run


def test_a_blend_is_left_whole_and_told(
    make_run: Callable[..., Run], tokenizer: PreTrainedTokenizerFast
) -> None:
    run = make_run()
    result = prepare(run)
    packed = PackedBlend.open(run.workspace.blend)
    assert packed.digest == result.digest
    assert result.config_digest == run.config.digest
    assert [source.name for source in result.sources] == ["ads", "general"]
    assert [round(source.achieved_share, 2) for source in result.sources] == [0.5, 0.5]
    assert result.sources[0].epochs == 2
    assert result.sources[0].examples == 2 * 36
    assert result.tokens == sum(packed.tokens(index) for index in range(packed.num_bins))
    assert result.steps == -(-packed.num_bins // 4)
    assert result.parameters == 26_880
    for index in range(packed.num_bins):
        filled = packed.bin(index)
        assert len(filled.input_ids) <= SEQUENCE_LENGTH
        starts = filled.input_ids[filled.position_ids == 0]
        assert set(tokenizer.convert_ids_to_tokens(starts.tolist())) == {"<|im_start|>"}
        assert filled.supervised_tokens == packed.supervised_tokens(index) > 0
    assert decode_message(run.workspace.result(Stage.BLEND).read_text()) == rounded(result)


def rounded(result: BlendResult) -> BlendResult:
    """The result as a message tells it: with six digits."""
    sources = tuple(
        replace(
            source,
            target_share=float(f"{source.target_share:.6g}"),
            achieved_share=float(f"{source.achieved_share:.6g}"),
            epochs=float(f"{source.epochs:.6g}"),
        )
        for source in result.sources
    )
    return replace(result, sources=sources)


def test_held_out_rows_are_validated_on_and_never_trained_on(make_run: Callable[..., Run]) -> None:
    run = make_run()
    prepare(run)
    packed = PackedBlend.open(run.workspace.blend)
    held = set(packed.validation_bin_examples.tolist())
    assert len(held) == 4 + 15
    assert not held & set(packed.bin_examples.tolist())
    for index in range(packed.num_validation_bins):
        source = packed.validation_bin_sources[index]
        assert set(packed.validation_bin(index).sources.tolist()) == {source}


def test_a_row_of_two_sources_is_held_out_of_both_or_of_none(
    make_run: Callable[..., Run], data: Path
) -> None:
    write_rows(data / "general.jsonl", rows(40, "ads", 12) + rows(150, "x", 5))
    run = make_run()
    prepare(run)
    packed = PackedBlend.open(run.workspace.blend)

    def contents(examples: Sequence[int]) -> set[tuple[int, ...]]:
        bounds = [packed.example_offsets[example : example + 2] for example in examples]
        return {tuple(packed.input_ids[begin:end].tolist()) for begin, end in bounds}

    held = contents(packed.validation_bin_examples.tolist())
    assert len(held) >= 4 + 15
    assert not held & contents(packed.bin_examples.tolist())


def test_separate_validation_rows_are_kept_out_of_the_sources(
    make_run: Callable[..., Run], data: Path
) -> None:
    write_rows(data / "validation.jsonl", rows(5, "ads", 12) + rows(3, "new", 4))
    run = make_run(edit("blend.validation", {"uri": "pvc://data/validation.jsonl"}))
    result = prepare(run)
    packed = PackedBlend.open(run.workspace.blend)
    assert packed.source_names == ("ads", "general", "(validation)")
    assert set(packed.validation_bin_sources.tolist()) == {2}
    assert len(packed.validation_bin_examples) == 8
    assert result.sources[0].examples == 2 * 35


def test_the_digest_follows_what_decides_the_blend_and_nothing_else(
    make_run: Callable[..., Run], data: Path, tmp_path: Path
) -> None:
    def digest(change: Change | None = None) -> str:
        path = edit("storage.path", f"run-{len(list(tmp_path.glob('claims/work/*')))}")

        def both(document: dict[str, Any]) -> None:
            path(document)
            if change is not None:
                change(document)

        return prepare(make_run(both)).digest

    first = digest()
    assert digest() == first
    assert digest(edit("cluster.nodes", 2)) == first
    assert digest(edit("training.learningRate", 1e-4)) == first
    changed = [
        digest(edit("blend.seed", 7)),
        digest(edit("blend.unit", "examples")),
        digest(edit("blend.budget", {"epochs": 1})),
        digest(edit("blend.validation.fraction", 0)),
        digest(edit("blend.sources.0.weight", 60)),
        digest(edit("training.sequenceLength", 512)),
        digest(edit("model.chatTemplate", "llama-2")),
    ]
    content = (data / "general.jsonl").read_text().splitlines(keepends=True)
    (data / "general.jsonl").write_text("".join([*content[1:], content[0]]))
    changed.append(digest())
    assert len({first, *changed}) == 1 + len(changed)


def test_a_tuned_model_goes_on_in_each_source_where_its_training_ended(
    make_run: Callable[..., Run], data: Path, base_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = make_run()
    prepare(first)
    begun = PackedBlend.open(first.workspace.blend)
    start = read_lineage(first.workspace.blend)
    assert start is not None
    shutil.copytree(base_model, data / "tuned")
    write_lineage(data / "tuned", start.after(begun, begun.num_bins))

    def change(document: dict[str, Any]) -> None:
        document["model"]["uri"] = "pvc://data/tuned"
        document["storage"]["path"] = "second"
        document["blend"]["budget"]["epochs"] = 1

    second = make_run(change)
    prepare(second)
    went_on = PackedBlend.open(second.workspace.blend)
    assert "ads: goes on after 2.00 passes of the model's earlier training" in capsys.readouterr().out
    longer = make_run(
        lambda document: (edit("storage.path", "third")(document), edit("blend.budget.epochs", 3)(document))
    )
    prepare(longer)
    at_once = PackedBlend.open(longer.workspace.blend)
    together = [*begun.bin_examples, *went_on.bin_examples]
    difference = Counter(map(int, together))
    difference.subtract(map(int, at_once.bin_examples))
    assert sum(map(abs, difference.values())) <= 2, "each run rounds each source to a whole example"


def test_an_in_domain_question_in_the_rows_is_a_warning(make_run: Callable[..., Run]) -> None:
    run = make_run()
    write_rubric(run, "inDomain", "question 7, about ads")
    (warning,) = prepare(run).warnings
    assert "question q1: ads.jsonl:8 asks the same" in warning


def test_a_finished_blend_is_not_done_again(make_run: Callable[..., Run], data: Path) -> None:
    first = prepare(make_run())
    (data / "ads.jsonl").unlink()
    again = prepare(make_run(uid="applied-again"))
    assert again.digest == first.digest


def test_a_finished_blend_is_searched_again_for_another_rubric(make_run: Callable[..., Run]) -> None:
    first = prepare(make_run())
    run = make_run()
    write_rubric(run, "general", "What is the boiling point of water?")
    assert prepare(run).digest == first.digest
    write_rubric(run, "general", "Question 3 about x?")
    with pytest.raises(BadData, match=r"question q1: general\.jsonl:4"):
        prepare(run)
    assert PackedBlend.open(run.workspace.blend).digest == first.digest


def test_an_unfinished_blend_is_done_again(make_run: Callable[..., Run]) -> None:
    run = make_run()
    first = prepare(run)
    (run.workspace.blend / "input_ids.npy").unlink()
    assert prepare(run).digest == first.digest
    PackedBlend.open(run.workspace.blend)


def test_rows_are_encoded_once_for_all_shares(make_run: Callable[..., Run]) -> None:
    def run(name: str, weight: int) -> Run:
        def change(document: Any) -> None:
            document["storage"] |= {"path": name, "sharedPath": "shared"}
            document["blend"]["sources"][0]["weight"] = weight

        return make_run(change, name)

    def files() -> dict[str, int]:
        return {file.name: file.stat().st_mtime_ns for file in run("a", 50).shared.tokens.iterdir()}

    first = prepare(run("a", 50))
    encoded = files()
    assert len(encoded) == 2, "a file for each source"
    second = prepare(run("b", 80))
    assert second.digest != first.digest
    assert files() == encoded


def test_a_model_on_a_claim_is_read_where_it_lies(make_run: Callable[..., Run], base_model: Path) -> None:
    run = make_run(edit("storage.sharedPath", "shared"))
    assert base_model_folder(run.config.spec.model, run.claims, run.shared) == base_model
