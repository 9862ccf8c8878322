"""Which columns of a row hold what is learnt: as the spec names them, or by the usual names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from blendtune_api.v1alpha1 import BadRowReason, Columns
from blendtune_runtime.chat.conversation import ChatRole
from blendtune_trainer.rows.cells import is_absent, is_blank
from blendtune_trainer.rows.faults import RowFault
from blendtune_trainer.rows.messages import REASONING_KEYS, ROLES

_MESSAGES = ("messages", "conversations", "conversation")
_PAIRS = (
    ("instruction", "output"),
    ("instruction", "response"),
    ("prompt", "completion"),
    ("prompt", "response"),
    ("question", "answer"),
    ("question", "response"),
    ("query", "response"),
    ("query", "answer"),
    ("input", "output"),
)
_INPUT = "input"
_CONTEXT = "context"  # Dolly's word for the input
_HISTORY = "history"
_SYSTEM = ("system", "system_prompt", "system_message")
_TOOLS = ("tools", "functions")
_CACHED = 4096  # sets of keys; rows of one source have a few
_SHOWN = 30  # columns in a message
_PLACEHOLDER = "..."  # an answer that is read, and not used


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The columns of a row in one format. Either `messages`, or `prompt` and `response` are set."""

    shape: str  # for messages
    messages: str | None = None
    prompt: str = ""
    response: str = ""
    input: str | None = None
    history: str | None = None
    reasoning: tuple[str, ...] = ()
    system: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def essential(self) -> tuple[str, ...]:
        """The columns without which there is nothing to learn."""
        return (self.messages,) if self.messages is not None else (self.prompt, self.response)


class Layouts:
    """Finds the formats that a row may have by its keys. Each set of keys is looked at once."""

    def __init__(self, columns: Columns | None = None) -> None:
        self._columns = columns or Columns()
        self._known: dict[tuple[str, ...], tuple[Layout, ...]] = {}
        self._named = {
            role: name
            for role in ("messages", "prompt", "response", "input", "history", "system", "tools", "reasoning")
            if (name := getattr(self._columns, role)) is not None
        }
        self._seen: set[str] = set()

    def of(self, row: Mapping[str, object]) -> tuple[Layout, ...]:
        """The formats of a row, the usual one first; never empty. Raises RowFault if it has no known one."""
        keys = tuple(row)
        found = self._known.get(keys)
        if found is None:
            if len(self._known) >= _CACHED:
                self._known.clear()
            found = self._known[keys] = self._find(keys)
            self._seen.update(keys)
        if not found:
            raise RowFault(self._unknown(keys), BadRowReason.UNKNOWN_FORMAT)
        return found

    def missing(self) -> dict[str, str]:
        """Of each column that the spec names and no row has: its field within `columns`, and the fault."""
        there = _listed(sorted(map(str, self._seen)))
        return {
            role: f"no row has a column {name!r}; the columns of the rows: {there}"
            for role, name in self._named.items()
            if name not in self._seen
        }

    def _find(self, keys: tuple[str, ...]) -> tuple[Layout, ...]:
        names = self._recognised(keys)
        if (messages := self._columns.messages) is not None:
            return (self._of_messages(messages, names, keys),) if messages in keys else ()
        if (prompt := self._columns.prompt) is not None:
            response = self._columns.response or ""
            whole = prompt in keys and response in keys
            return (self._of_pair(prompt, response, names, keys),) if whole else ()
        lists = [self._of_messages(names[each], names, keys) for each in _MESSAGES if each in names]
        pairs = [
            self._of_pair(names[prompt], names[response], names, keys)
            for prompt, response in _PAIRS
            if prompt in names and response in names
        ]
        if len(pairs) > 1 and "instruction" in names:  # beside it, `input` is no prompt of its own
            pairs = [each for each in pairs if each.prompt != names.get(_INPUT)]
        return (*lists, *pairs)

    def _recognised(self, keys: tuple[str, ...]) -> dict[str, str]:
        """The usual name of each column that the spec does not name, in whatever case it is written."""
        taken = set(self._named.values())
        free = [key for key in keys if isinstance(key, str) and key not in taken]
        return {key.strip().lower(): key for key in free} | {key: key for key in free}

    def _of_messages(self, column: str, names: Mapping[str, str], keys: tuple[str, ...]) -> Layout:
        system, tools = self._role("system", _SYSTEM, names, keys), self._role("tools", _TOOLS, names, keys)
        used = (column, *system, *tools)
        return Layout(
            shape=f"chat messages ({column})",
            messages=column,
            system=system,
            tools=tools,
            unused=tuple(key for key in keys if key not in used),
        )

    def _of_pair(self, prompt: str, response: str, names: Mapping[str, str], keys: tuple[str, ...]) -> Layout:
        usual = prompt.strip().lower()
        inputs = () if usual == _INPUT else (_INPUT,)
        if usual in ("instruction", "question"):
            inputs = (*inputs, _CONTEXT)
        others = {
            "input": self._role("input", inputs, names, keys)[:1],
            "history": self._role("history", (_HISTORY,), names, keys),
            "reasoning": self._role("reasoning", REASONING_KEYS, names, keys),
            "system": self._role("system", _SYSTEM, names, keys),
            "tools": self._role("tools", _TOOLS, names, keys),
        }
        more = [name for columns in others.values() for name in columns]
        return Layout(
            shape=" and ".join((prompt, response)) + (f", with {', '.join(more)}" if more else ""),
            prompt=prompt,
            response=response,
            input=next(iter(others["input"]), None),
            history=next(iter(others["history"]), None),
            reasoning=others["reasoning"],
            system=others["system"],
            tools=others["tools"],
            unused=tuple(key for key in keys if key not in (prompt, response, *more)),
        )

    def _role(
        self, role: str, usual: Iterable[str], names: Mapping[str, str], keys: tuple[str, ...]
    ) -> tuple[str, ...]:
        """The columns that may have a role: the one that the spec names, or those with a usual name."""
        if role in self._named:
            return (self._named[role],) if self._named[role] in keys else ()
        return tuple(names[name] for name in usual if name in names)

    def _unknown(self, keys: tuple[str, ...]) -> str:
        there = _listed(sorted(map(str, keys))) or "none"
        named = [name for role, name in self._named.items() if role in ("messages", "prompt", "response")]
        if named:
            lacking = " or ".join(name for name in named if name not in keys)
            return f"no column {lacking}; the columns of this row: {there}"
        return (
            "a row needs messages, conversations, or a pair such as instruction and output, prompt and "
            f"completion, question and answer; the columns of this one: {there}. Say which is which with "
            "columns of the source"
        )


def chosen(row: Mapping[str, object], layouts: tuple[Layout, ...]) -> tuple[Layout, ...]:
    """The formats whose columns are filled in this row; if none is, the first that has its columns."""
    if len(layouts) == 1:
        return layouts
    filled = tuple(each for each in layouts if not any(is_blank(row[name]) for name in each.essential))
    if filled:
        return filled
    present = (each for each in layouts if not any(is_absent(row[name]) for name in each.essential))
    return (next(present, layouts[0]),)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def with_an_answer(row: Mapping[str, object], columns: Columns | None = None) -> Mapping[str, object]:
    """The row, with an answer put in if it lacks one: a question alone is then read like any other row."""
    columns = columns or Columns()
    names = {str(key).strip().lower(): str(key) for key in row}
    lists = [columns.messages] if columns.messages else [names[each] for each in _MESSAGES if each in names]
    for name in lists:
        messages = row.get(name)
        if isinstance(messages, list | tuple) and messages and isinstance(messages[-1], Mapping):
            return {**row, name: [*messages, *_missing_answer(messages[-1])]}
    pairs = [(columns.prompt, columns.response)] if columns.prompt else _PAIRS
    there = [(prompt, response) for prompt, response in pairs if prompt in row or prompt in names]
    for _, response in there:
        name = names.get(response or "", response or "")
        if not is_blank(row.get(name)):
            return row
    return {**row, there[0][1] or "": _PLACEHOLDER} if there else row


def _missing_answer(last: Mapping[str, object]) -> tuple[Mapping[str, object], ...]:
    """An answer to a list of messages that ends with a question, in the words of its last message."""
    for role, text in (("role", "content"), ("from", "value")):
        if ROLES.get(str(last.get(role)).lower()) is ChatRole.USER:
            return ({role: "assistant", text: _PLACEHOLDER},)
    return ()
