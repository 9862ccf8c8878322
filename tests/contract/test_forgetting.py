"""What `make forgetting` tells of its results."""

from __future__ import annotations

from typing import Any

import pytest
from bench.forgotten import ARMS, BEGIN, END, PAGE, PLANE, ROOT, plane, read_results, section, with_section


def result(arm: str, seed: int, general: float, in_domain: float, **more: Any) -> dict[str, Any]:
    def scope(score: float, base: float) -> dict[str, float]:
        return {"score": score, "low": score - 0.1, "high": score + 0.1, "baselineScore": base}

    scopes = {"general": scope(general, 0.7), "inDomain": scope(in_domain, 0.0)}
    return {"arm": arm, "seed": seed, "steps": 27, "cpuSeconds": 1234.5, **scopes, **more}


MEASURED = [
    result("domain-only", 1, 0.1, 0.6),
    result("blend", 1, 0.5, 0.7),
    result("domain-only", 2, 0.2, 0.6),
    result("blend", 2, 0.5, 0.8),
    result(
        "interpolated",
        2,
        0.4,
        0.5,
        weight=0.7,
        candidates=[
            {"weight": 0.7, "general": 0.4, "inDomain": 0.5},
            {"weight": 1, "general": 0.2, "inDomain": 0.6},
        ],
    ),
]


def test_the_page_and_the_plane_are_what_the_results_say() -> None:
    page = PAGE.read_text()
    assert page.count(BEGIN) == page.count(END) == 1
    assert page == with_section(page, read_results()), "run `python bench/forgetting.py --told`"
    assert PLANE.read_text() == plane(read_results()), "run `python bench/forgetting.py --told`"


@pytest.mark.parametrize("arm", ARMS)
def test_each_arm_is_a_manifest_of_the_demo(arm: str) -> None:
    assert (ROOT / "examples" / "demo" / f"{arm}.yaml").exists()


def test_an_arm_is_compared_with_domain_only_seed_by_seed() -> None:
    told = section(MEASURED)
    # Gaps 0.4 and 0.3: mean 0.35, half width 12.706 * 0.0707 / sqrt(2) = 0.635.
    assert (
        "| blend with general data | 2 | 0.750 | 0.500 | +0.350 (-0.285 to +0.985), at least +0.300 |" in told
    )
    assert "| domain-only, interpolated | 1 | 0.500 | 0.400 | +0.200 |" in told
    assert "| 2 | domain-only, interpolated | 0.500 | 0.400 (0.300 to 0.500) |  | 0.7 | 27 | 1,234 |" in told


def test_each_weight_is_told_with_how_often_it_was_taken() -> None:
    told = section(MEASURED)
    assert "| 0.7 | 0.500 | 0.400 | 1 of 1 |" in told
    assert "| 1 | 0.600 | 0.200 | 0 of 1 |" in told
    assert "| weight | in-domain" not in section(MEASURED[:-1])


def test_the_plane_has_a_dot_for_each_run() -> None:
    drawn = plane(MEASURED)
    assert drawn.count("seed 1</title>") == 2
    assert drawn.count("seed 2</title>") == 3
    assert 'class="way" points="60.0,150.0 260.0,270.0 300.0,350.0"' in drawn
