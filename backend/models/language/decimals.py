"""Regular expressions for the decimal numbers of a range. Light."""

from __future__ import annotations

from decimal import Decimal

PLACES = 6
"""Digits after the point that are written at most."""


def decimal_range(low: Decimal, high: Decimal, places: int) -> str:
    """A pattern for exactly the numbers from ``low`` to ``high`` with up to ``places`` digits after
    the point, without exponent, leading zeros or a negative zero. Both are multiples of
    ``10**-places`` and ``low <= high``.
    """
    grid = Decimal(1).scaleb(-places)
    parts = []
    if low < 0:
        parts.append(f"-(?:{_positive(max(-high, grid), -low, places)})")
    if high >= 0:
        parts.append(_positive(max(low, Decimal(0)), high, places))
    return "|".join(parts)


def _positive(low: Decimal, high: Decimal, places: int) -> str:
    """Numbers from ``low`` to ``high``, neither negative."""
    (first, begin), (last, end) = _split(low, places), _split(high, places)
    nothing, everything = "0" * places, "9" * places
    if first == last:
        return f"{first}{_fraction(begin, end)}"
    parts = []
    if begin != nothing:
        parts.append(f"{first}{_fraction(begin, everything)}")
        first += 1
    above = last if end == everything else last - 1
    if first <= above:
        parts.append(f"(?:{_whole(str(first), str(above))}){_fraction(nothing, everything)}")
    if end != everything:
        parts.append(f"{last}{_fraction(nothing, end)}")
    return "|".join(parts)


def _split(number: Decimal, places: int) -> tuple[int, str]:
    """The whole part, and the digits after the point."""
    scaled = int(number.scaleb(places))
    return scaled // 10**places, str(scaled % 10**places).zfill(places) if places else ""


def _whole(low: str, high: str) -> str:
    """Whole numbers without leading zeros from ``low`` to ``high``."""
    parts = []
    while len(low) < len(high):
        parts.append(_digits(low, "9" * len(low)))
        low = "1" + "0" * len(low)
    return "|".join([*parts, _digits(low, high)])


def _digits(low: str, high: str) -> str:
    """Strings of as many digits as both have, from ``low`` to ``high``."""
    if not low:
        return ""
    rest = len(low) - 1
    if low[0] == high[0]:
        return low[0] + _grouped(_digits(low[1:], high[1:]))
    first, last, parts = int(low[0]), int(high[0]), []
    if low[1:] != "0" * rest:
        parts.append(low[0] + _grouped(_digits(low[1:], "9" * rest)))
        first += 1
    if high[1:] != "9" * rest:
        last -= 1
    if first <= last:
        parts.append(f"[{first}-{last}]" + (f"[0-9]{{{rest}}}" if rest else ""))
    if high[1:] != "9" * rest:
        parts.append(high[0] + _grouped(_digits("0" * rest, high[1:])))
    return "|".join(parts)


def _fraction(low: str, high: str) -> str:
    """What may follow the whole part: a point and up to as many digits as both have, read as if
    filled up with zeros, from ``low`` to ``high``; or nothing, for zeros."""
    if not low:
        return ""
    some = "|".join(
        _between(low, high, size) for size in range(1, len(low) + 1) if _between(low, high, size)
    )
    if not low.strip("0"):
        return f"(?:\\.(?:{some}))?" if some else ""
    return f"\\.(?:{some})"


def _between(low: str, high: str, size: int) -> str:
    """Strings of ``size`` digits that, filled up with zeros, lie from ``low`` to ``high``."""
    least, most = low[:size], high[:size]
    if low[size:].strip("0"):  # the string itself, filled up, is below
        least = str(int(least) + 1).zfill(size)
    if len(least) > size or least > most:
        return ""
    return _digits(least, most)


def _grouped(pattern: str) -> str:
    return f"(?:{pattern})" if "|" in pattern else pattern
