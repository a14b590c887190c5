"""The one table of conversions that happen on a link by themselves: few, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from backend.graph.facts import Facts, facts_of

if TYPE_CHECKING:  # numpy comes with them, and the table is asked before there is any value
    from backend.values import Image, Mask


@dataclass(frozen=True, slots=True)
class Conversion:
    """One row: ``value`` converts a value (no list), ``facts`` what is known of it."""

    name: str
    source: str
    target: str
    value: Callable[[Any], Any]
    facts: Callable[[Facts], Facts]


def text_of(value: bool | int | float) -> str:
    """A scalar as text: ``true``, ``3``, whole numbers without ``.0``, else the shortest exact."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value)


def _scalar(source: str, target: str, change: Callable[[Any], Any]) -> Conversion:
    def facts(known: Facts) -> Facts:
        return Facts(target) if known.value is None else facts_of(target, value=change(known.value))

    return Conversion(f"{source}->{target}", source, target, change, facts)


def _grey(mask: Mask) -> Image:
    from backend.values import Image

    return Image(mask.coverage[..., None], "linear")


def _grey_facts(known: Facts) -> Facts:
    return facts_of("Image", width=known.width, height=known.height, channels=1, count=known.count)


CONVERSIONS: Mapping[str, Conversion] = MappingProxyType(
    {
        row.name: row
        for row in (
            _scalar("Integer", "Number", float),
            _scalar("Integer", "Text", text_of),
            _scalar("Number", "Text", text_of),
            _scalar("Boolean", "Text", text_of),
            _scalar("Boolean", "Number", float),
            Conversion("Mask->Image", "Mask", "Image", _grey, _grey_facts),
        )
    }
)


def convert(name: str, value: Any) -> Any:
    """A value after a conversion; of a list, each item."""
    change = CONVERSIONS[name].value
    return [change(item) for item in value] if isinstance(value, list) else change(value)


def convert_facts(name: str, known: Facts) -> Facts:
    """What is known after a conversion; a list stays a list."""
    changed = CONVERSIONS[name].facts(known.single())
    return changed.listed(known.length) if known.is_list else changed


def find_conversion(source: str, target: str) -> str | None:
    """The name of the row that leads from one type to another, or ``None``."""
    name = f"{source}->{target}"
    return name if name in CONVERSIONS else None
