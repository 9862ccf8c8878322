"""Prints as JSON what transformers, in whichever version it is installed, makes of the models in folders.

It is run by interpreters of several versions: `python read_model.py SITE_PACKAGES REQUEST FOLDER...`. The
request is a JSON object of texts to tokenize and conversations to render; torch comes from SITE_PACKAGES.
"""

from __future__ import annotations

import json
import sys
from typing import Any

if __name__ == "__main__":
    sys.path.append(sys.argv[1])

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig


def read(folder: str, request: dict[str, Any]) -> dict[str, Any]:
    """The report on the model in `folder`."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, loading = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", output_loading_info=True)
    generation = GenerationConfig.from_pretrained(folder)
    vocabulary = model.get_input_embeddings().num_embeddings
    row = torch.arange(24)[None] * 7 % vocabulary
    with torch.no_grad():
        logits = model.eval()(row, use_cache=False).logits[0, -1].float()
    return {
        "version": transformers.__version__,
        "missing": sorted(loading["missing_keys"]),
        "unexpected": sorted(loading["unexpected_keys"]),
        "dtype": str(model.dtype),
        "logits": logits[:: max(1, vocabulary // 64)].tolist(),
        "tied": model.get_output_embeddings().weight is model.get_input_embeddings().weight,
        "template": tokenizer.chat_template,
        "ids": [tokenizer(text, add_special_tokens=False).input_ids for text in request["texts"]],
        "with_special": [tokenizer(text).input_ids for text in request["texts"]],
        "rendered": [
            tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            for messages in request.get("conversations", [])
        ],
        "eos": generation.eos_token_id,
        "bos": generation.bos_token_id,
        "temperature": generation.temperature,
    }


if __name__ == "__main__":
    print(json.dumps([read(folder, json.loads(sys.argv[2])) for folder in sys.argv[3:]]))
