"""Rules first, and a model for what they leave undecided."""

from __future__ import annotations

from collections.abc import Sequence

from blendtune_api.contract import digest_of
from blendtune_api.v1alpha1 import JudgeKind
from blendtune_eval.judging.judge import Case, Judge, Judgements, Rules


class Cascade:
    """Asks the model only about answers that the rules are unsure of, which keeps it cheap.

    What was cut within its thoughts is no answer, and is not asked about. Where the rules decide everything,
    the model is not asked at all, and its anchors are not judged.
    """

    kind = JudgeKind.CASCADE

    def __init__(self, rules: Rules, model: Judge) -> None:
        self._rules = rules
        self._model = model
        self.digest = digest_of([JudgeKind.CASCADE, rules.digest, model.digest])

    def judge_all(self, cases: Sequence[Case]) -> Judgements:
        """Raises what the model's judge raises."""
        by_rules = self._rules.judge_all(cases)
        unsure = [index for index, score in enumerate(by_rules.scores) if score.doubt is not None]
        if not unsure:
            return Judgements(
                scores=by_rules.scores, statement=f"{by_rules.statement} They decided every answer."
            )
        by_model = self._model.judge_all([cases[index] for index in unsure])
        scores = list(by_rules.scores)
        for index, score in zip(unsure, by_model.scores, strict=True):
            scores[index] = score
        statement = (
            f"rules decided {len(cases) - len(unsure)} of {len(cases)} answers, a model the rest. The rules: "
            f"{by_rules.statement} The model: {by_model.statement}"
        )
        return Judgements(scores=tuple(scores), statement=statement, anchors=by_model.anchors)
