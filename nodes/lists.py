"""Lists: making them, taking from them, and making pairs of two."""

from __future__ import annotations

import builtins
import itertools
import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

from backend.graph.facts import common
from backend.sdk import Context, Facts, Range, T, UserError, facts_of, node

U = TypeVar("U")

MAX_ITEMS = 100_000
"""Items of a list that a node makes."""


class Pairs(NamedTuple, Generic[T, U]):
    """Two lists of equal length: the first and second members of pairs."""

    a: list[T]
    b: list[U]


class Numbers(NamedTuple):
    """A row of numbers, and the same as whole numbers."""

    numbers: list[float]
    integers: list[int]


@node(category="List", aliases=("collect", "gather", "array"))
def make_list(ctx: Context, *items: T) -> list[T]:
    """A list of all linked values, in the order of their links.

    A list that is linked is put in item by item.

    Example: three prompts in a list, linked to one encoder, are encoded one after the other.
    """
    return list(items)


@make_list.facts
def _(p: Any, items: tuple[Facts, ...]) -> Facts:
    return common(items).listed(len(items)) if items else Facts("*T").listed(0)


@node(category="List", aliases=("count", "sequence", "sweep", "linspace"))
def range(
    ctx: Context,
    start: Annotated[float, Range(-1e15, 1e15, 1)] = 0.0,
    step: Annotated[float, Range(-1e15, 1e15, 1)] = 1.0,
    until: Literal["count", "stop"] = "count",
    count: Annotated[int, Range(0, MAX_ITEMS, 1)] = 5,
    stop: Annotated[float, Range(-1e15, 1e15, 1)] = 4.0,
) -> Numbers:
    """A list of evenly spaced numbers.

    It begins at `start` and goes on by `step` until it has `count` numbers, or, with `until` on
    stop, as far as `stop`, which belongs to the list where a step hits it. `integers` are the same
    numbers rounded to the nearest whole one.

    Example: start 1, step 0.5, stop 3 gives 1, 1.5, 2, 2.5, 3: five guidance scales to compare.
    """
    length = _steps(start, step, until, count, stop)
    first, by = Decimal(repr(start)), Decimal(repr(step))  # 0.1 three times is 0.3 in decimal
    numbers = [float(first + by * i) for i in builtins.range(length)]
    return Numbers(numbers, [round(number) for number in numbers])


@range.facts
def _(p: Any) -> Mapping[str, Facts]:
    settings = (p.start, p.step, p.until, p.count, p.stop)
    length = None if None in settings else _steps(*settings)
    return {
        "numbers": facts_of("Number").listed(length),
        "integers": facts_of("Integer").listed(length),
    }


def _steps(start: float, step: float, until: str, count: int, stop: float) -> int:
    """How many numbers a range has."""
    if not all(map(math.isfinite, (start, step, stop))):
        raise UserError("A range is made of finite numbers; its start, step or stop is not finite.")
    if until == "stop":
        if step == 0:
            raise UserError("The step is 0, so the range never gets to its stop; change the step.")
        count = (Fraction(repr(stop)) - Fraction(repr(start))) // Fraction(repr(step)) + 1
        if count < 1:
            raise UserError(
                f"A step of {step:g} leads from {start:g} away from {stop:g}; change its sign."
            )
    if count > MAX_ITEMS:
        raise UserError(f"The range has more than {MAX_ITEMS} numbers; take a larger step.")
    return count


@node(category="List", aliases=("pair", "align"))
def zip(
    ctx: Context, a: list[T], b: list[U], shorter: Literal["refuse", "repeat", "cut"] = "refuse"
) -> Pairs[T, U]:
    """Make two lists the same length, so that their items go in pairs.

    Where one is shorter, `refuse` stops with a message, `repeat` repeats its last item, `cut` cuts
    the longer one.

    Example: four prompts and one seed, with `repeat`: each prompt with that seed.
    """
    length = _paired(len(a), len(b), shorter)
    return Pairs(_fitted(a, length), _fitted(b, length))


@zip.facts
def _(p: Any, a: Facts, b: Facts) -> Mapping[str, Facts]:
    length = None
    if a.length is not None and b.length is not None and p.shorter is not None:
        length = _paired(a.length, b.length, p.shorter)
    return {"a": a.single().listed(length), "b": b.single().listed(length)}


def _paired(first: int, second: int, shorter: str) -> int:
    if first == second:
        return first
    if shorter == "cut":
        return min(first, second)
    if shorter == "refuse":
        raise UserError(
            f"One list has {first} items and the other {second}; choose to repeat or to cut."
        )
    if not min(first, second):
        raise UserError("One list is empty, so it has no last item to repeat.")
    return max(first, second)


def _fitted(items: list[T], length: int) -> list[T]:
    """The items cut to a length, or the last one repeated up to it."""
    return items[:length] + items[-1:] * (length - len(items))


@node(category="List", aliases=("combinations", "cross", "grid", "every pair"))
def product(ctx: Context, a: list[T], b: list[U]) -> Pairs[T, U]:
    """Every item of one list with every item of the other.

    The second list runs faster: 1 x, 1 y, 2 x, 2 y.

    Example: three seeds and four guidance scales make twelve pairs, the cells of a grid.
    """
    _check_product(len(a), len(b))
    pairs = list(itertools.product(a, b))
    return Pairs([first for first, _ in pairs], [second for _, second in pairs])


@product.facts
def _(p: Any, a: Facts, b: Facts) -> Mapping[str, Facts]:
    length = None
    if a.length is not None and b.length is not None:
        length = _check_product(a.length, b.length)
    return {"a": a.single().listed(length), "b": b.single().listed(length)}


def _check_product(first: int, second: int) -> int:
    if first * second > MAX_ITEMS:
        raise UserError(
            f"{first} times {second} items make {first * second} pairs; at most {MAX_ITEMS} are "
            "made. Shorten a list."
        )
    return first * second


@node(category="List", aliases=("index", "item", "get", "element"))
def pick(
    ctx: Context, values: list[T], index: Annotated[int, Range(-MAX_ITEMS, MAX_ITEMS, 1)] = 0
) -> T:
    """One item of a list, counted from 0; -1 is the last.

    Example: index 1 of red, green, blue is green, index -1 is blue.
    """
    return values[_place(len(values), index)]


@pick.facts
def _(p: Any, values: Facts) -> Facts:
    if values.length is not None and p.index is not None:
        _place(values.length, p.index)
    return values.single()


def _place(length: int, index: int) -> int:
    if length == 0:
        raise UserError("The list is empty, so there is nothing to pick.")
    if not -length <= index < length:
        raise UserError(
            f"The list has {length} items, 0 to {length - 1} or -{length} to -1; "
            f"there is no item {index}."
        )
    return index


@node(category="List", aliases=("part", "sublist", "first", "last", "take", "skip"))
def slice(
    ctx: Context,
    values: list[T],
    start: Annotated[int, Range(-MAX_ITEMS, MAX_ITEMS, 1)] = 0,
    count: Annotated[int, Range(0, MAX_ITEMS, 1)] = MAX_ITEMS,
    step: Annotated[int, Range(1, MAX_ITEMS, 1)] = 1,
) -> list[T]:
    """A part of a list: at most `count` items from `start` on, every `step`-th.

    A negative start counts from the end. A start beyond the list gives an empty list.

    Example: start -3 takes the last three items; start 0, step 2 every other one.
    """
    return [values[i] for i in _places(len(values), start, count, step)]


@slice.facts
def _(p: Any, values: Facts) -> Facts:
    settings = (p.start, p.count, p.step)
    if values.length is None or None in settings:
        return values.single().listed()
    return values.single().listed(len(_places(values.length, *settings)))


def _places(length: int, start: int, count: int, step: int) -> builtins.range:
    return builtins.range(length)[start::step][:count]


@node(category="List", aliases=("count", "size", "how many"))
def length(ctx: Context, values: list[T]) -> int:
    """How many items a list has.

    Example: the length of an image folder, to name files `3 of 40`.
    """
    return len(values)


@length.facts
def _(p: Any, values: Facts) -> Facts:
    return facts_of("Integer", value=values.length)


@node(category="List", aliases=("backwards", "flip"))
def reverse(ctx: Context, values: list[T]) -> list[T]:
    """A list from its last item to its first.

    Example: the frames of a loop and their reverse, one after the other, play there and back.
    """
    return values[::-1]


@reverse.facts
def _(p: Any, values: Facts) -> Facts:
    return values


@node(category="List", aliases=("copies", "duplicate", "fill"))
def repeat_item(
    ctx: Context, value: T, times: Annotated[int, Range(0, MAX_ITEMS, 1)] = 2
) -> list[T]:
    """A list with the same value several times.

    Example: one image four times, to be blurred by four different amounts.
    """
    return [value] * times


@repeat_item.facts
def _(p: Any, value: Facts) -> Facts:
    return value.listed(p.times)


@node(category="List", aliases=("append", "join lists", "merge"))
def concat(ctx: Context, first: list[T], second: list[T]) -> list[T]:
    """One list after the other, as one list.

    Example: two image folders processed by one chain of nodes.
    """
    if len(first) + len(second) > MAX_ITEMS:
        raise UserError(
            f"Together the lists have {len(first) + len(second)} items; "
            f"at most {MAX_ITEMS} are made."
        )
    return first + second


@concat.facts
def _(p: Any, first: Facts, second: Facts) -> Facts:
    either = common((first.single(), second.single()))
    if first.length is None or second.length is None:
        return either.listed()
    return either.listed(first.length + second.length)
