"""Settings as text and as values."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

from backend.settings.declared import Declaration

_UNITS = {"": 1, "B": 1}
_UNITS |= {f"{name}iB": 1024**power for power, name in enumerate("KMGTP", 1)}
_UNITS |= {f"{name}B": 1000**power for power, name in enumerate("KMGTP", 1)}
_SIZE = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,6})?)\s*((?:[KMGTP]i?)?B)?", re.IGNORECASE)
_YES = {"true": True, "yes": True, "on": True, "1": True,
        "false": False, "no": False, "off": False, "0": False}  # fmt: skip


class SettingError(Exception):
    """A setting is wrong; the text is a sentence that says which, where and what to write."""


def read_size(text: str) -> int:
    """Bytes of ``20GiB``, ``500 MB`` or ``1024``.

    Raises:
        ValueError: it is no size.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError("write a size such as 20GiB or 500MB")
    units = {name.lower(): factor for name, factor in _UNITS.items()}
    return int(Decimal(match[1]) * units[(match[2] or "").lower()])


def show_size(size: int) -> str:
    """Bytes as people write them, and as ``read_size`` reads them back without loss."""
    for name, factor in reversed(_UNITS.items()):
        if name.endswith("iB") and size >= factor and size % factor == 0:
            return f"{size // factor}{name}"
    return f"{size}B" if size else "0"


def read_value(declaration: Declaration, given: Any) -> Any:
    """The value of a setting from a TOML value, or from text where ``given`` is text.

    Raises:
        ValueError: it is of the wrong kind or out of bounds; the text says what to write.
    """
    kind = declaration.kind
    if kind == "text":
        if not isinstance(given, str) or "\0" in given:
            raise ValueError("write a text")
        *others, last = declaration.choices or (given,)
        if given not in (*others, last):
            raise ValueError(f"write {', '.join(others)} or {last}")
        if declaration.form and not re.fullmatch(declaration.form, given):
            raise ValueError(declaration.told)
        return given
    if kind == "texts":
        row = given.split(_separator()) if isinstance(given, str) else given
        if not isinstance(row, list | tuple) or not all(isinstance(each, str) for each in row):
            raise ValueError("write a list of texts")
        return tuple(each for each in row if each)
    if kind == "yes":
        return _yes(given)
    return _bounded(declaration, _number(declaration, given))


def show_value(declaration: Declaration, value: Any) -> str:
    """A value as ``read_value`` reads it."""
    if declaration.kind == "size":
        return show_size(value)
    if declaration.kind == "texts":
        return _separator().join(value)
    if declaration.kind == "yes":
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _separator() -> str:
    import os

    return os.pathsep


def _yes(given: Any) -> bool:
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and given.lower() in _YES:
        return _YES[given.lower()]
    raise ValueError("write true or false")


def _number(declaration: Declaration, given: Any) -> int | float:
    kind = declaration.kind
    if isinstance(given, bool):
        raise ValueError("write a number")
    if kind == "size" and isinstance(given, str):
        return read_size(given)
    try:
        number = float(given)
        whole = int(given) if kind != "number" else 0
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            "write a whole number" if kind == "integer" else "write a number"
        ) from None
    if not math.isfinite(number) or (kind != "number" and number != whole):
        raise ValueError("write a whole number" if kind != "number" else "write a finite number")
    return number if kind == "number" else whole


def _bounded(declaration: Declaration, value: int | float) -> int | float:
    low, high = declaration.low, declaration.high
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = [f"at least {_shown(declaration, low)}"] if low is not None else []
        bounds += [f"at most {_shown(declaration, high)}"] if high is not None else []
        raise ValueError(f"write {' and '.join(bounds)}")
    return value


def _shown(declaration: Declaration, bound: float) -> str:
    return show_size(int(bound)) if declaration.kind == "size" else f"{bound:g}"
