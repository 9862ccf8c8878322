"""Whether the evaluation can ask its questions: each prompt is rendered, and has room for an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jinja2

from blendtune_api.v1alpha1 import BlendedFineTuneSpec
from blendtune_runtime.chat.conversation import ChatRole, of_texts
from blendtune_runtime.chat.rendering import ChatRenderer
from blendtune_runtime.errors import BadConfiguration, BadModel

_QUESTION = "How many?"  # where there is no rubric


def try_prompts(spec: BlendedFineTuneSpec, tokenizer: Any, config: Any, prompts: Sequence[str]) -> None:
    """Renders the prompts of the rubric as the evaluation does.

    Raises BadModel if the template refuses one or no token ends an answer, BadConfiguration if the longest
    prompt and its answer are longer than the model reads.
    """
    renderer = ChatRenderer(tokenizer)
    lengths = [_tokens(renderer, tokenizer, prompt) for prompt in prompts or (_QUESTION,)]
    if tokenizer.eos_token_id is None and renderer.end_of_turn_id() is None:
        raise BadModel(
            "spec.model: no token ends an answer: the tokenizer has no eos_token, and the chat template ends "
            "no turn with a special token. Set eos_token in tokenizer_config.json, or spec.model.chatTemplate"
        )
    most = getattr(config.get_text_config(), "max_position_embeddings", None)
    answer = spec.evaluation.sampling.max_new_tokens
    if prompts and most is not None and max(lengths) + answer > most:
        raise BadConfiguration(
            f"spec.evaluation.sampling.maxNewTokens: the longest question has {max(lengths):,} tokens, its "
            f"answer up to {answer:,}, and the model reads {most:,}: lower it or shorten the question"
        )


def _tokens(renderer: ChatRenderer, tokenizer: Any, prompt: str) -> int:
    conversation = of_texts([(ChatRole.USER, prompt)])
    try:
        text = renderer.text(conversation, add_generation_prompt=True)
    except (jinja2.TemplateError, LookupError, TypeError, ValueError) as error:
        raise BadModel(
            f"spec.model: the chat template cannot render a question ({prompt[:60]!r}) for the evaluation: "
            f"{error}. Set spec.model.chatTemplate to another one"
        ) from error
    return len(tokenizer(text, add_special_tokens=False).input_ids)
