"""References of general300 that can be computed, each from an expression."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from datetime import date, timedelta
from fractions import Fraction

COMPUTED: Mapping[str, int | float | str | Fraction] = {
    "easy-apples-in-crates": 6 * 24,
    "easy-bus-passengers": 31 - 9 + 4,
    "easy-ribbon-pieces": 90 // 15,
    "easy-change-from-twenty": 20 - 13,
    "easy-half-of-ninety-four": 94 // 2,
    "easy-seven-times-eight": 7 * 8,
    "easy-hundred-minus-thirty-seven": 100 - 37,
    "easy-three-hours-in-minutes": 3 * 60,
    "easy-quarter-of-sixty": 60 // 4,
    "easy-five-dozen-eggs": 5 * 12,
    "easy-square-perimeter": 4 * 9,
    "easy-legs-in-the-yard": 3 * 4 + 5 * 2,
    "easy-round-to-ten": round(468, -1),
    "easy-ten-more": 395 + 10,
    "easy-four-teams": 28 // 4,
    "medium-jacket-discount": 80 * 85 // 100,
    "medium-drive-average-speed": 210 / Fraction(5, 2),
    "medium-floor-area": Fraction(25, 2) * 8,
    "medium-flour-for-ten": Fraction(350, 4) * 10,
    "medium-mean-of-four": Fraction(14 + 18 + 25 + 31, 4),
    "medium-parts-of-two-numbers": Fraction(2, 3) * 84 + Fraction(95, 5),
    "medium-order-of-operations": 18 - Fraction(4 * (7 - 5), 2),
    "medium-marbles-in-ratio": 48 * 5 // 8,
    "medium-taxi-fare": 4 + Fraction(180, 100) * 15,
    "medium-temperature-swings": -7 + 12 - 9,
    "medium-prime-after-ninety": next(n for n in range(91, 200) if all(n % d for d in range(2, n))),
    "medium-common-multiple": math.lcm(12, 18),
    "medium-sum-of-fractions": Fraction(3, 8) + Fraction(1, 4),
    "medium-days-to-april": (date(2023, 4, 5) - date(2023, 3, 12)).days,
    "medium-percentage-increase": Fraction(800 - 640, 640) * 100,
    "hard-three-digit-product": 237 * 48,
    "hard-compound-interest": 2000 * Fraction(105, 100) ** 3,
    "hard-two-pumps": 1 / (Fraction(1, 15) + Fraction(1, 10)),
    "hard-sum-of-even-numbers": sum(range(2, 121, 2)),
    "hard-dilute-a-solution": Fraction(6 * 20, 8) - 6,
    "hard-handshakes": math.comb(14, 2),
    "hard-two-dice-nine": Fraction(sum(a + b == 9 for a in range(1, 7) for b in range(1, 7)), 36),
    "hard-power-remainder": pow(2, 50, 7),
    "hard-common-divisor": math.gcd(252, 198),
    "hard-hexadecimal-2f": int('2F', 16),
    "hard-binary-of-45": int(f'{45:b}'),
    "hard-price-before-changes": 162 / (Fraction(120, 100) * Fraction(75, 100)),
    "hard-round-trip-speed": 2 / (Fraction(1, 12) + Fraction(1, 24)),
    "hard-trailing-zeros": len(str(math.factorial(60))) - len(str(math.factorial(60)).rstrip('0')),
    "hard-letters-of-level": len(set(itertools.permutations('LEVEL'))),
}
