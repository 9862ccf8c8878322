"""Retention: how well the tuned model still predicts general text, token by token, beside the base model.

The text is what the base model itself answers to the rubric's general questions, and general rows that the
blend held out. Both models read the same tokens; nothing is generated and nobody judges.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from blendtune_api.contract import digest_of, workspace
from blendtune_api.v1alpha1 import RetentionScore, RetentionText, Role
from blendtune_core.divergence import divergence
from blendtune_core.retention import FEWEST_ROWS, RowLoss, retention_score
from blendtune_eval.answering.answer import free_memory, load_model
from blendtune_eval.answering.predict import Prediction, predict_all
from blendtune_eval.answering.subjects import Subject
from blendtune_eval.cache import GivenAnswer, LossCache
from blendtune_eval.evaluation import Evaluation
from blendtune_runtime.held_out import PredictedText, held_out_file, read_held_out

RESULTS_FOLDER = "retention"


def measure_retention(
    evaluation: Evaluation, base_answers: Sequence[GivenAnswer]
) -> tuple[RetentionScore, ...]:
    """A score for each kind of text with enough rows; empty if the models cannot be compared.

    `base_answers` are the base model's, in the order of `Rubric.wordings`. They are all of them, whatever the
    tuned model was asked: that it stops early does not change what it keeps.
    """
    base, most = evaluation.baseline, evaluation.config.spec.retention.rows
    if base is None or not most or evaluation.not_compared:
        return ()
    if not evaluation.model.chat.shares_vocabulary(base.chat):
        return ()
    texts = {
        RetentionText.BASE_ANSWERS: list(_base_answers(evaluation, base, base_answers))[:most],
        RetentionText.HELD_OUT_ROWS: list(_held_out_rows(evaluation))[:most],
    }
    texts = {kind: each for kind, each in texts.items() if len(each) >= FEWEST_ROWS}
    losses = _losses(evaluation, base, [text for each in texts.values() for text in each])
    scores = (retention_score(kind, [losses[_key(text)] for text in each]) for kind, each in texts.items())
    return tuple(score for score in scores if score is not None)


def _base_answers(
    evaluation: Evaluation, base: Subject, answers: Sequence[GivenAnswer]
) -> Iterator[PredictedText]:
    """The base model's answers to the first wording of each general question, behind their prompts."""
    asked = zip(evaluation.rubric.wordings, base.prompts, answers, strict=True)
    for (question, wording), prompt, answer in asked:
        if question.domain is not Role.GENERAL or wording != question.prompt:
            continue
        ids = base.chat.tokenizer(answer.text, add_special_tokens=False).input_ids
        if not ids:
            continue
        token_ids = np.array([*prompt.token_ids, *ids], np.int32)
        answered = np.arange(len(token_ids)) >= len(prompt.token_ids)
        yield PredictedText(token_ids=token_ids, predicted=answered)


def _held_out_rows(evaluation: Evaluation) -> tuple[PredictedText, ...]:
    """General rows that the blend of the run held out; empty for a model of unknown origin."""
    config = evaluation.config
    if config.training_workspace is None:
        return ()
    place = workspace(evaluation.claims, config.training_workspace, config.namespace, config.name)
    return read_held_out(held_out_file(place.blend))


def _losses(evaluation: Evaluation, base: Subject, texts: Sequence[PredictedText]) -> Mapping[str, RowLoss]:
    """The losses of both models on each text, by its key. What an earlier attempt has measured is read."""
    model, gpus = evaluation.model, evaluation.config.spec.cluster.gpus
    identity = digest_of([base.checkpoint.digest, model.checkpoint.digest, model.decoding.precision])
    cache = LossCache(evaluation.answers_folder.with_name(RESULTS_FOLDER), identity)
    missing = [text for text in texts if cache.get(_key(text)) is None]
    if missing:
        print(f"retention: both models read {len(missing)} general texts", flush=True)
        longest = max(len(text.token_ids) for text in missing)
        loaded = load_model(base.checkpoint.folder, gpus, longest)
        expected = predict_all(loaded, missing)
        del loaded
        free_memory()
        found = predict_all(load_model(model.checkpoint.folder, gpus, longest), missing, expected)
        cache.add(
            {
                _key(text): _row_loss(before, after)
                for text, before, after in zip(missing, expected, found, strict=True)
            }
        )
    return {_key(text): loss for text in texts if (loss := cache.get(_key(text))) is not None}


def _row_loss(base: Prediction, tuned: Prediction) -> RowLoss:
    """Losses and divergence of one text, in nats."""
    return RowLoss(
        tokens=len(base.tokens),
        base=-float(base.tokens.double().sum()),
        tuned=-float(tuned.tokens.double().sum()),
        divergence=float(divergence(base.outcomes.numpy(), tuned.outcomes.numpy()).sum()),
    )


def _key(text: PredictedText) -> str:
    return hashlib.sha256(text.token_ids.tobytes() + text.predicted.tobytes()).hexdigest()
