"""Numbers in Grafana's units, as far as the dashboards use them."""

from __future__ import annotations

from collections.abc import Sequence

_SECONDS = ((86400.0, "day"), (3600.0, "hour"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"))
_BYTES = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B"))
_COUNTS = ((1e9, " Bil"), (1e6, " Mil"), (1e3, " K"))
_RATES = {"ops": " ops/s", "reqps": " req/s"}


def shown(value: float, unit: str, decimals: int | None = None) -> str:
    """The value with its unit. Without `decimals`, three digits that mean something."""
    if unit == "percentunit":
        return _digits(value * 100, decimals) + "%"
    if unit == "s":
        return _scaled(value, decimals, _SECONDS)
    if unit == "bytes":
        return _scaled(value, decimals, _BYTES)
    if unit == "sci":
        return f"{value:.2e}"
    if unit in _RATES:
        return _digits(value, decimals) + _RATES[unit]
    if unit.startswith("suffix:"):
        return _digits(value, decimals) + unit.removeprefix("suffix:")
    for size, name in _COUNTS if unit == "short" else ():
        if abs(value) >= size:
            return _digits(value / size, decimals) + name
    return _digits(value, decimals)


def _scaled(value: float, decimals: int | None, sizes: Sequence[tuple[float, str]]) -> str:
    size, name = next((each for each in sizes if abs(value) >= each[0]), sizes[-1])
    if value == 0:
        size, name = next(each for each in sizes if each[0] == 1)
    return f"{_digits(value / size, decimals)} {name}"


def _digits(value: float, decimals: int | None) -> str:
    if decimals is not None:
        return f"{value:.{decimals}f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    if 0 < abs(value) < 1e-4:
        return f"{value:.2e}"
    return f"{float(f'{value:.3g}'):g}"
