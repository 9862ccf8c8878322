"""What of a generated text is the answer: without thoughts, and without turns that the model invented.

Models mark their thoughts with `<think>` (DeepSeek, Qwen), `<thinking>`, `<reasoning>`, `[THINK]` (Mistral),
the `analysis` channel of Harmony (gpt-oss), also as plain text where the special tokens were skipped at
decoding, and `◁think▷` (Kimi). The opening mark is missing where the template has already written it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_NAMES = r"(?:think|thinking|thought|thoughts|reasoning|reflection|seed:think|scratchpad)"
_OPENING = re.compile(rf"<{_NAMES}>|\[THINK\]|◁think▷|<\|begin_of_thought\|>|<unused94>", re.IGNORECASE)
_CLOSING = re.compile(rf"</{_NAMES}>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>|<unused95>", re.IGNORECASE)
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<]*<\|message\|>")
_HARMONY_MARKS = re.compile(r"<\|(?:start|end|return|call|message|channel|constrain)\|>")
_SPOKEN_CHANNEL = re.compile(r"\A\s*(?:assistant)?(analysis|commentary)(?=[\sA-Z(\"'\d])")
_SPOKEN_FINAL = re.compile(r"assistant\s?final(?=\W|[A-Z\d]|[a-z])|(?<=[.!?\s])final(?=[A-Z\d*])")
_FINAL_CHANNEL = "final"
_ANSWER_TAGS = re.compile(r"</?(?:answer|response|output)>|<\|(?:begin|end)_of_solution\|>", re.IGNORECASE)
_NEXT_TURN = re.compile(
    r"(?:\n|<\|im_end\|>|<\|eot_id\|>|<\|im_start\|>)[ \t]*(?:#+ *|\*\*|<\|)?"
    r"(?:user|human|question|q|customer|### instruction)(?:\*\*)?(?:\|>| *:)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """A generated text: what the model thought, what it said then, and of that its answer, its own turn.

    `unfinished`: it was still thinking when the text ended, and so gave no answer.
    """

    thoughts: str
    said: str
    unfinished: bool = False

    @property
    def answer(self) -> str:
        return _first_turn(self.said)


def read_reply(text: str) -> Reply:
    """The thoughts and the answer in a generated text. What follows the last closing mark is the answer."""
    if _CHANNEL.search(text):
        reply = _by_channels(text)
    elif _SPOKEN_CHANNEL.match(text):
        reply = _by_spoken_channels(text)
    else:
        reply = _by_marks(text)
    return replace(reply, thoughts=reply.thoughts.strip())


def _by_marks(text: str) -> Reply:
    closings = list(_CLOSING.finditer(text))
    rest = text[closings[-1].end() :] if closings else text
    thoughts = text[: closings[-1].start()] if closings else ""
    opening = _OPENING.search(rest)
    if opening is None:
        return Reply(_OPENING.sub("", _CLOSING.sub("", thoughts)), rest)
    if said := rest[: opening.start()].strip():
        return Reply(f"{thoughts}\n{rest[opening.end() :]}", said)  # it answered, and went on to think
    return Reply(_OPENING.sub("", rest), "", unfinished=True)


def _by_channels(text: str) -> Reply:
    """Harmony's messages: only those of the channel `final` are answers (cookbook.openai.com, Harmony)."""
    starts = list(_CHANNEL.finditer(text))
    thoughts: list[str] = []
    answer: list[str] = []
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        body = text[start.end() : following.start() if following else len(text)]
        body = _HARMONY_MARKS.split(body)[0]
        (answer if start[1] == _FINAL_CHANNEL else thoughts).append(body)
    return Reply("\n".join(thoughts), "\n".join(answer), unfinished=not answer)


def _by_spoken_channels(text: str) -> Reply:
    """Harmony whose special tokens were skipped: `analysis...assistantfinal...`."""
    finals = list(_SPOKEN_FINAL.finditer(text))
    start = _SPOKEN_CHANNEL.match(text)
    assert start is not None
    if not finals:
        if _is_prose(text):
            return Reply("", text)
        return Reply(text[start.end() :], "", unfinished=True)
    return Reply(text[start.end() : finals[-1].start()], text[finals[-1].end() :])


def _is_prose(text: str) -> bool:
    """Whether "analysis" is the first word of an answer: a channel's name is glued to what it holds."""
    return re.match(r"\s*(?:analysis|commentary)\s", text) is not None


def _first_turn(answer: str) -> str:
    """The answer up to where the model goes on as the user."""
    answer = _ANSWER_TAGS.sub(" ", answer)
    following = _NEXT_TURN.search(answer)
    if following is not None and answer[: following.start()].strip():
        answer = answer[: following.start()]
    return answer.strip()
