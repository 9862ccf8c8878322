"""A chat template, compiled once, with the variables that it is always rendered with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import nodes

# transformers has no public function that compiles a template without rendering it.
from transformers.utils.chat_template_utils import _compile_jinja_template

# The template is foreign code: what it may raise on a conversation that it was not written for.
_ERRORS = (
    jinja2.TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
_DATE = "strftime_now"  # the function of chat templates that formats the present time


class TemplateRefusal(ValueError):
    """The template cannot render a conversation. The message is the template's own."""


class CompiledTemplate:
    """A chat template and the variables that are the same for every conversation.

    `today`, at midnight, is what the template takes for the present time. Raises TemplateRefusal on
    construction if the text is not a template.
    """

    def __init__(self, text: str, variables: Mapping[str, Any], today: date) -> None:
        self.text = text
        self._variables = {**variables, _DATE: datetime.combine(today, time()).strftime}
        try:
            self._compiled: Any = _compile_jinja_template(text)
        except jinja2.TemplateError as error:
            raise TemplateRefusal(f"it is not a Jinja template: {error}") from error
        self.names, self.literals = _names_and_literals(text)

    @property
    def uses_date(self) -> bool:
        """Whether the text depends on the present time."""
        return _DATE in self.names

    def knows(self, variable: str) -> bool:
        """Whether the template reads a variable."""
        return variable in self.names

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        add_generation_prompt: bool,
    ) -> str:
        """The text of the messages. Raises TemplateRefusal if the template raises anything."""
        try:
            return str(
                self._compiled.render(
                    messages=messages,
                    tools=list(tools) or None,
                    documents=None,
                    add_generation_prompt=add_generation_prompt,
                    **self._variables,
                )
            )
        except _ERRORS as error:
            raise TemplateRefusal(str(error) or type(error).__name__) from error


@lru_cache(maxsize=16)
def _names_and_literals(text: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """The variables that a template reads, and the texts that it holds."""
    tree = _compile_jinja_template(text).environment.parse(text)
    written = [node.data for node in tree.find_all(nodes.TemplateData)]
    constants = [node.value for node in tree.find_all(nodes.Const) if isinstance(node.value, str)]
    read = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"}
    return frozenset(read), (*written, *constants)
