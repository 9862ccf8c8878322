"""Words that are opposites, in their forms: what closes at 9:45 does not open then."""

from __future__ import annotations

from collections.abc import Iterator

OPPOSITES = tuple(
    (one, other)
    for pair in (
        "before after", "open close", "begin end", "begin finish", "start finish", "start end",
        "arrive depart", "arrive leave", "minimum maximum", "adult child", "adult children",
        "buy sell", "first last", "north south", "east west", "morning evening", "summer winter",
        "sunrise sunset", "earliest latest", "shortest longest", "highest lowest", "land sea",
        "import export", "income expense", "old new", "small large", "small big", "short long",
        "single double", "basic premium", "weekday weekend", "upstairs downstairs", "indoor outdoor",
    )
    for one, other in (pair.split(), pair.split()[::-1])
)  # fmt: skip


def base_of(word: str) -> str:
    """The form in which OPPOSITES has the word: "close" for "closed", "begin" for "began"."""
    return _BASES.get(word, word)


def _forms(verb: str) -> Iterator[str]:
    bare = verb.removesuffix("e")
    yield from (f"{bare}ed", f"{bare}ing", f"{verb}{verb[-1]}ing", f"{verb}{verb[-1]}ed")


_BASES = {form: verb for pair in OPPOSITES for verb in pair for form in _forms(verb)} | {
    "began": "begin", "begun": "begin", "left": "leave", "shut": "close", "shutting": "close",
    "bought": "buy", "sold": "sell", "arrival": "arrive", "departure": "depart", "opens": "open",
}  # fmt: skip
