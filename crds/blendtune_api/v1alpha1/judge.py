"""Who decides whether an answer is right: rules, a model, or rules first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar

from blendtune_api.marks import Mark, Rule
from blendtune_api.v1alpha1.enums import JudgeKind
from blendtune_api.v1alpha1.limits import API_URL, KEY_IN_QUERY
from blendtune_api.v1alpha1.pods import KeySelector


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenAIJudge:
    url: Annotated[
        str,
        Mark(
            "Base URL of an OpenAI-compatible API, such as https://api.openai.com/v1, or that of its "
            "/chat/completions. A query, such as Azure's ?api-version=2024-10-21, is kept. No credentials.",
            pattern=API_URL,
            max_length=1024,
        ),
    ]
    model: Annotated[
        str,
        Mark(
            "Name of the model that judges, at that API; none of those evaluated.",
            min_length=1,
            max_length=255,
        ),
    ]
    api_key_secret_ref: Annotated[
        KeySelector | None, Mark("Secret with the API key, for the eval pod. Unset: no key is sent.")
    ] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=f"!self.url.matches('{KEY_IN_QUERY}')",
            message="a key does not belong into a URL: name its Secret in apiKeySecretRef",
            check=lambda self: re.search(KEY_IN_QUERY, self.url) is None,
            field_path="url",
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Judge:
    kind: Annotated[
        JudgeKind,
        Mark("Rules (deterministic, offline), OpenAI, or Cascade: rules, and OpenAI where they are unsure."),
    ] = JudgeKind.RULES
    open_ai: Annotated[OpenAIJudge | None, Mark("The model of kind OpenAI or Cascade.")] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="(self.kind != 'Rules') == has(self.openAI)",
            message="openAI must be set when kind is OpenAI or Cascade, and only then",
            check=lambda self: (self.kind is not JudgeKind.RULES) == (self.open_ai is not None),
            field_path="openAI",
        ),
    )
