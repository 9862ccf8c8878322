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
    "hard-hexadecimal-2f": int("2F", 16),
    "hard-binary-of-45": int(f"{45:b}"),
    "hard-price-before-changes": 162 / (Fraction(120, 100) * Fraction(75, 100)),
    "hard-round-trip-speed": 2 / (Fraction(1, 12) + Fraction(1, 24)),
    "hard-trailing-zeros": len(str(math.factorial(60))) - len(str(math.factorial(60)).rstrip("0")),
    "hard-letters-of-level": len(set(itertools.permutations("LEVEL"))),
    "easy-from-tall-to-short": ", ".join(
        next(
            p
            for p in itertools.permutations(["Ann", "Ben", "Cara"])
            if p.index("Ann") < p.index("Ben") < p.index("Cara")
        )
    ),
    "easy-counting-by-five": 20 + (20 - 15),
    "easy-day-after-today": (date(2023, 1, 2) + timedelta(days=2)).strftime("%A"),
    "easy-from-right-to-left": ", ".join(("cup", "plate", "bowl")[::-1]),
    "easy-children-in-the-family": 1 + 2 + 1,
    "easy-three-days-before-sunday": (date(2023, 1, 8) - timedelta(days=3)).strftime("%A"),
    "easy-every-second-letter": chr(ord("H") + 2),
    "easy-how-many-are-odd": sum(n % 2 for n in (12, 15, 18, 21, 35)),
    "easy-after-the-last-of-april": f"{(date(2023, 4, 30) + timedelta(days=1)).day} May",
    "easy-between-two-numbers": next(n for n in range(53, 54)),
    "medium-weekday-in-march": (date(2022, 3, 1) + timedelta(days=19)).strftime("%A"),
    "medium-growing-steps": 12 + (12 - 8) + 1,
    "medium-products-of-neighbours": 6 * 7,
    "medium-order-of-arrival": ", ".join(
        next(
            p
            for p in itertools.permutations(["Dana", "Eli", "Finn", "Gus"])
            if p.index("Dana") < p.index("Eli") < p.index("Gus") < p.index("Finn")
        )
    ),
    "medium-candles-left": 12 - (12 - 5),
    "medium-neither-sport": 30 - (18 + 15 - 8),
    "medium-hands-at-four": 360 * 4 // 12,
    "medium-next-letter-code": "".join(chr(ord(c) + 1) for c in "DOG"),
    "medium-north-then-east": math.isqrt(3**2 + 4**2),
    "hard-island-of-liars": next(
        ("Ada", "Bo")[(not a) and b]
        for a in (True, False)
        for b in (True, False)
        if a == ((not a) and (not b)) and a != b
    ),
    "hard-painted-cube": sum(sum(c in (0, 3) for c in p) == 2 for p in itertools.product(range(4), repeat=3)),
    "hard-heavy-coin": math.ceil(math.log(9, 3) - 1e-9),
    "hard-socks-in-the-dark": 3 + 1,
    "hard-look-and-say": int("".join(f"{len(list(g))}{d}" for d, g in itertools.groupby("1211"))),
    "hard-sundays-of-a-month": sum((date(2021, 10, 1) + timedelta(days=d)).weekday() == 6 for d in range(31)),
    "hard-climbing-snail": next(day for day in range(1, 99) if (day - 1) + 3 >= 10),
    "hard-row-of-houses": next(
        p
        for p in itertools.permutations(["red", "blue", "green", "white", "yellow"])
        if p[0] == "blue" and p[1] == "red" and p[2] == "yellow" and p.index("green") > p.index("white")
    )[-1],
    "hard-wrong-labels": next(
        p
        for p in itertools.permutations(["nuts", "raisins", "mixed"])
        if p[0] != "nuts" and p[1] != "raisins" and p[2] == "nuts"
    )[1],
    "hard-swapped-digits": next(
        n for n in range(10, 100) if sum(map(int, str(n))) == 11 and int(str(n)[::-1]) == n + 27
    ),
    "hard-mother-and-daughter": next(d for d in range(1, 99) if 4 * d + 20 == 2 * (d + 20)),
    "easy-three-lighthouses": " ".join(["lighthouse"] * 3),
    "easy-colours-backwards": ", ".join(reversed(["red", "green", "blue"])),
    "easy-count-to-seven": ", ".join(map(str, range(3, 8))),
    "easy-cat-becomes-dog": "The cat sleeps on the mat".replace("cat", "dog").removeprefix("The "),
    "easy-numbers-in-order": ", ".join(map(str, sorted([9, 2, 7, 4]))),
    "easy-sun-and-rise": "sun" + "rise",
    "easy-please-at-the-end": "open the window" + " please",
    "easy-evening-greeting": "good morning".replace("morning", "evening"),
    "easy-letters-after-c": ", ".join("ABCDEFG"[3:6]),
    "easy-bird-and-bird": " and ".join(["bird"] * 2),
    "easy-drop-the-second-word": " ".join(
        w for i, w in enumerate(["warm", "bright", "summer", "day"]) if i != 1
    ),
    "easy-even-numbers-below-ten": ", ".join(str(n) for n in range(2, 9) if n % 2 == 0),
    "medium-stream-backwards": "stream"[::-1],
    "medium-words-in-a-sentence": len(
        ["The", "quiet", "river", "winds", "slowly", "past", "old", "stone", "mills."]
    ),
    "medium-sorted-by-length": ", ".join(sorted(["tower", "ant", "castle", "door"], key=len)),
    "medium-initials-of-a-union": "".join(
        w[0] for w in ["National", "Union", "of", "Careful", "Bakers"] if w[0].isupper()
    ),
    "medium-planet-without-vowels": "".join(c for c in "planet" if c not in "aeiou"),
    "medium-third-letters": ", ".join(w[2] for w in ("river", "cloud", "stamp")),
    "medium-ends-swapped": "cats" + " chase playful " + "dogs",
    "medium-letter-count-beekeeper": "beekeeper".count("e"),
    "medium-every-other-tree": ", ".join(["ash", "birch", "cedar", "fir", "oak", "pine"][::2]),
    "medium-given-name-first": " ".join(reversed(["Okafor", "Ngozi"])),
    "medium-five-names-sorted": ", ".join(sorted(["Mona", "Abel", "Iris", "Zeno", "Cleo"])),
    "hard-sentence-backwards": " ".join(
        reversed(["we", "planted", "seven", "young", "trees", "near", "school"])
    ),
    "hard-three-places-on": "".join(chr(ord(c) + 3) for c in "maple"),
    "hard-hidden-in-the-initials": "".join(
        w[0] for w in ["many", "owls", "rest", "near", "ivy", "nests", "gladly"]
    ),
    "hard-sorted-by-last-letter": ", ".join(sorted(["lamp", "boat", "sofa", "desk"], key=lambda w: w[-1])),
    "hard-every-third-letter": "".join(c for i, c in enumerate("watermelon", 1) if i not in (3, 6, 9)),
    "hard-words-of-four-letters": sum(
        len(w.strip(".")) == 4
        for w in ["A", "tiny", "boat", "crossed", "the", "wide", "bay", "before", "dark", "night", "came."]
    ),
    "hard-interleaved-animals": "".join(a + b for a, b in zip("cat", "dog", strict=True)),
    "hard-letters-that-occur-once": "".join(c for c in "balloon" if "balloon".count(c) == 1),
    "hard-multiples-downwards": ", ".join(str(n) for n in range(20, 0, -1) if n % 3 == 0),
    "hard-vowels-move-on": "basket".translate(str.maketrans("aeiou", "eioua")),
    "hard-consonants-decide": "harvest"[:3]
    if sum(c not in "aeiou" for c in "harvest") > sum(c in "aeiou" for c in "harvest")
    else "harvest"[-3:],
    "hard-letters-from-places": "cabin"[1] + "storm"[2] + "lemon"[0],
    "easy-parcel-for-the-baker": max(3, 8),
    "medium-shop-hours": (17 - 4) - (9 + 1),
    "medium-trees-in-the-park": 24 - 9 + 5,
    "medium-library-rule": 2 * 7,
    "medium-price-of-the-boat": (700 + 850) // 2,
    "hard-two-deliveries": next(d for d in range(3, 31) if (d - 2) % 6 == 0 and (d - 2) % 4 == 0),
    "hard-not-all-of-them": 40 // 2 // 4 + (40 - 40 // 2) // 10,
    "hard-owner-of-the-white-car": next(
        p for p in itertools.permutations(["Bea", "Carl", "Ewa"]) if p[2] != "Bea" and p[0] == "Carl"
    )[1],
    "hard-half-past-the-plan": 20 - 10,
    "hard-nobody-but-the-twins": 22 - 2 - 1,
    "hard-unless-it-thaws": 1 + 14,
}
