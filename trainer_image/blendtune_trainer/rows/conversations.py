"""Converts rows to conversations, whatever their format."""

from __future__ import annotations

from collections.abc import Mapping

from blendtune_api.v1alpha1 import BadRowReason, Columns
from blendtune_runtime.chat.conversation import Conversation
from blendtune_trainer.rows.cells import is_blank, kind, text_of
from blendtune_trainer.rows.faults import RowFault
from blendtune_trainer.rows.layouts import Layout, Layouts, chosen
from blendtune_trainer.rows.messages import MEDIA, checked_order, messages_of, with_system
from blendtune_trainer.rows.notes import Notes
from blendtune_trainer.rows.pairs import pair_messages
from blendtune_trainer.rows.supervision import require_learnt
from blendtune_trainer.rows.tools import Tool, tools_of

__all__ = ["RowFault", "RowReader", "canonical_bytes", "to_conversation"]


class RowReader:
    """Reads the rows of one source, and notes what of them it does not use.

    The formats are recognised by the names of the columns, unless `columns` says which is which:
    - chat and ShareGPT: a list of messages, each with `role` and `content` or `from` and `value`;
    - pairs: a prompt, its optional input and history, and a response.
    Both may have a system message and tools beside them.
    """

    def __init__(self, columns: Columns | None = None, notes: Notes | None = None) -> None:
        self.notes = notes or Notes()
        self.layouts = Layouts(columns)

    def read(self, row: object) -> Conversation:
        """The conversation of a row. Raises RowFault if it has none, or no answer to learn."""
        if not isinstance(row, Mapping):
            raise RowFault(f"a row must be an object, this is {kind(row)}", BadRowReason.WRONG_TYPE)
        layouts = chosen(row, self.layouts.of(row))
        layout = layouts[0]
        conversation = self._read_as(layout, row)
        for other in layouts[1:]:
            if self._read_as(other, row) != conversation:
                raise RowFault(
                    f"a row with {layout.shape}, and with {other.shape}: set columns of the source to say "
                    "which is to be learnt",
                    BadRowReason.AMBIGUOUS_FORMAT,
                )
        alike = {name for other in layouts[1:] for name in other.essential}
        unused = [name for name in layout.unused if not is_blank(row[name])]
        require_learnt(row, unused, layout.essential)
        for name in unused:
            if name in MEDIA or _is_shown(name, conversation):
                raise RowFault(f"{name}: only text is learnt", BadRowReason.WRONG_TYPE)
            if name not in alike:
                self.notes.unused(name)
        self.notes.read_as(layout.shape)
        return conversation

    def _read_as(self, layout: Layout, row: Mapping[str, object]) -> Conversation:
        if layout.messages is not None:
            messages = messages_of(row[layout.messages], layout.messages, self.notes)
        else:
            messages = pair_messages(row, layout, self.notes)
        for name in layout.system:
            messages = with_system(messages, text_of(row[name], name), name)
        tools: tuple[Tool, ...] = ()
        for name in layout.tools:
            given = tools_of(row[name], name)
            if tools and given and tools != given:
                raise RowFault(
                    f"{' and '.join(layout.tools)} differ: keep one", BadRowReason.AMBIGUOUS_FORMAT
                )
            tools = tools or given
        return Conversation(messages=checked_order(messages, self.notes), tools=tools)


def _is_shown(name: str, conversation: Conversation) -> bool:
    """Whether a text has the mark in whose place a column such as `image` stands, as LLaVA's rows do."""
    mark = f"<{name}>"
    return f"{name}s" in MEDIA and any(mark in message.content for message in conversation.messages)


def to_conversation(row: object) -> Conversation:
    """The conversation of one row with the usual names of columns. Raises RowFault as RowReader does."""
    return RowReader().read(row)


def canonical_bytes(conversation: Conversation) -> bytes:
    """The conversation as bytes for digests: equal messages give equal bytes, whatever the row's format.

    Raises RowFault if the text is not valid Unicode, or if a tool holds what JSON cannot express.
    """
    try:
        return conversation.canonical_bytes()
    except UnicodeEncodeError as error:
        raise RowFault(
            "the text holds half of a surrogate pair, which is not valid Unicode", BadRowReason.INVALID_TEXT
        ) from error
    except TypeError as error:
        raise RowFault(f"a tool or its arguments: {error}", BadRowReason.INVALID_TOOLS) from error
