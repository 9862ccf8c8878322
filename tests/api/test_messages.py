from __future__ import annotations

import base64
import json
import random
import string
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.api.generated import instances

from blendtune_api import v1alpha1 as api
from blendtune_api.contract import (
    MESSAGE_LIMIT_BYTES,
    BlendResult,
    EvalResult,
    ExitCode,
    Failure,
    Layout,
    Memory,
    MessageError,
    Outcome,
    RubricResult,
    TrainResult,
    decode_message,
    encode_message,
    storage_path,
    workspace,
)

SHA256 = "0123456789abcdef" * 4
DICE = random.Random(7)


def word(length: int) -> str:
    return "".join(DICE.choices(string.ascii_lowercase, k=length))


BOUNDS = ("worst", "best", "delta_worst", "delta_best")
TEST = ("p_value", "minimum_detectable_effect")


def scope(name_length: int, *more: str) -> api.ScopeScore:
    numbers = {
        name: DICE.random()
        for name in ("score", "low", "high", "baseline_score", "delta", "delta_low", "delta_high", *more)
    }
    return api.ScopeScore(
        name=word(name_length), n=10_000, unscored=1_000, critical_errors=DICE.randrange(1_000), **numbers
    )


def largest_eval_result() -> EvalResult:
    digests = api.EvaluationDigests(
        model=SHA256,
        baseline=SHA256[::-1],
        rubric=SHA256,
        judge=SHA256[3:] + SHA256[:3],
        template=SHA256,
        decoding=SHA256[::-1],
    )
    return EvalResult(
        overall=scope(7, *BOUNDS, *TEST),
        general=scope(7, *BOUNDS, *TEST),
        in_domain=scope(8, *BOUNDS, *TEST),
        dimensions=tuple(scope(14, *BOUNDS) for _ in range(3)),
        categories=tuple(scope(63) for _ in range(16)),
        coverage=0.987654,
        digests=digests,
        verdict=api.Verdict.INCONCLUSIVE,
        not_compared="the two were not asked and judged alike, they differ in rubric, judge, decoding",
        report_uri=f"pvc://blendtune/{word(60)}/{word(40)}/eval",
        contaminated=10,
        benchmarks=tuple(benchmark() for _ in range(api.MAX_BENCHMARKS)),
        epochs=tuple(
            api.EpochScore(epoch=epoch, general=epoch_scope(), in_domain=epoch_scope())
            for epoch in range(1, api.MAX_EPOCH_MODELS + 1)
        ),
        unscored_reason=word(400),
    )


def benchmark() -> api.BenchmarkScore:
    numbers = ("score", "standard_error", "baseline_score", "baseline_standard_error")
    deltas = ("delta", "delta_low", "delta_high")
    return api.BenchmarkScore(
        name=word(100),
        metric=word(100),
        n=DICE.randrange(10**6),
        **{name: DICE.random() for name in (*numbers, *deltas)},
    )


def epoch_scope() -> api.EpochScope:
    return api.EpochScope(score=DICE.random(), gain=DICE.random(), low=-DICE.random(), high=DICE.random())


def candidate(weight: float) -> api.Candidate:
    return api.Candidate(
        weight=weight,
        in_domain=candidate_scope(),
        general=candidate_scope(),
        rise=DICE.random(),
        gates=api.GateResult.FAILED,
        not_passed="general maxDrop, retention maxRise, benchmark mmlu maxDrop",
    )


def candidate_scope() -> api.CandidateScope:
    return api.CandidateScope(
        score=DICE.random(), delta=DICE.random(), low=-DICE.random(), high=DICE.random()
    )


def choice(candidates: int, taken: int) -> api.InterpolationStatus:
    """The choice among so many candidates, by the index of the one that is taken."""
    weights = [(number + 1) / candidates for number in range(candidates)]
    workspace = f"pvc://blendtune/{word(60)}/{word(40)}"
    return api.InterpolationStatus(
        weight=weights[taken],
        uri=f"{workspace}/interpolated/{weights[taken]!r}/model",
        digest=SHA256[:40] + SHA256[::-1][:24],
        tuned_uri=f"{workspace}/model",
        tuned_digest=SHA256[::-1],
        candidates=tuple(map(candidate, weights)),
    )


def largest_blend_result(warnings: tuple[str, ...] = ()) -> BlendResult:
    sources = tuple(
        api.BlendedSource(
            name=word(40),
            examples=DICE.randrange(10**9),
            tokens=DICE.randrange(10**12),
            target_share=DICE.random(),
            achieved_share=DICE.random(),
            epochs=DICE.random() * 10,
            dropped=DICE.randrange(10**6),
            bad_rows=DICE.randrange(10**6),
        )
        for _ in range(api.MAX_SOURCES)
    )
    return BlendResult(
        digest=SHA256,
        config_digest=SHA256,
        tokens=10**12,
        steps=10**6,
        sources=sources,
        parameters=10**12,
        adapter_parameters=10**11,
        base_model_digest=SHA256,
        layout=Layout(
            zero_stage=3,
            bins_per_micro_batch=100,
            activation_checkpointing=True,
            memory=Memory(
                model_states=123_456_789_012,
                gathered_layer=12_345_678_901,
                activations=123_456_789_012,
                logits=12_345_678_901,
            ),
        ),
        training_seconds=DICE.random() * 10**6,
        warnings=warnings,
        bad_rows=tuple(
            api.BadRows(reason=reason, rows=DICE.randrange(1, 10**6), first=word(128))
            for reason in list(api.BadRowReason)[: api.MAX_BAD_ROW_REASONS]
        ),
    )


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(largest_eval_result(), id="evaluation of 16 categories"),
        pytest.param(largest_blend_result(), id="blend of 16 sources"),
        pytest.param(
            TrainResult(
                config_digest=SHA256,
                blend_digest=SHA256,
                model_digest=SHA256,
                steps=10**6,
                tokens=10**12,
                validation_loss=tuple(
                    api.SourceLoss(
                        name=word(40),
                        before=DICE.random(),
                        after=DICE.random(),
                        epochs=tuple(
                            api.EpochLoss(epoch=epoch, loss=DICE.random())
                            for epoch in range(100, 100 + api.MAX_EPOCH_LOSSES)
                        ),
                    )
                    for _ in range(16)
                ),
                divergence=tuple(
                    api.RoleDivergence(
                        role=role,
                        positions=api.MAX_COMPARED_POSITIONS,
                        value=DICE.random(),
                        epochs=tuple(
                            api.EpochDivergence(epoch=epoch, value=DICE.random())
                            for epoch in range(100, 100 + api.MAX_EPOCH_LOSSES)
                        ),
                    )
                    for role in api.Role
                ),
                stopped_early="at step 100000 of 200000: KL(base, tuned) on general held-out rows reached "
                "0.1234 nats per token, above spec.training.earlyStopping.max 0.1234",
                final_loss=DICE.random(),
                gpu_seconds=DICE.random() * 1e9,
                tokens_per_second_per_gpu=DICE.random() * 1e4,
                mfu=DICE.random(),
                epochs=tuple(
                    api.EpochModel(
                        epoch=epoch, step=DICE.randrange(10**6), digest=f"{DICE.getrandbits(256):064x}"
                    )
                    for epoch in range(1, api.MAX_EPOCH_MODELS + 1)
                ),
            ),
            id="training on 16 sources with the most epoch models",
        ),
    ],
)
def test_the_largest_results_fit_a_message(outcome: Outcome) -> None:
    text = encode_message(outcome)
    assert len(text.encode()) <= MESSAGE_LIMIT_BYTES
    again = decode_message(text)
    assert type(again) is type(outcome)
    assert encode_message(again) == text


def test_what_has_no_room_are_the_last_benchmarks() -> None:
    largest = largest_eval_result()
    again = decode_message(encode_message(largest))
    assert isinstance(again, EvalResult)
    kept = len(again.benchmarks)
    assert kept < api.MAX_BENCHMARKS
    assert [each.name for each in again.benchmarks] == [each.name for each in largest.benchmarks][:kept]
    few = replace(largest, epochs=largest.epochs[:3], categories=largest.categories[:8])
    again = decode_message(encode_message(replace(few, benchmarks=few.benchmarks[:4])))
    assert isinstance(again, EvalResult)
    assert len(again.benchmarks) == 4


def test_a_choice_that_has_no_room_keeps_what_was_taken_and_the_tuned_model() -> None:
    chosen = choice(api.MAX_WEIGHTS + 1, taken=4)
    again = decode_message(encode_message(replace(largest_eval_result(), interpolation=chosen)))
    assert isinstance(again, EvalResult) and again.interpolation is not None
    kept = again.interpolation
    assert (kept.uri, kept.digest, kept.tuned_digest) == (chosen.uri, chosen.digest, chosen.tuned_digest)
    assert [each.weight for each in kept.candidates] == pytest.approx([chosen.weight, 1.0], rel=1e-5)
    usual = replace(largest_eval_result(), epochs=(), benchmarks=(), interpolation=choice(4, taken=1))
    again = decode_message(encode_message(usual))
    assert isinstance(again, EvalResult) and again.interpolation is not None
    assert len(again.interpolation.candidates) == 4


def test_an_everyday_result_is_plain_json() -> None:
    text = encode_message(RubricResult(name="business45", digest=SHA256, general=22, in_domain=23))
    assert json.loads(text) == {
        "kind": "RubricResult",
        "result": {"name": "business45", "digest": SHA256, "general": 22, "inDomain": 23},
    }


@settings(max_examples=30, deadline=None)
@given(outcome=st.one_of(*map(instances, (RubricResult, BlendResult, TrainResult, Failure))))
def test_a_message_says_what_was_put_in_but_for_digits(outcome: Outcome) -> None:
    again = decode_message(encode_message(outcome))
    assert type(again) is type(outcome)
    assert encode_message(again) == encode_message(outcome)
    if isinstance(outcome, TrainResult) and outcome.final_loss is not None:
        assert isinstance(again, TrainResult)
        assert again.final_loss == pytest.approx(outcome.final_loss, rel=1e-5)


@pytest.mark.parametrize("letter", ["x", "é", "\U0001f600", '"', "\n"], ids=ascii)
def test_a_long_failure_is_cut_and_stays_readable(letter: str) -> None:
    failure = Failure(reason=api.Reason.BAD_DATA, message="ads.jsonl, line 7: " + letter * 5000)
    text = encode_message(failure)
    assert len(text.encode()) <= MESSAGE_LIMIT_BYTES
    again = decode_message(text)
    assert isinstance(again, Failure)
    assert again.message.startswith("ads.jsonl, line 7: " + letter)
    assert again.message.endswith(" [...]")
    assert again.message.count("[...]") == 1


def test_bytes_that_are_no_text_do_not_lose_a_failure() -> None:
    failure = Failure(reason=api.Reason.BAD_DATA, message="no file b\udcff.jsonl")
    assert decode_message(encode_message(failure)) == Failure(
        reason=api.Reason.BAD_DATA, message="no file b?.jsonl"
    )


def test_warnings_give_way_to_the_result() -> None:
    warnings = tuple(f"source {number}: {word(200)}" for number in range(100))
    again = decode_message(encode_message(largest_blend_result(warnings)))
    assert isinstance(again, BlendResult)
    assert len(again.sources) == 16
    assert 0 < len(again.warnings) < 100
    assert again.warnings == warnings[: len(again.warnings)]


def test_a_result_that_can_not_fit_is_refused() -> None:
    losses = tuple(api.SourceLoss(name=word(40), before=DICE.random()) for _ in range(200))
    result = TrainResult(
        config_digest="", blend_digest="", model_digest="", steps=1, tokens=1, validation_loss=losses
    )
    with pytest.raises(MessageError, match="TrainResult is larger than 4096 bytes"):
        encode_message(result)


def test_fields_of_a_newer_image_are_ignored() -> None:
    text = '{"kind": "RubricResult", "result": {"name": "a", "digest": "b", "general": 1, "inDomain": 0,'
    text += ' "authors": 3}}'
    assert decode_message(text) == RubricResult(name="a", digest="b", general=1, in_domain=0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "null",
        "3",
        "[]",
        "{}",
        '"text"',
        "Traceback (most recent call last):",
        '{"kind": "Nothing", "result": {}}',
        '{"kind": ["RubricResult"], "result": {}}',
        '{"kind": "RubricResult"}',
        '{"kind": "RubricResult", "result": null}',
        '{"kind": "RubricResult", "result": {"name": 1}}',
        '{"kind": "Failure", "result": {"reason": "Whim", "message": ""}}',
        '{"deflated": "not base85 \\u00e9"}',
        '{"deflated": 3}',
        json.dumps({"deflated": base64.b85encode(b"not deflated").decode()}),
        json.dumps({"deflated": base64.b85encode(zlib.compress(b"[" * 2_000_000)).decode()}),
        "[" * 4096,
        encode_message(RubricResult(name="a", digest="b", general=1, in_domain=0))[:-4],
    ],
    ids=lambda text: text[:30] or "empty",
)
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(MessageError, match="no outcome in the termination message"):
        decode_message(text)


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=40) | st.dictionaries(st.text(max_size=8), st.text(max_size=8)).map(json.dumps))
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        decode_message(text)


@pytest.mark.parametrize(
    ("storage", "path"),
    [
        pytest.param({"persistent_volume_claim": "c"}, "c/ns/run", id="default"),
        pytest.param({"persistent_volume_claim": "c", "path": "a/b"}, "c/a/b", id="own path"),
    ],
)
def test_a_run_lies_in_its_own_folder_of_the_claim(storage: dict[str, Any], path: str) -> None:
    assert str(storage_path(api.Storage(**storage), "ns", "run")) == path
    assert workspace(Path("/claims"), api.Storage(**storage), "ns", "run").root == Path("/claims") / path


@pytest.mark.parametrize("code", ExitCode)
def test_only_64_to_78_are_permanent(code: ExitCode) -> None:
    assert ExitCode.is_permanent(code) == (code.name.startswith(("BAD", "DOES", "WORK", "OTHER", "STORAGE")))
