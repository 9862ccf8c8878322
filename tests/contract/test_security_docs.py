"""The threat model lists the attacks that are carried out, word for word."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.attacks import ATTACKS, table

ROOT = Path(__file__).parents[2]


def test_the_table_of_attacks_is_that_of_the_tests() -> None:
    assert f"\n\n{table()}\n\n" in (ROOT / "docs/security.md").read_text()


def test_each_attack_has_a_row_of_its_own() -> None:
    assert len(ATTACKS) >= 25
    assert len({attack.cannot for attack in ATTACKS.values()}) == len(ATTACKS)
