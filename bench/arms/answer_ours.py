"""Our arm of the answering bench: `answer_all` as it is, all prompts in each step."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from turns import Turns

from blendtune_api.v1alpha1 import Engine
from blendtune_eval.answering import answer
from blendtune_eval.answering.decoding import Decoding
from blendtune_eval.answering.engines import answer_all
from blendtune_eval.answering.prompts import ChatPrompts, Prompt
from blendtune_eval.cache import AnswerCache


def main() -> None:
    workdir = Path(sys.argv[1])
    turns = Turns()
    settings = json.loads((workdir / "settings.json").read_text())
    folder = Path(settings["model"])
    prompts = [Prompt(tuple(token_ids)) for token_ids in settings["tokenIds"]]
    chat = ChatPrompts(folder, "--model")
    decoding = Decoding(
        rendering=chat.digest,
        stop_token_ids=tuple(settings["stopTokenIds"]),
        max_new_tokens=settings["maxNewTokens"],
        temperature=0,
        precision="float32",
    )
    model = answer.load_model(folder, 0, settings["maxNewTokens"])
    answer.load_model = lambda *_: model  # once, as the other arm does
    while True:
        turns.between_steps()
        with tempfile.TemporaryDirectory() as folder_of_answers:
            cache = AnswerCache(Path(folder_of_answers), "bench", decoding.digest)
            given = answer_all(Engine.TRANSFORMERS, folder, prompts, chat, decoding, cache, 0, lambda _: None)
        turns.count(sum(each.tokens - each.finished for each in given), 0)
        (workdir / "ours.answers").write_text(json.dumps([each.text for each in given]))


if __name__ == "__main__":
    main()
