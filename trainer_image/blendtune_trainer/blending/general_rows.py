"""The general rows that a blend holds out, for the retention that the evaluation measures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest

import numpy as np

from blendtune_api.v1alpha1 import Role
from blendtune_runtime.held_out import PredictedText
from blendtune_trainer.blending.assemble import SourceExamples
from blendtune_trainer.blending.packed import PackedBlend


def general_held_out(sources: Sequence[SourceExamples], blend: PackedBlend) -> tuple[PredictedText, ...]:
    """Each held-out example of the general sources, these in turn, with its supervised tokens to predict."""
    general = [_texts(each, blend) for each in sources if each.source.role is Role.GENERAL]
    return tuple(text for text in chain.from_iterable(zip_longest(*general)) if text is not None)


def _texts(each: SourceExamples, blend: PackedBlend) -> Iterator[PredictedText]:
    examples = each.examples
    for index in np.flatnonzero(each.held_out):
        start, end = examples.offsets[index], examples.offsets[index + 1]
        yield PredictedText(token_ids=blend.input_ids[start:end], predicted=blend.supervised[start:end])
