"""Whether the tokenizer of a model is its own: its ids lie within the embedding, its special tokens agree."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedTokenizerBase

from blendtune_runtime.errors import BadModel

_NAMED = 5  # tokens, at most
_FAR_FEWER = 4  # times


def require_own_tokenizer(tokenizer: Any, model: Any) -> None:
    """Raises BadModel if the tokenizer has ids without a row in the embedding, or is another model's.

    An embedding may have more rows than there are tokens: many are padded. Tokens that stand for an image or
    a sound may have no row, because no text becomes one of them.
    """
    rows: int = model.get_input_embeddings().num_embeddings
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    beyond = {token: index for token, index in vocabulary.items() if index >= rows}
    beyond = {token: index for token, index in beyond.items() if token not in _placeholders(tokenizer)}
    size = max(vocabulary.values()) + 1
    if beyond:
        raise BadModel(_too_many(beyond, rows, size))
    declared = _declared(model)
    special = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    fits = bool((special | set(tokenizer.all_special_ids)) & declared) or not declared
    if size * _FAR_FEWER < rows or (size != rows and not fits):
        raise BadModel(
            f"spec.model.uri: the tokenizer is another model's: it has {size:,} tokens, the embedding "
            f"{rows:,} rows, and the ids {_listed(declared)} that config.json declares for the beginning and "
            f"end of a text are {_named(declared, tokenizer)} in it. Copy the tokenizer's files (such as "
            "tokenizer.json) of the model that the weights come from"
        )


def _too_many(beyond: dict[str, int], rows: int, size: int) -> str:
    first = sorted(beyond.items(), key=lambda item: item[1])
    shown = ", ".join(f"{token!r} ({index})" for token, index in first[:_NAMED])
    more = f" and {len(first) - _NAMED:,} more" if len(first) > _NAMED else ""
    return (
        f"spec.model.uri: {len(first):,} tokens of the tokenizer have no row in the embedding, whose "
        f"{rows:,} rows end at id {rows - 1}: {shown}{more}. Give them rows with "
        f"model.resize_token_embeddings({size}) and save the model, or remove the added tokens from "
        "tokenizer.json and added_tokens.json"
    )


def _placeholders(tokenizer: Any) -> set[str]:
    """Tokens that a processor puts where an image or the like belongs: named, and not by a usual name."""
    names = set(tokenizer.SPECIAL_TOKENS_ATTRIBUTES) - set(PreTrainedTokenizerBase.SPECIAL_TOKENS_ATTRIBUTES)
    return {str(getattr(tokenizer, name)) for name in names}


def _declared(model: Any) -> set[int]:
    """The ids that the model's settings declare for the beginning and the end of a text."""
    settings = (model.config.get_text_config(), model.generation_config)
    values = [getattr(each, name, None) for each in settings for name in ("bos_token_id", "eos_token_id")]
    flat = [index for value in values for index in (value if isinstance(value, list) else [value])]
    return {index for index in flat if index is not None}


def _listed(ids: set[int]) -> str:
    return ", ".join(map(str, sorted(ids)))


def _named(ids: set[int], tokenizer: Any) -> str:
    tokens = tokenizer.convert_ids_to_tokens(sorted(ids))
    return ", ".join("no token" if token is None else repr(token) for token in tokens) or "not known"
