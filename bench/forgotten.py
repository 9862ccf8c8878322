"""What the demo forgets and keeps in each arm, as tables and a plane: from what forgetting.py found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from blendtune_core.student_t import quantile

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results" / "forgetting.json"
PAGE = ROOT / "docs" / "demo.md"
PLANE = ROOT / "docs" / "forgetting.svg"
BEGIN, END = "<!-- `make forgetting` writes this -->\n", "<!-- to here -->\n"
ARMS = {  # by the name of the manifest in examples/demo
    "domain-only": "domain-only",
    "blend": "blend with general data",
    "self": "blend with self-rehearsal",
    "interpolated": "domain-only, interpolated",
}
COLOURS = {"domain-only": "#c62828", "blend": "#00695c", "self": "#1565c0", "interpolated": "#8e24aa"}

Result = Mapping[str, Any]


def read_results() -> list[dict[str, Any]]:
    """All results, by seed and arm; none before the first measurement."""
    return list(json.loads(RESULTS.read_text())) if RESULTS.exists() else []


def section(results: Sequence[Result]) -> str:
    """What was measured, as Markdown."""
    if not results:
        return "Nothing was measured by these rules yet.\n"
    tables = (_by_arm(results), _by_weight(results), _by_run(results))
    return "\n\n".join(filter(None, map("\n".join, tables))) + "\n"


def with_section(page: str, results: Sequence[Result]) -> str:
    """The page with the section of these results between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{section(results)}\n{END}{after}"


def plane(results: Sequence[Result]) -> str:
    """An SVG: in-domain score across and general score up, a dot for each run, a ring for each arm's mean.

    The thin line leads through the models between base and tuned one, the mean over the seeds of each weight.
    """
    marks = [_dot(0, _base(results), 6, "#212121", "base model")] if results else []
    if between := list(_between(results)):
        way = [(_base(results, "inDomain"), _base(results)), *(scores for _, *scores in between)]
        line = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in way)
        marks.append(f'<polyline class="way" points="{line}" stroke="{COLOURS["interpolated"]}"/>')
    for arm, runs in _arms(results).items():
        for each in runs:
            title = f"{ARMS[arm]}, seed {each['seed']}"
            marks.append(_dot(_score(each, "inDomain"), _score(each, "general"), 4, COLOURS[arm], title))
        place = f'cx="{_x(_mean(runs, "inDomain")):.1f}" cy="{_y(_mean(runs, "general")):.1f}"'
        marks.append(f'<circle class="mean" {place} r="9" stroke="{COLOURS[arm]}"/>')
    legend = [
        f'<circle cx="500" cy="{50 + 26 * place}" r="5" fill="{COLOURS[arm]}"/>'
        f'<text x="514" y="{55 + 26 * place}">{ARMS[arm]}</text>'
        for place, arm in enumerate(_arms(results))
    ]
    return _FRAME.format(ticks="\n  ".join(_ticks()), marks="\n  ".join(marks), legend="\n  ".join(legend))


def _by_arm(results: Sequence[Result]) -> Iterator[str]:
    general, in_domain = _base(results), _base(results, "inDomain")
    yield f"The base model scores {general:.3f} in general and {in_domain:.3f} in-domain."
    yield ""
    yield "| arm | seeds | in-domain | general | general less domain-only's |"
    yield "|---|---|---|---|---|"
    arms = _arms(results)
    for arm, runs in arms.items():
        gaps = _gaps(runs, arms.get("domain-only", [])) if arm != "domain-only" else []
        cells = [
            ARMS[arm],
            len(runs),
            f"{_mean(runs, 'inDomain'):.3f}",
            f"{_mean(runs, 'general'):.3f}",
            _interval(gaps),
        ]
        yield _row(cells)


def _by_weight(results: Sequence[Result]) -> Iterator[str]:
    """The models between base and tuned one, means over the seeds; nothing if none was asked."""
    weighed = [each for each in results if "candidates" in each]
    if not weighed:
        return
    yield "| weight | in-domain | general | taken |"
    yield "|---|---|---|---|"
    for weight, in_domain, general in _between(weighed):
        taken = sum(each["weight"] == weight for each in weighed)
        yield _row([f"{weight:g}", f"{in_domain:.3f}", f"{general:.3f}", f"{taken} of {len(weighed)}"])


def _by_run(results: Sequence[Result]) -> Iterator[str]:
    heads = (
        "seed",
        "arm",
        "in-domain",
        "general, with its interval",
        "rows kept",
        "weight",
        "steps",
        "CPU seconds",
    )
    yield _row(heads)
    yield "|---|---|---|---|---|---|---|---|"
    for each in results:
        general = each["general"]
        yield _row(
            [
                each["seed"],
                ARMS[each["arm"]],
                f"{_score(each, 'inDomain'):.3f}",
                f"{general['score']:.3f} ({general['low']:.3f} to {general['high']:.3f})",
                each["rehearsed"]["rows"] if "rehearsed" in each else "",
                f"{each['weight']:g}" if "weight" in each else "",
                each["steps"],
                f"{each['cpuSeconds']:,.0f}",
            ]
        )


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _arms(results: Sequence[Result]) -> dict[str, list[Result]]:
    """The results of each arm that has some, in the order of ARMS."""
    by_arm = {arm: [each for each in results if each["arm"] == arm] for arm in ARMS}
    return {arm: runs for arm, runs in by_arm.items() if runs}


def _gaps(runs: Sequence[Result], others: Sequence[Result]) -> list[float]:
    """General scores of `runs` less those of `others`, by seed, where both ran."""
    known = {each["seed"]: _score(each, "general") for each in others}
    return [_score(each, "general") - known[each["seed"]] for each in runs if each["seed"] in known]


def _interval(gaps: Sequence[float]) -> str:
    """Mean with its 95% interval over the seeds (Student's t), and the least of them."""
    if not gaps:
        return ""
    mean = fmean(gaps)
    if len(gaps) == 1:
        return f"{mean:+.3f}"
    half = quantile(0.975, len(gaps) - 1) * stdev(gaps) / sqrt(len(gaps))
    return f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f}), at least {min(gaps):+.3f}"


def _between(results: Sequence[Result]) -> Iterator[tuple[float, float, float]]:
    """Each weight, from the least on, with its in-domain and its general score, means over the seeds."""
    candidates = [candidate for each in results for candidate in each.get("candidates", [])]
    for weight in sorted({each["weight"] for each in candidates}):
        alike = [each for each in candidates if each["weight"] == weight]
        in_domain, general = (fmean(each[scope] for each in alike) for scope in ("inDomain", "general"))
        yield weight, in_domain, general


def _score(result: Result, scope: str) -> float:
    return float(result[scope]["score"])


def _mean(runs: Sequence[Result], scope: str) -> float:
    return fmean(_score(each, scope) for each in runs)


def _base(results: Sequence[Result], scope: str = "general") -> float:
    """The base model's score; of each run, over the questions that its tuned model leaves decided."""
    return fmean(each[scope]["baselineScore"] for each in results)


def _x(score: float) -> float:
    return 60 + 400 * score


def _y(score: float) -> float:
    return 430 - 400 * score


def _dot(x: float, y: float, radius: int, colour: str, title: str) -> str:
    place = f'cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="{radius}"'
    return f'<circle {place} fill="{colour}"><title>{title}</title></circle>'


def _ticks() -> Iterator[str]:
    for quarter in range(5):
        score = quarter / 4
        yield f'<path class="grid" d="M{_x(score):g} 30 V430 M60 {_y(score):g} H460"/>'
        yield f'<text class="middle" x="{_x(score):g}" y="450">{score:g}</text>'
        yield f'<text class="end" x="52" y="{_y(score) + 5:g}">{score:g}</text>'


_FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 480" role="img" aria-labelledby="title"
  font-family="system-ui, sans-serif" font-size="14">
  <title id="title">General score against in-domain score of each run, by arm, and of the base model.</title>
  <style>
    text {{ fill: #212121; }} .middle {{ text-anchor: middle; }} .end {{ text-anchor: end; }}
    .grid {{ stroke: #cfd8dc; fill: none; }} .mean {{ fill: none; stroke-width: 2; }}
    .way {{ fill: none; stroke-dasharray: 3 4; }}
  </style>
  <rect width="720" height="480" fill="#ffffff"/>
  {ticks}
  <text x="60" y="20">general</text><text class="end" x="460" y="472">in-domain</text>
  {marks}
  {legend}
  <circle cx="500" cy="160" r="6" fill="#212121"/><text x="514" y="165">base model</text>
  <circle class="mean" cx="500" cy="186" r="8" stroke="#212121"/><text x="514" y="191">mean of an arm</text>
</svg>
"""
