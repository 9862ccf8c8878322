"""Whether the evaluation can ask its questions: each prompt is rendered, and has room for an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blendtune_api.v1alpha1 import BlendedFineTuneSpec
from blendtune_runtime.chat.conversation import ChatRole, of_texts
from blendtune_runtime.chat.jinja import TemplateRefusal
from blendtune_runtime.chat.rendering import ChatRenderer
from blendtune_runtime.errors import BadConfiguration, BadModel

_QUESTION = "How many?"  # where there is no rubric
_SHOWN = 60  # characters of a question in an error message


def try_prompts(spec: BlendedFineTuneSpec, tokenizer: Any, config: Any, prompts: Sequence[str]) -> None:
    """Renders the prompts of the rubric as the evaluation does.

    Raises BadModel if the template refuses one, BadConfiguration if one would forge a turn, or if the longest
    prompt and its answer are longer than the model reads.
    """
    renderer = ChatRenderer(tokenizer)
    lengths = [_tokens(renderer, tokenizer, prompt) for prompt in prompts or (_QUESTION,)]
    most = getattr(config.get_text_config(), "max_position_embeddings", None)
    answer = spec.evaluation.sampling.max_new_tokens
    if prompts and most is not None and max(lengths) + answer > most:
        raise BadConfiguration(
            f"spec.evaluation.sampling.maxNewTokens: the longest question has {max(lengths):,} tokens, its "
            f"answer up to {answer:,}, and the model reads {most:,}: lower it or shorten the question"
        )


def _tokens(renderer: ChatRenderer, tokenizer: Any, prompt: str) -> int:
    conversation = of_texts([(ChatRole.USER, prompt)])
    if (found := renderer.control.find(prompt)) is not None:
        raise BadConfiguration(
            f"spec.evaluation.rubric: the question {prompt[:_SHOWN]!r} holds {found}, with which the model's "
            "chat template tells turns apart: write it in another way"
        )
    try:
        text = renderer.prompt(conversation)
        renderer.check_kept(conversation, text)
    except TemplateRefusal as refusal:
        raise BadModel(
            f"spec.model: the chat template cannot render the question {prompt[:_SHOWN]!r} for the "
            f"evaluation: {refusal}. Set spec.model.chatTemplate to another one"
        ) from refusal
    return len(tokenizer(text, add_special_tokens=False).input_ids)
