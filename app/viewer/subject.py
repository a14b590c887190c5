"""What the viewer looks at, and the words for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from app.words import tr
from backend.values import (
    Audio,
    Color,
    Conditioning,
    Float32,
    Image,
    Latent,
    Layers,
    Layout,
    Mask,
    Schedule,
    Video,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Kind = Literal[
    "picture", "video", "sound", "text", "figure", "colour", "numbers", "parts", "nothing"
]

_MANY = 10_000
"""Rows of a table that are shown."""


@dataclass(frozen=True, eq=False, slots=True)
class Subject:
    """A value with what is known of it.

    ``title`` names the output (``Decode · image``), ``type`` is its socket type, ``job`` the run
    that it is of (``job 11``), ``is_stale`` says that the graph has changed since, ``file`` is the
    output file that it was read from or saved in, ``sound`` what is heard with a video.
    """

    value: object
    title: str = ""
    type: str = ""
    job: str = ""
    is_stale: bool = False
    file: Path | None = None
    sound: Audio | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table of parts: its name, what it is, and its range or value."""

    name: str
    shape: str
    value: str


def kind_of(value: object) -> Kind:
    """How a value is shown."""
    first = _first(value)
    if value is None or first is None:
        return "nothing"
    if isinstance(first, Image | Mask | Latent | Layout | Layers):
        return "picture"
    if isinstance(value, Video):
        return "video"
    if isinstance(value, Audio):
        return "sound"
    if isinstance(first, str):
        return "text"
    if _is_number(first) and _is_list(value):
        return "numbers"
    if isinstance(first, bool | int | float) and not _is_list(value):
        return "figure"
    if isinstance(first, Color) and not _is_list(value):
        return "colour"
    if isinstance(value, Schedule) and value.sigmas:
        return "numbers"
    return "parts"


def numbers_of(value: object) -> tuple[float, ...]:
    """The numbers of a list, or the noise levels of a schedule."""
    if isinstance(value, Schedule):
        return value.sigmas
    if isinstance(value, Sequence):
        return tuple(float(each) for each in value if _is_number(each))
    return ()


def text_of(value: object) -> str:
    """A text, or the texts of a list with an empty line between them."""
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return "\n\n".join(each for each in value if isinstance(each, str))
    return ""


def rows_of(value: object) -> tuple[Row, ...]:
    """The parts of a value that is no picture: tensors with shape and range, settings, items."""
    if isinstance(value, Conditioning):
        rows = [
            Row(name, shape_words(each), range_words(each)) for name, each in value.tensors.items()
        ]
        rows += [Row(name, "", figure_words(each)) for name, each in value.params.items()]
        rows += [
            Row(
                tr("from {share} %", share=round(phase.begin * 100)),
                "",
                words_of(phase.conditioning),
            )
            for phase in value.later
        ]
        return tuple(rows)
    if isinstance(value, Video):
        size = f"{value.width} x {value.height}"
        return (
            Row(tr("frames"), str(value.frames), tr("{n} s", n=f"{value.seconds:.2f}")),
            Row(tr("size"), size, tr("{n} channels", n=value.channels)),
            Row(tr("rate"), "", tr("{n} a second", n=f"{value.rate:g}")),
        )
    if isinstance(value, Audio):
        if not isinstance(value.source, np.ndarray):  # it lies in a file: say it, read nothing
            size = f"{value.channels} x {value.length}"
            return (Row(tr("samples"), size, tr("{n} s", n=f"{value.seconds:.2f}")),)
        return (Row(tr("samples"), shape_words(value.samples), range_words(value.samples)),)
    if _is_list(value):
        assert isinstance(value, Sequence)
        return tuple(
            Row(str(number), type(each).__name__, words_of(each))
            for number, each in enumerate(value[:_MANY], 1)
        )
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(_field_rows(value))
    return (Row("", type(value).__name__, figure_words(value)),)


def words_of(value: object) -> str:
    """A value in one line: ``512 x 384 · 3 channels``, ``2 texts``, ``77 x 768, -28.1 to 33.0``."""
    if isinstance(value, Image):
        size = f"{value.width} x {value.height} · " + tr("{n} channels", n=value.channels)
        return size if value.count == 1 else tr("{n} of {size}", n=value.count, size=size)
    if isinstance(value, Mask):
        size = f"{value.width} x {value.height}"
        return size if value.count == 1 else tr("{n} of {size}", n=value.count, size=size)
    if isinstance(value, Layout):
        size, count = f"{value.width} x {value.height}", len(value.boxes)
        return (
            tr("1 box in {size}", size=size)
            if count == 1
            else tr("{n} boxes in {size}", n=count, size=size)
        )
    if isinstance(value, Layers):
        size = f"{value.width} x {value.height}"
        return f"{size} · " + tr("{n} layers", n=value.count)
    if isinstance(value, Latent):
        return f"{shape_words(value.samples)} · {value.space} · {range_words(value.samples)}"
    if isinstance(value, Conditioning):
        shapes = ", ".join(shape_words(each) for each in value.tensors.values())
        return f"{value.space} · {shapes}" if shapes else value.space
    if isinstance(value, Color):
        return value.hex()
    if isinstance(value, str):
        return tr("{n} characters", n=len(value))
    if _is_list(value):
        assert isinstance(value, Sequence)
        return tr("A list of {n}", n=len(value))
    if isinstance(value, bool | int | float):
        return figure_words(value)
    family = getattr(value, "family", "") or getattr(value, "kind", "")
    return str(family) or type(value).__name__


def shape_words(array: Float32) -> str:
    """The sides of an array: ``1 x 77 x 768``."""
    return " x ".join(str(side) for side in array.shape)


def range_words(array: Float32) -> str:
    """From the lowest to the highest number, and how many are none."""
    finite = array[np.isfinite(array)]
    bad = array.size - finite.size
    said = tr("no numbers")
    if finite.size:
        said = tr("{low} to {high}", low=f"{finite.min():.4g}", high=f"{finite.max():.4g}")
    return said + (" · " + tr("{n} are not finite", n=bad) if bad else "")


def figure_words(value: object) -> str:
    """A scalar as people read it."""
    if isinstance(value, bool):
        return tr("Yes") if value else tr("No")
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple):
        return ", ".join(figure_words(each) for each in value)
    return tr("none") if value is None else str(value)


def _field_rows(value: DataclassInstance) -> list[Row]:
    rows: list[Row] = []
    for field in fields(value):
        held = getattr(value, field.name)
        if isinstance(held, np.ndarray):
            rows.append(Row(field.name, shape_words(held), range_words(held)))
        elif isinstance(held, Mapping):
            rows += [
                Row(f"{field.name}.{key}", "", figure_words(each)) for key, each in held.items()
            ]
        elif isinstance(held, tuple) and held and is_dataclass(held[0]):
            rows += [
                Row(f"{field.name} {number}", type(each).__name__, words_of(each))
                for number, each in enumerate(held, 1)
            ]
        elif is_dataclass(held) and not isinstance(held, type):
            rows.append(Row(field.name, type(held).__name__, words_of(held)))
        elif held not in ("", (), None):
            rows.append(Row(field.name, "", figure_words(held)))
    return rows


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _first(value: object) -> object:
    while isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if not value:
            return None
        value = value[0]
    return value
