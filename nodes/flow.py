"""Flow: choosing between branches, and running a part of a graph several times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from backend.graph.facts import common
from backend.sdk import Context, Facts, Range, T, UserError, node

U = TypeVar("U")

MAX_TURNS = 10_000
"""How often a zone may repeat."""


@node(category="Flow", aliases=("if", "condition", "branch", "toggle"))
def switch(ctx: Context, yes: T, no: T, which: bool = True) -> T:
    """One of two values; only the branch that is chosen runs.

    Example: link the upscaled image to yes and the plain one to no; with `which` off nothing is
    upscaled and no time is spent.
    """
    return yes if which else no


@switch.needs
def _(p: Any, known: Mapping[str, Any]) -> set[str]:
    return {"yes" if p.which else "no"}


@switch.facts
def _(p: Any, yes: Facts, no: Facts) -> Facts:
    if p.which is None:
        return common((yes, no))
    return yes if p.which else no


@node(category="Flow", aliases=("choose", "case", "multi switch", "index switch"))
def select(ctx: Context, *choices: T, index: Annotated[int, Range(0, 1000, 1)] = 0) -> T:
    """One of several values by its number, counted from 0; only the chosen branch runs.

    Example: three ways to sharpen linked in a row; `index` decides which one is used.
    """
    return choices[_choice(len(choices), index)]


@select.needs
def _(p: Any, known: Mapping[str, Any]) -> set[str]:
    return {f"choices.{p.index}"}


@select.facts
def _(p: Any, choices: tuple[Facts, ...]) -> Facts:
    if not choices:
        return Facts("*T")
    if p.index is None:
        return common(choices)
    return choices[_choice(len(choices), p.index)]


def _choice(count: int, index: int) -> int:
    if count == 0:
        raise UserError("Nothing is linked to choose from; link at least one value.")
    if not 0 <= index < count:
        raise UserError(f"There are {count} choices, 0 to {count - 1}; there is no choice {index}.")
    return index


@node(category="Flow", zone=True, aliases=("loop", "map", "iterate", "foreach"))
def for_each(ctx: Context, items: dict[str, T], carry: dict[str, U] | None = None) -> None:
    """Run the nodes inside once for every item of a list.

    The nodes inside read the item under its name, `index` (from 0) and `count`. Several lists run
    side by side and have the same length. What the inside gives comes out as a list with one value
    for each item. A carried value goes from turn to turn: the inside gives its next value under
    the same name, and the last one comes out.

    Example: items image = a folder of images; inside, resize `$.image` and put `$.index` on it;
    out comes the list of the finished images.
    """
    raise UserError("A for-each zone is run by the engine, not called.")


@node(category="Flow", zone=True, aliases=("loop", "iterate", "times", "feedback"))
def repeat(
    ctx: Context,
    carry: dict[str, T] | None = None,
    times: Annotated[int, Range(0, MAX_TURNS, 1)] = 4,
) -> None:
    """Run the nodes inside several times, each turn with the result of the turn before.

    The nodes inside read a carried value under its name, `index` (from 0) and `count`. What the
    inside gives under the name of a carried value is its value in the next turn; the last one comes
    out. Everything else that it gives comes out as a list with one value for each turn. A yes under
    the name `stop` ends the repeat after that turn.

    Example: carry image = a photo, 4 times; inside, blur `$.image` and give it as `image`: out
    comes the photo blurred four times.
    """
    raise UserError("A repeat zone is run by the engine, not called.")


@node(category="Flow", effect=True, aliases=("inspect", "view", "debug", "print"))
def show(ctx: Context, value: T) -> T:
    """Show a value on the node, and pass it on as it is.

    Example: put it behind an expression to see the number that the sampler gets.
    """
    return value


@show.facts
def _(p: Any, value: Facts) -> Facts:
    return value
