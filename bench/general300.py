"""What a model scores on the rubric general300, by category and by difficulty, as the rules judge it.

Greedy, the first wording of each question. Prints a table. Answers are kept in .cache/bench, so
that a second call judges the same ones again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from blendtune_api.v1alpha1 import Engine
from blendtune_eval.answering.decoding import Decoding
from blendtune_eval.answering.engines import answer_all
from blendtune_eval.answering.prompts import ChatPrompts
from blendtune_eval.cache import AnswerCache
from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import Question
from blendtune_eval.rubrics.loader import load_builtin
from blendtune_eval.scoring.score import WordingScore

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / ".cache" / "demo" / "smollm2-135m-instruct"
ANSWERS = ROOT / ".cache" / "bench" / "general300"
LEVELS = ("easy", "medium", "hard")  # the beginnings of the ids


def judged(folder: Path, questions: Sequence[Question], max_new_tokens: int) -> list[WordingScore]:
    """The scores of the model's answers, in the order of the questions."""
    chat = ChatPrompts(folder, "--model")
    prompts = [chat.render(question.prompt) for question in questions]
    decoding = Decoding(
        rendering=chat.digest,
        stop_token_ids=tuple(chat.stop_token_ids()),
        max_new_tokens=max_new_tokens,
        temperature=0,
        precision="float32",
    )
    cache = AnswerCache(ANSWERS, folder.name, decoding.digest)
    answers = answer_all(
        Engine.TRANSFORMERS,
        folder,
        prompts,
        chat,
        decoding,
        cache,
        0,
        lambda done: print(f"{done} answers", flush=True),
    )
    return [
        Rules().judge(question, question.prompt, answer.text)
        for question, answer in zip(questions, answers, strict=True)
    ]


def table(questions: Sequence[Question], scores: Sequence[WordingScore]) -> str:
    """Markdown: mean score of the answers that are decided, of how many, and how many are not."""
    categories = list(dict.fromkeys(question.category for question in questions))
    lines = [f"| Category | {' | '.join(LEVELS)} | all | undecided |", "|---|---|---|---|---|---|"]
    for category in (*categories, ""):
        cells = []
        for level in (*LEVELS, ""):
            chosen = [
                score.score
                for question, score in zip(questions, scores, strict=True)
                if question.category.startswith(category) and question.id.startswith(level)
            ]
            decided = [score for score in chosen if score is not None]
            cells.append(f"{sum(decided) / len(decided):.2f} ({len(decided)})" if decided else "-")
        cells.append(str(len(chosen) - len(decided)))
        lines.append(f"| {category or 'all'} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--max-new-tokens", type=int, default=256)
    options = parser.parse_args()
    questions = load_builtin("general300").questions
    print(table(questions, judged(options.model, questions, options.max_new_tokens)))


if __name__ == "__main__":
    main()
