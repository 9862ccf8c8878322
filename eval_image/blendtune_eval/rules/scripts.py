"""Scripts and languages: which letters carry marks, which scripts have no spaces, what a text is in."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

_LAST_MARK = 0x1E94A  # the last mark of a living script; variation selectors beyond it are not letters' marks
_LEAST_LETTERS = 0.5  # share of a text of language; small models also write bytes of every kind
_FEWEST_HITS = 2  # function words that tell a language
_SPACED_JOINERS = "\u200c\u200d"  # within a word of Persian or Hindi


def _ranges(points: Iterable[int]) -> str:
    """A regex class's inside for code points in order."""
    parts: list[list[int]] = []
    for point in points:
        if parts and point == parts[-1][1] + 1:
            parts[-1][1] = point
        else:
            parts.append([point, point])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in parts)


MARK = _ranges(code for code in range(0x300, _LAST_MARK) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
MARK += _SPACED_JOINERS
UNSPACED = (  # Han, kana, Thai, Lao, Myanmar, Khmer: words stand without spaces between them
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u0e00-\u0e3a\u0e40-\u0e4e\u0e80-\u0ecf\u1000-\u103f\u1780-\u17d3"
)
_HEBREW = "ב ל מ ה ו ש כ וב ול ומ וה וש וכ שב של שה כש בה לה"
_ARABIC = "و ف ب ل ك ال وال بال لل فال كال وب ول"
_PARTICLES = frozenset(f"{_HEBREW} {_ARABIC}".split())  # written as the beginning of the next word
_SHORTEST_ROOT = 3  # letters
UNSPACED_SCRIPTS = frozenset({"CJK", "THAI", "LAO", "MYANMAR", "KHMER"})
_CJK = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"})
_FUNCTION_WORDS = {
    "en": "the of is are was and to in it that for with you this from be by on at as not have has i we a an",
    "de": "der die das ist und nicht ein eine es sie ich zu mit von für auf aus den dem im wird werden sind "
    "kostet beträgt gilt am um oder bis auch kein keine uhr",
    "fr": "le la les est et un une des du il elle en pour dans au aux que qui ne pas avec sur cela "
    "ce faut coûte dure",
    "es": "el los las es un una del para con por que se en al son mi buenas buenos cuesta está día días",
    "it": "il lo gli è un una del della per con che di non sono costa giorni si",
    "pt": "os é um uma do da para com por que não em são custa dias",
    "nl": "de het een is en van voor met niet op dat zijn dagen geen kost",
}
_DISTINCTIVE = {language: frozenset(words.split()) for language, words in _FUNCTION_WORDS.items()}
FOREIGN_NEGATORS = frozenset(
    [
        "nicht",
        "kein",
        "keine",
        "keinen",
        "keinem",
        "keiner",
        "nie",
        "niemals",
        "weder",
        "pas",
        "jamais",
        "aucun",
        "aucune",
        "nunca",
        "jamás",
        "não",
        "nem",
        "niet",
        "geen",
        "nooit",
        "nessun",
        "mai",
        "нет",
        "не",
        "नहीं",
        "न",
        "मत",
        "لا",
        "ليس",
        "ليست",
        "لم",
        "لن",
        "غير",
        "לא",
        "אין",
        "אינה",
        "אינו",
    ]
)
_UNSPACED_NEGATOR = re.compile(r"不|没|沒|非|未|ない|ません|なく|아니|않|없|ไม่|มิใช่|មិន|ບໍ່")


def without_particle(word: str, expected: str) -> str | None:
    """The word without the Hebrew or Arabic particle that is written as its beginning: "in", "and", "the".

    None unless what follows the particle begins as `expected` does, which must be long enough to tell.
    """
    at = word.find(expected, 1) if len(expected) >= _SHORTEST_ROOT else -1
    return word[at:] if at > 0 and word[:at] in _PARTICLES else None


def script_of(text: str) -> str:
    """The script of most letters: LATIN, CJK, THAI, ...; empty without letters."""
    found = Counter(_script(character) for character in text if character.isalpha())
    return found.most_common(1)[0][0] if found else ""


def scripts_in(text: str) -> frozenset[str]:
    return frozenset(_script(character) for character in text if character.isalpha())


def in_another_script(text: str, expected: str) -> bool:
    """Whether a text is language, and has no letter of the script in which `expected` is.

    Where that has no letters itself, as a number, no script is another one.
    """
    letters = sum(character.isalpha() or unicodedata.category(character)[0] == "M" for character in text)
    written = sum(not character.isspace() and not character.isdigit() for character in text)
    babble = "\ufffd" in text or len(scripts_in(text)) > 1
    word = letters > 1 or script_of(text) == "CJK"  # one ideograph is a word
    is_language = word and letters >= _LEAST_LETTERS * written and not babble
    return is_language and script_of(expected) not in {"", *scripts_in(text)}


def language_of(words: Iterable[str]) -> str:
    """The language of Latin text by its function words: two letters; empty where none stands out."""
    counted = Counter(words)
    hits = {language: sum(counted[word] for word in known) for language, known in _DISTINCTIVE.items()}
    best = max(hits, key=lambda language: hits[language])
    rivals = [language for language, count in hits.items() if count == hits[best]]
    return best if hits[best] >= _FEWEST_HITS and ("en" not in rivals or best == "en") else ""


def negated_elsewhere(text: str, words: Iterable[str]) -> bool:
    """Whether a negator of a language other than English is among the words, or within unspaced text."""
    return not FOREIGN_NEGATORS.isdisjoint(words) or _UNSPACED_NEGATOR.search(text) is not None


def _script(character: str) -> str:
    name = unicodedata.name(character, "?").split()[0]
    return "CJK" if name in _CJK else name
