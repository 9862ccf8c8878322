"""lm-evaluation-harness's arm of the answering bench: its HF backend, all prompts in each step."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from turns import Turns


def main() -> None:
    workdir = Path(sys.argv[1])
    turns = Turns()
    settings = json.loads((workdir / "settings.json").read_text())
    model = HFLM(
        pretrained=settings["model"], device="cpu", dtype="float32", batch_size=settings["batchSize"]
    )
    stops = settings["stopTokenIds"]
    options = {
        "until": [model.tok_decode(stop, skip_special_tokens=False) for stop in stops],
        "max_gen_toks": settings["maxNewTokens"],
        "do_sample": False,
        "eos_token_id": stops,
    }
    requests = [
        Instance(request_type="generate_until", doc={}, arguments=(text, options), idx=index)
        for index, text in enumerate(settings["texts"])
    ]
    assert [model.tok_encode(text) for text in settings["texts"]] == settings["tokenIds"]
    while True:
        turns.between_steps()
        answers = [text.strip() for text in model.generate_until(requests, disable_tqdm=True)]
        turns.count(sum(map(len, model.tokenizer(answers, add_special_tokens=False).input_ids)), 0)
        (workdir / "theirs.answers").write_text(json.dumps(answers))


if __name__ == "__main__":
    main()
