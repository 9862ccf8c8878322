"""The files beside the weights of an exported model, in forms that transformers 4.57 and 5 both read.

They are the base model's own, changed only where training has changed what they say. What transformers 5
would write instead, 4.57 misreads: it has no class TokenizersBackend, and takes a missing `rope_theta` for
10,000. Of a tokenizer, transformers 5 loses settings by saving it, such as `legacy`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import CONFIG_MAPPING

from blendtune_runtime.chat.rendering import ChatRenderer
from blendtune_runtime.errors import BadModel
from blendtune_runtime.files import write_json, write_text
from blendtune_runtime.models.files import PROCESSOR_FILES, TOKENIZER_FILES

CONFIG, GENERATION_CONFIG, TOKENIZER = "config.json", "generation_config.json", "tokenizer.json"
TOKENIZER_CONFIG, CHAT_TEMPLATE = "tokenizer_config.json", "chat_template.jinja"
_LITERAL = "PreTrainedTokenizerFast"  # the class that takes tokenizer.json as it is, in every version
_ONLY_IN_5 = {"TokenizersBackend": _LITERAL}  # classes of tokenizers, and their older names

Document = dict[str, Any]


def write_tokenizer(base: Path, tokenizer: Any, folder: Path) -> None:
    """Writes the tokenizer of the base model, and its processors if it has any, with `tokenizer`'s template.

    `tokenizer` was loaded from `base`; only its chat template may be another.
    """
    for name in (*TOKENIZER_FILES, *PROCESSOR_FILES):
        if (base / name).is_file():
            shutil.copyfile(base / name, folder / name)
    if any((folder / name).exists() for name in TOKENIZER_FILES):
        document = _read(base / TOKENIZER_CONFIG)
    else:  # files of a name that is not known here
        tokenizer.save_pretrained(folder, save_jinja_files=False)
        document = _read(folder / TOKENIZER_CONFIG)
    document = tokenizer_document(document, tokenizer.chat_template)
    if (folder / TOKENIZER).is_file() and not _is_literally(folder / TOKENIZER, tokenizer):
        tokenizer.backend_tokenizer.save(str(folder / TOKENIZER))
        document["tokenizer_class"] = _LITERAL
    write_json(folder / TOKENIZER_CONFIG, document)
    if isinstance(tokenizer.chat_template, str):
        write_text(folder / CHAT_TEMPLATE, tokenizer.chat_template)


def probes(tokenizer: Any) -> tuple[str, ...]:
    """Texts that tokenizers treat differently: with blanks at their beginning, also behind special tokens."""
    texts = ("How many?", "  two blanks\n\nand lines: 1,234 Straße ☕", "\tif x:\n    y", "")
    return (*texts, *(f"{token}{text}" for token in tokenizer.all_special_tokens for text in texts[:2]))


def _is_literally(file: Path, tokenizer: Any) -> bool:
    """Whether a tokenizer gives the tokens of its tokenizer.json.

    transformers 5 builds those of some classes, such as LlamaTokenizer, anew from vocabulary and merges, and
    then the tokens of some texts are others than those of 4.57, which reads the file as it is.
    """
    literal = Tokenizer.from_file(str(file))
    literal.no_truncation()
    literal.no_padding()
    return all(
        literal.encode(text, add_special_tokens=False).ids
        == tokenizer(text, add_special_tokens=False).input_ids
        for text in probes(tokenizer)
    )


def tokenizer_document(document: Document, template: str | Mapping[str, str] | None) -> Document:
    """A tokenizer_config.json with a chat template, or several by name.

    Several stand in this one file, because a file of its own for the default one would hide the others. A
    single one is in a file of its own, and here only if it was before.
    """
    written = dict(document)
    if (kind := written.get("tokenizer_class")) in _ONLY_IN_5:
        written["tokenizer_class"] = _ONLY_IN_5[kind]
    extra = written.get("extra_special_tokens")
    if isinstance(extra, list):  # 4.57 takes names with tokens here
        del written["extra_special_tokens"]
        written.setdefault("additional_special_tokens", extra)
    if isinstance(template, Mapping):
        named = [{"name": name, "template": text} for name, text in template.items()]
        written["chat_template"] = named
    elif "chat_template" in written:
        written["chat_template"] = template
    return written


def write_config(base: Path, dtype: torch.dtype, folder: Path) -> None:
    """Writes the base model's config.json, for weights of `dtype`."""
    write_json(folder / CONFIG, config_document(_read(base / CONFIG), str(dtype).removeprefix("torch.")))


def config_document(document: Document, dtype: str) -> Document:
    """A config.json for weights of `dtype`; what transformers 5 has renamed is there under both names."""
    written = {
        name: config_document(value, dtype) if isinstance(value, dict) and "model_type" in value else value
        for name, value in document.items()
    }
    stated = [name for name in ("dtype", "torch_dtype") if written.get(name) is not None]
    written |= dict.fromkeys(stated or ["torch_dtype"], dtype)
    rope = written.get("rope_parameters")
    if not isinstance(rope, dict):
        return written
    kind = written.get("model_type")
    renamed = CONFIG_MAPPING[kind].attribute_map if kind in CONFIG_MAPPING else {}
    old = {name: written[new] for name, new in renamed.items() if new in written}
    return _old_rope(rope) | old | written


def write_generation_config(base: Path, model: Any, tokenizer: Any, folder: Path) -> None:
    """Writes the base model's generation_config.json with the ends of text and of turn."""
    document = generation_document(_read(base / GENERATION_CONFIG), model, tokenizer)
    write_json(folder / GENERATION_CONFIG, document)


def generation_document(document: Document, model: Any, tokenizer: Any) -> Document:
    """A generation_config.json in which any end token of model, tokenizer or chat template ends an answer.

    All else is as the base model has it, sampling settings included.
    """
    declared = model.generation_config
    ends = declared.eos_token_id if isinstance(declared.eos_token_id, list) else [declared.eos_token_id]
    ends = [*ends, *sorted(ChatRenderer(tokenizer).stop_token_ids())]
    eos = list(dict.fromkeys(int(token) for token in ends if token is not None))
    padding = (declared.pad_token_id, tokenizer.pad_token_id)
    special = {
        "bos_token_id": declared.bos_token_id,
        "eos_token_id": eos[0] if len(eos) == 1 else eos or None,
        "pad_token_id": next((token for token in padding if token is not None), None),
    }
    kept = {name: value for name, value in document.items() if name != "_from_model_config"}
    return kept | {name: value for name, value in special.items() if value is not None}


def _old_rope(rope: Mapping[str, Any]) -> Document:
    """`rope_parameters` of transformers 5 as 4.57 reads them: `rope_theta`, `rope_scaling` and the like.

    Gemma 3 has parameters for each kind of layer; other models with such are not known to 4.57.
    """
    if isinstance(full := rope.get("full_attention"), Mapping):
        local = rope.get("sliding_attention") or {}
        theta = {"rope_local_base_freq": local["rope_theta"]} if "rope_theta" in local else {}
        return theta | _old_rope(full)
    scaling = {name: value for name, value in rope.items() if name != "rope_theta"}
    scaled = scaling.get("rope_type", "default") != "default"
    named = {name: rope[name] for name in ("rope_theta", "partial_rotary_factor") if name in rope}
    return named | ({"rope_scaling": scaling} if scaled else {})


def require_settings(base: Path) -> None:
    """Raises BadModel if an export could not read the base model's own files of settings."""
    for name in (CONFIG, GENERATION_CONFIG, TOKENIZER_CONFIG):
        _read(base / name)


def _read(path: Path) -> Document:
    """The JSON object in a file; an empty one if there is no such file. Raises BadModel if it has none."""
    if not path.is_file():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadModel(
            f"spec.model.uri: {path} is not JSON in UTF-8: {error}. Copy it again, or mend it"
        ) from error
    if not isinstance(document, dict):
        raise BadModel(f"spec.model.uri: {path} must hold a JSON object. Copy it again, or mend it")
    return document
