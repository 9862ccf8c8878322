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
from blendtune_core.power import level_of
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
) -> Mapping[Subject, tuple[RetentionScore, ...]]:
    """A score of each model that may be taken, for each kind of text with enough rows.

    `base_answers` are the base model's, in the order of `Rubric.wordings`. They are all of them, whatever the
    tuned model was asked: that it stops early does not change what it keeps. Empty if the models cannot be
    compared with the baseline.
    """
    base, most = evaluation.baseline, evaluation.config.spec.retention.rows
    if base is None or not most or evaluation.not_compared:
        return {}
    if not evaluation.model.chat.shares_vocabulary(base.chat):
        return {}
    texts = {
        RetentionText.BASE_ANSWERS: list(_base_answers(evaluation, base, base_answers))[:most],
        RetentionText.HELD_OUT_ROWS: list(_held_out_rows(evaluation))[:most],
    }
    texts = {kind: each for kind, each in texts.items() if len(each) >= FEWEST_ROWS}
    all_losses = _losses(evaluation, base, [text for each in texts.values() for text in each])
    level = level_of(len(evaluation.choosable))
    return {model: tuple(_scores(texts, losses, level)) for model, losses in all_losses.items()}


def _scores(
    texts: Mapping[RetentionText, Sequence[PredictedText]], losses: Mapping[str, RowLoss], level: float
) -> Iterator[RetentionScore]:
    for kind, each in texts.items():
        score = retention_score(kind, [losses[_key(text)] for text in each], level)
        if score is not None:
            yield score


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


def _losses(
    evaluation: Evaluation, base: Subject, texts: Sequence[PredictedText]
) -> Mapping[Subject, Mapping[str, RowLoss]]:
    """The losses of the base model and each other on each text, by its key.

    What an earlier attempt has measured is read. The base model reads a text at most once, for all others.
    """
    folder = evaluation.answers_folder.with_name(RESULTS_FOLDER)
    caches = {
        model: LossCache(
            folder, digest_of([base.checkpoint.digest, model.checkpoint.digest, model.decoding.precision])
        )
        for model in evaluation.choosable
    }
    missing = [text for text in texts if any(cache.get(_key(text)) is None for cache in caches.values())]
    if missing:
        print(f"retention: {1 + len(caches)} models read {len(missing)} general texts", flush=True)
        gpus, longest = evaluation.config.spec.cluster.gpus, max(len(text.token_ids) for text in missing)
        loaded = load_model(base.checkpoint.folder, gpus, longest)
        expected = predict_all(loaded, missing)
        del loaded
        for model, cache in caches.items():
            unread = [
                (text, before)
                for text, before in zip(missing, expected, strict=True)
                if cache.get(_key(text)) is None
            ]
            free_memory()
            cache.add(_compared(model, gpus, unread))
    return {
        model: {_key(text): loss for text in texts if (loss := cache.get(_key(text))) is not None}
        for model, cache in caches.items()
    }


def _compared(
    model: Subject, gpus: int, unread: Sequence[tuple[PredictedText, Prediction]]
) -> Mapping[str, RowLoss]:
    """The model's losses on texts, beside those that the base model predicts."""
    if not unread:
        return {}
    texts, expected = [text for text, _ in unread], [before for _, before in unread]
    longest = max(len(text.token_ids) for text in texts)
    found = predict_all(load_model(model.checkpoint.folder, gpus, longest), texts, expected)
    return {
        _key(text): _row_loss(before, after)
        for text, before, after in zip(texts, expected, found, strict=True)
    }


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
