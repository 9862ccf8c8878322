from __future__ import annotations

import pytest

from blendtune_trainer.rehearsing.scripts import script_of


@pytest.mark.parametrize(
    ("text", "script"),
    [
        pytest.param("Wie hoch ist der Turm? 94 Meter, sagt Čapek.", "Latin", id="letters with marks"),
        pytest.param("塔有多高？九十四米。", "Han", id="Chinese"),
        pytest.param(
            "とうの高さは九十四メートルです。", "Hiragana", id="Japanese, by its most frequent letters"
        ),
        pytest.param("Башня SMTP высотой 94 метра.", "Cyrillic", id="a foreign word within"),
        pytest.param("कितना ऊँचा है?", "Devanagari", id="marks are no letters"),
        pytest.param("94 + 6 = 100 🎉", "None", id="no letters"),
        pytest.param("", "None", id="nothing"),
        pytest.param("ﾊﾝｶｸ", "Katakana", id="half-width forms"),
    ],
)
def test_the_script_is_that_of_most_letters(text: str, script: str) -> None:
    assert script_of(text) == script
