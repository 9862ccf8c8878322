"""Whether the words around a phrase assert it, deny it, hedge it or make it a condition."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from blendtune_eval.rules import foreign
from blendtune_eval.rules.text import Token, TokenKind, words

WINDOW = 6  # words between a negator and what it denies

NEGATORS = words(
    "not no never neither nor without none nothing nobody hardly except unlike non lack lacks lacking lacked"
)
_PAIRED_NEGATORS = frozenset(
    {("rather", "than"), ("other", "than"), ("instead", "of"), ("opposed", "to"), ("free", "of"),
     ("anything", "but"),
     ("far", "from"), ("apart", "from"), ("anything", "except")}
)  # fmt: skip
_BOUNDS = words("until till before after within beyond over under above below exceed exceeds")
_NOT_A_DENIAL = _BOUNDS | words(  # "not only", "no later than", "not until", "no doubt"
    "only just merely simply solely more less later earlier fewer sooner doubt question problem "
    "surprisingly necessarily hesitate forget fail worry"
)
_INTERJECTION_FOLLOWERS = words("it the this that these those they i you we he she there")
_BOUNDARY_WORDS = words(
    "but however although though because whereas while which who instead so therefore since yet unless"
)
_CONDITIONS = words("if unless")
_ELLIPSES = words("so possible needed necessary")  # "if so" holds no clause
_HARD_BREAKS = frozenset(";:()[]{}")
_FINITE_WORDS = words("is are was were it they he she we you i has have does do did will can")
_AUXILIARIES = words("would can could will should must may might")
_PREDICATE_OPENERS = _FINITE_WORDS | _AUXILIARIES
_DETERMINERS = words("the a an this that these those it they we you he she")
_PREPOSITIONS = words("of for to from in on at by with about")
_ENDING_FREEDOM = (
    _PREPOSITIONS | _BOUNDS | _PREDICATE_OPENERS | words("charge charges cost costs fee fees up")
)
_BE = words("is are was were be")
_DENIALS = words(
    "not incorrect wrong false untrue inaccurate never unnecessary unneeded superfluous needless"
)
_UNTRUE = words("false incorrect wrong untrue inaccurate myth misconception")
_REFUSED = words("forbidden prohibited banned")
_RESERVATIONS = words(  # after "is", "was" or "would be": may deny what they are said of
    "too excluded replaced removed exaggerated optional outdated obsolete unlikely impossible "
    "overrated discontinued abandoned doubtful questionable irrelevant secondary rare"
)
_COMPARED = words("more less higher lower greater fewer better worse larger smaller cheaper heavier")
_ALTERNATIVE = words("other rather")
_ALL = words("anything all everything every any")
_NONE = words("nothing none no")
_RELATIVES = words("that who which")
_BOUNDING = words("more less fewer later earlier longer sooner")
_PEOPLE = words("some many people others most critics customers colleagues everybody everyone they")
_SAY = words(
    "say says said think thinks believe believes claim claims ask asks argue assume call often sometimes"
)
_DOUBTED_VERBS = words("think believe true correct accurate say mean")
_HEDGES = words("might maybe perhaps possibly could either unsure guess may")
_GUESSES = words("might maybe perhaps possibly")
_NOUN_PHRASE = 4  # tokens from "without" to a noun that it takes away
_NEAR_GUESS = 3  # tokens


class Standing(StrEnum):
    """What an answer says about a phrase that occurs in it."""

    ASSERTED = "asserted"
    DENIED = "denied"
    HEDGED = "hedged"
    CONDITIONAL = "conditional"  # in a condition: "if it is Paris, ..."
    QUOTED = "quoted"  # what others say or believe
    UNCLEAR = "unclear"  # under a reservation whose reach the words do not show


def standing(tokens: Sequence[Token], start: int, end: int) -> Standing:
    """The standing of the tokens [start, end) of a sentence. Two denials cancel out."""
    if _compared(tokens, start):
        return Standing.UNCLEAR
    denials = _denials_before(tokens, start) + _denied_after(tokens, end)
    denials += foreign.denied(tokens, start, end) + _none_that_is_not(tokens, start, end)
    if denials % 2 or disbelieved(tokens, start) or _asked_and_denied(tokens, end):
        return Standing.DENIED
    if _in_condition(tokens, start):
        return Standing.CONDITIONAL
    if _quoted(tokens, start):
        return Standing.QUOTED
    if _reserved(tokens, end):
        return Standing.UNCLEAR
    return Standing.HEDGED if _hedged(tokens, start, end) else Standing.ASSERTED


def _asked_and_denied(tokens: Sequence[Token], end: int) -> bool:
    """ "Copper-free", "sugarless": what follows the hyphen denies it."""
    return end + 1 < len(tokens) and tokens[end].joined and tokens[end + 1].text in ("free", "less")


def _none_that_is_not(tokens: Sequence[Token], start: int, end: int) -> bool:
    """ "No dogs that are not allowed" are none that would be forbidden."""
    if tokens[start].text not in _NONE or end >= len(tokens) or tokens[end].text not in _RELATIVES:
        return False
    return any(token.text in ("not", "never") for token in tokens[end + 1 : end + 4])


def _quoted(tokens: Sequence[Token], start: int) -> bool:
    """Whether the clause opens with what people say: "some say that ..."."""
    before = [token.text for token in tokens[:start] if token.text != '"']
    opening = next((i + 1 for i in range(len(before) - 1, -1, -1) if before[i] in ("but", ";", ":", ".")), 0)
    clause = before[opening:]
    return any(
        clause[index] in _PEOPLE and not _SAY.isdisjoint(clause[index + 1 : index + 3])
        for index in range(len(clause) - 1)
    )


def _compared(tokens: Sequence[Token], start: int) -> bool:
    """Whether the phrase is what something is compared with: "more than the true value"; a bound is not."""
    of_a_number = tokens[start].kind is not TokenKind.WORD
    for than in (start - 1, start - 2) if of_a_number else (start - 1, start - 2, start - 3):
        if than >= 1 and tokens[than].text == "than":
            word = tokens[than - 1].text
            if word in _COMPARED or (not of_a_number and word.endswith("er") and word not in _ALTERNATIVE):
                return than < 2 or tokens[than - 2].text not in ("no", "not")
    return False


def _reserved(tokens: Sequence[Token], end: int) -> bool:
    """Whether what follows may take the phrase back."""
    rest = [token.text for token in tokens[end : end + 5] if token.text != '"']
    if rest[:1] == ["until"] and {"was", "were"}.intersection(token.text for token in tokens[:end]):
        return True
    if not rest:
        return False
    if rest[0] in _BE or rest[0] in ("looks", "seems"):
        return len(rest) > 1 and (
            rest[1] in _RESERVATIONS or rest[1:3] in (["what", "people"], ["only", "the"])
        )
    if rest[0] in _AUXILIARIES:
        return len(rest) > 2 and rest[1] == "be" and rest[2] in _RESERVATIONS
    return False


def _denials_before(tokens: Sequence[Token], start: int) -> int:
    """The number of negators within WINDOW words before `start`, without a clause boundary in between.

    "Neither ... nor" counts as one.
    """
    if start and tokens[start - 1].text in _BOUNDS:
        return 0  # "cannot be claimed after 30 days" does state the 30 days
    if start > 1 and tokens[start - 1].text == "than" and tokens[start - 2].text in _BOUNDING:
        return 0
    count = distance = 0
    for index in range(start - 1, -1, -1):
        token = tokens[index]
        if token.text == "but" and start - index <= 2 and (total := _all_but(tokens, index)):
            return count + (total in _ALL)
        if token.text in _HARD_BREAKS or (token.text in _BOUNDARY_WORDS and not _is_pair(tokens, index)):
            break
        if token.text == "," and not _separates_alternatives(tokens, index, start):
            break
        if token.text == "and" and tokens[index + 1].text in _PREDICATE_OPENERS:
            break  # "is not credible and cannot be guaranteed"
        if token.kind is TokenKind.BREAK:
            continue
        distance += 1
        if distance > WINDOW:
            break
        if token.text == "nor":
            return 1
        if token.text == "without" and _requires(tokens, index, start):
            return count
        count += _pair_denies(tokens, index, start) or _negates(tokens, index, start)
    return count


def _all_but(tokens: Sequence[Token], but: int) -> str:
    """The quantifier of "everything but" and "no colour but"; empty where "but" turns the sentence."""
    before = [token.text for token in tokens[max(but - 2, 0) : but]]
    return next((word for word in reversed(before) if word in _ALL | _NONE), "")


def _negates(tokens: Sequence[Token], index: int, start: int) -> bool:
    word = tokens[index].text
    following = tokens[index + 1].text if index + 1 < len(tokens) else ""
    if word not in NEGATORS or (following in _NOT_A_DENIAL and index + 1 < start):
        return False
    if following == "longer":  # "no longer than 30 days" is a bound, "no longer grey" a denial
        return index + 2 >= len(tokens) or tokens[index + 2].text != "than"
    if word in ("without", "no") and following == "exception":
        return False
    if word == "non":
        return start - index <= 2
    if word == "without" and _noun_phrase_ends(tokens, index, start):
        return False
    opens_clause = word == "no" and (index == 0 or tokens[index - 1].kind is TokenKind.BREAK)
    return not (opens_clause and (following == "," or following in _INTERJECTION_FOLLOWERS))


def _requires(tokens: Sequence[Token], without: int, start: int) -> bool:
    """Whether "without" demands what follows: "no entry without X", "without X you may not enter"."""
    for index in range(without - 1, -1, -1):
        if (
            tokens[index].text in _HARD_BREAKS
            or tokens[index].text == ","
            or tokens[index].text in _BOUNDARY_WORDS
        ):
            break
        if _negates(tokens, index, without):
            return True
    if without and tokens[without - 1].kind is not TokenKind.BREAK:
        return False
    if start - without > _NOUN_PHRASE or any(
        token.kind is TokenKind.BREAK for token in tokens[without:start]
    ):
        return False
    rest = [token.text for token in tokens[start:]]
    ends = next((i for i, word in enumerate(rest) if word in _HARD_BREAKS), len(rest))
    return not (NEGATORS | _REFUSED).isdisjoint(rest[:ends])


def _noun_phrase_ends(tokens: Sequence[Token], without: int, start: int) -> bool:
    """Whether a noun phrase begins before `start`: "without consent the pixel", not "without using the"."""
    for index in range(without + 2, start + 1):
        before = tokens[index - 1].text
        if index < len(tokens) and tokens[index].text in _DETERMINERS:
            return not (before.endswith("ing") or before in _PREPOSITIONS)
    return False


def _is_pair(tokens: Sequence[Token], index: int) -> bool:
    return index + 1 < len(tokens) and (tokens[index].text, tokens[index + 1].text) in _PAIRED_NEGATORS


def _pair_denies(tokens: Sequence[Token], index: int, start: int) -> bool:
    """Whether a pair denies what begins at `start`: "free of" its own noun, "free of charge" nothing."""
    if not _is_pair(tokens, index):
        return False
    between = [token.text for token in tokens[index + 2 : start]]
    return tokens[index].text != "free" or _ENDING_FREEDOM.isdisjoint(between)


def _separates_alternatives(tokens: Sequence[Token], comma: int, start: int) -> bool:
    """Whether the comma separates items of a list ("not Lyon, Nice or Lille") and not clauses."""
    if any(token.text in _FINITE_WORDS for token in tokens[comma:start]):
        return False
    for token in tokens[comma:]:
        if token.text in _HARD_BREAKS or token.text in _BOUNDARY_WORDS:
            return False
        if token.text in ("or", "nor"):
            return True
    return False


def _denied_after(tokens: Sequence[Token], end: int) -> int:
    """1 when the phrase is the subject of a denial ("Lyon is not ...", "5 would be wrong"), else 0."""
    rest = [token.text for token in tokens[end : end + 8] if token.text != '"']
    first, second, third, fourth = (*rest[:4], "", "", "", "")[:4]
    if first in _BE:
        if second == "no" and third == "longer":
            return 1
        denied = second in _DENIALS and third not in _NOT_A_DENIAL
        return int(
            denied or (second in ("a", "the") and third in _UNTRUE) or (second == "hardly" and bool(third))
        )
    if first in ("has", "have") and second == "never":
        return int(third == "been")
    if first in _AUXILIARIES:
        return int((second, third) == ("not", "be") or (second == "be" and third in _DENIALS))
    if first == "never" or (first in ("does", "do", "did") and second == "not"):
        return int(fourth != "only")
    return 0


def disbelieved(tokens: Sequence[Token], start: int) -> bool:
    """Whether the words before deny the phrase: "I do not think that ...", "the myth that ..."."""
    before = [token.text for token in tokens[:start]]
    opening = next((i + 1 for i in range(len(before) - 1, -1, -1) if before[i] in ("but", ";")), 0)
    before = before[opening:]
    for index, word in enumerate(before):
        rest = before[index + 1 :]
        if word == "not" and rest and rest[0] in _DOUBTED_VERBS:
            return "," not in rest
        if word in ("doubt", "doubts") and not {"no", "not", "any", "without", "little"}.intersection(
            before[:index]
        ):
            return True
        if (
            word == "used"
            and rest[:1] == ["to"]
            and before[index - 1 : index] not in (["is"], ["are"], ["get"])
        ):
            return True
        if word in _UNTRUE and "that" in rest and "not" not in before[max(index - 1, 0) : index]:
            return True
    return False


def _in_condition(tokens: Sequence[Token], start: int) -> bool:
    """Whether the clause around `start` opens with "if" or "unless"; a comma or "then" ends the clause."""
    for index in range(start - 1, -1, -1):
        word = tokens[index].text
        if word in _HARD_BREAKS or word in (",", "then"):
            return False
        if word in _CONDITIONS:
            return tokens[index + 1].text not in _ELLIPSES
    return False


def _hedged(tokens: Sequence[Token], start: int, end: int) -> bool:
    """Whether the phrase is offered as one of several possibilities: "it might be Paris or Lyon"."""
    before = tokens[start - 1].text if start else ""
    after = tokens[end].text if end < len(tokens) else ""
    hedges = [index for index, token in enumerate(tokens) if token.text in _HEDGES]
    if "or" in (before, after):
        return bool(hedges)
    again = [index for index in hedges if tokens[index].text in _GUESSES]  # "perhaps X, perhaps Y"
    return len(again) > 1 and any(0 < start - index <= _NEAR_GUESS for index in again)
