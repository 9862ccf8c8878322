"""Predictions of given text: the same alone and in any batch, and those of the model's own logits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.tiny_model import TINY
from transformers import LlamaConfig, LlamaForCausalLM

from blendtune_core.divergence import LIKELIEST
from blendtune_eval.answering import predict
from blendtune_eval.answering.predict import predict_all
from blendtune_eval.retention import _row_loss
from blendtune_runtime.held_out import PredictedText

pytestmark = pytest.mark.usefixtures("one_thread")
VOCABULARY = 300


def model(seed: int) -> LlamaForCausalLM:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForCausalLM(LlamaConfig(vocab_size=VOCABULARY, **TINY, initializer_range=0.4)).eval()


def texts(count: int) -> list[PredictedText]:
    random = np.random.default_rng(3)
    found = []
    for _ in range(count):
        length = int(random.integers(4, 40))
        predicted = np.arange(length) >= random.integers(1, length)
        ids = random.integers(0, VOCABULARY, length).astype(np.int32)
        found.append(PredictedText(token_ids=ids, predicted=predicted))
    return found


def test_batches_do_not_change_what_is_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    base, asked = model(1), texts(12)
    alone = [predict_all(base, [text])[0] for text in asked]
    monkeypatch.setattr(predict, "BATCH_TOKENS", 100)
    for one, other in zip(alone, predict_all(base, asked), strict=True):
        assert torch.allclose(one.tokens, other.tokens, atol=1e-4)
        assert torch.allclose(one.outcomes, other.outcomes, atol=1e-4)


def test_tokens_get_the_models_own_probabilities() -> None:
    base, (text,) = model(1), texts(1)
    with torch.inference_mode():
        logits = base(input_ids=torch.from_numpy(text.token_ids.astype(np.int64))[None]).logits[0]
    logarithms = logits.log_softmax(-1)
    places = np.flatnonzero(text.predicted)
    expected = [float(logarithms[place - 1, int(text.token_ids[place])]) for place in places]
    assert predict_all(base, [text])[0].tokens.tolist() == pytest.approx(expected, abs=1e-4)


def test_a_model_does_not_diverge_from_itself_and_the_divergence_is_a_lower_bound() -> None:
    base, tuned, asked = model(1), model(2), texts(6)
    expected = predict_all(base, asked)
    itself = predict_all(base, asked, expected)
    found = predict_all(tuned, asked, expected)
    for text, before, same, after in zip(asked, expected, itself, found, strict=True):
        assert before.outcomes.shape == (int(text.predicted.sum()), LIKELIEST + 1)
        assert _row_loss(before, same).divergence == pytest.approx(0.0, abs=1e-4)
        loss = _row_loss(before, after)
        assert loss.tokens == text.predicted.sum()
        assert 0 < loss.divergence <= exact_divergence(base, tuned, text) + 1e-4
        assert loss.divergence > 0.5 * exact_divergence(base, tuned, text)


def exact_divergence(base: LlamaForCausalLM, tuned: LlamaForCausalLM, text: PredictedText) -> float:
    """KL(base, tuned) over the whole vocabulary, summed over the predicted tokens."""
    ids = torch.from_numpy(text.token_ids.astype(np.int64))[None]
    with torch.inference_mode():
        before, after = (each(input_ids=ids).logits[0].double().log_softmax(-1) for each in (base, tuned))
    divergence = (before.exp() * (before - after)).sum(-1)
    return float(divergence[np.flatnonzero(text.predicted) - 1].sum())
