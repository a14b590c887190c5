"""Numbers under the hand: how a drag moves them, what is typed, and how full a range is."""

from __future__ import annotations

import math
import re

from app.labels import label
from backend.graph.expressions import ExpressionError, evaluate
from backend.graph.params import Unfit, canonical
from backend.graph.spec import Param

SLIDER_STEPS = 500
"""A range of more steps than this is no slider: one pixel would be too many of them."""

PIXELS = 4.0
"""How far the hand goes for one step of a number without a slider."""

COARSE, FINE = 10.0, 0.1
"""What Ctrl and Shift make of a step."""

_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")


def step_of(param: Param) -> float:
    """How far an arrow key moves a number; 1 where nothing is said."""
    return param.step or (1.0 if param.kind != "number" else 0.1)


def is_slider(param: Param) -> bool:
    """Whether a number has a range that a hand can aim into."""
    if param.kind not in ("number", "integer") or param.minimum is None or param.maximum is None:
        return False
    return 0 < (param.maximum - param.minimum) / step_of(param) <= SLIDER_STEPS


def share(param: Param, value: float) -> float | None:
    """How much of its range a number fills, 0 to 1, or ``None`` where it has no slider."""
    if not is_slider(param) or param.minimum is None or param.maximum is None:
        return None
    return min(1.0, max(0.0, (value - param.minimum) / (param.maximum - param.minimum)))


def bounded(param: Param, value: float) -> float | int:
    """The nearest number that the parameter can have."""
    low = -math.inf if param.minimum is None else param.minimum
    high = math.inf if param.maximum is None else param.maximum
    held = min(max(value, low), high)
    return float(held) if param.kind == "number" else round(held)


def stepped(param: Param, value: float, steps: float, scale: float = 1.0) -> float | int:
    """A number moved by steps, kept in its range and free of the dust of binary fractions.

    ``scale`` is ``COARSE``, ``FINE`` or 1. Whole numbers move by at least one.
    """
    step = step_of(param) * scale
    if param.kind != "number":
        step = max(1.0, round(step))
        return bounded(param, value + round(steps) * step)
    moved = value + round(steps) * step
    return bounded(param, round(moved, _digits(value, step)))


def dragged(
    param: Param, start: float, pixels: float, width: float, scale: float = 1.0
) -> float | int:
    """A number after the hand went ``pixels`` to the right from where it stood at ``start``.

    Over a slider of ``width`` pixels the number goes with the hand; else it takes a step every few
    pixels.
    """
    if is_slider(param) and param.minimum is not None and param.maximum is not None:
        steps = pixels / max(1.0, width) * (param.maximum - param.minimum) / step_of(param)
        if scale == COARSE:
            steps /= COARSE  # as far as without it, but in larger steps: it snaps
    else:
        steps = pixels / PIXELS
    if scale == FINE and param.kind != "number":
        steps *= FINE  # a whole number cannot move by less than one, so the hand goes farther
    return stepped(param, start, steps, scale)


def typed(param: Param, text: str, present: float) -> float | int:
    """The number that was typed: plain, or an expression in which ``x`` is the present one.

    Raises:
        ValueError: it is none, or the parameter cannot have it; the message is a sentence.
    """
    if _COMMA.fullmatch(text):
        text = text.replace(",", ".")
    try:
        found = evaluate(text, {"x": present})
        if param.kind != "number" and not isinstance(found, bool):
            found = round(found)
        number = canonical(param, float(found) if param.kind == "number" else int(found))
    except ExpressionError as error:
        raise ValueError(str(error)) from None
    except Unfit as unfit:
        raise ValueError(f"{label(param.name)} {unfit.said}.") from None
    return int(number) if param.kind != "number" else float(number)


def written(value: float) -> str:
    """A number as it is typed again: every digit of it, and no ``.0``."""
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return str(int(value))
    return repr(value)


def _digits(value: float, step: float) -> int:
    return min(12, max(_places(step), _places(value)))


def _places(value: float) -> int:
    text = f"{value:.10f}".rstrip("0")
    return len(text.partition(".")[2])
