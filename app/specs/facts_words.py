"""Facts in words: a few beside a socket, a row each where there is room."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from app.labels import figure, label
from app.words import tr
from backend.graph.facts import Facts
from backend.graph.types import title

LONGEST = 24
"""Characters of a value that stand beside a socket."""

_CHANNELS = {1: "grey", 2: "grey + alpha", 4: "RGBA"}
_SCALARS = ("Text", "Number", "Integer", "Boolean", "Color")
_INNER = (
    "identity", "patch", "frame_factor", "token_bytes", "pixel_bytes", "text_bytes", "branches",
    "told_bytes", "taken", "own_width", "own_height", "own_frames", "own_solver", "own_guider",
)  # fmt: skip
"""Facts that tell a person nothing."""


def facts_words(facts: Facts) -> str:
    """What is known of a value in a few words (``512 x 384``, ``64 x 48 · 16 ch``); empty where
    that is nothing."""
    said = list(filter(None, _short(facts)))
    if facts.is_list:
        many = tr("list") if facts.length is None else _counted(facts.length, tr("item"))
        said.insert(0, many)
    return " · ".join(said)


def link_words(facts: Facts) -> str:
    """The same with the type before it, for a link under the pointer (``Image 512 x 384``)."""
    kind = title(facts.type)
    return f"{kind[:1].upper()}{kind[1:]} {facts_words(facts)}".rstrip()


def facts_rows(facts: Facts) -> tuple[tuple[str, str], ...]:
    """All that is known, as labels and values."""
    rows = [(tr("Type"), title(facts.type))]
    if facts.is_list:
        rows.append(
            (tr("Items"), tr("not known yet") if facts.length is None else str(facts.length))
        )
    for name, value in facts.known.items():
        if name not in _INNER:
            rows.append((label(name), _value(name, value)))
    return tuple(rows)


def bytes_words(size: int) -> str:
    """A size of data: ``640 kB``, ``1.4 MB``, ``23.8 GB``."""
    for unit, power in (("GB", 9), ("MB", 6), ("kB", 3)):
        if size >= 10**power:
            return f"{size / 10**power:.3g} {unit}"
    return f"{size} B"


def _short(facts: Facts) -> Iterator[str]:
    if facts.type in _SCALARS:
        yield _quoted(facts.value)
        return
    yield from _WORDS.get(facts.type, _plain)(facts)


def _image(facts: Facts) -> Iterator[str]:
    yield _size(facts)
    yield tr(_CHANNELS[facts.channels]) if facts.channels in _CHANNELS else ""


def _latent(facts: Facts) -> Iterator[str]:
    yield _size(facts)
    yield f"{facts.channels} ch" if facts.channels else ""
    yield _counted(facts.frames, tr("frame")) if (facts.frames or 1) > 1 else ""


def _video(facts: Facts) -> Iterator[str]:
    yield _size(facts)
    yield _counted(facts.frames, tr("frame")) if facts.frames else ""
    yield f"{figure(facts.rate)} fps" if facts.rate else ""


def _audio(facts: Facts) -> Iterator[str]:
    if facts.samples and facts.rate:
        yield f"{facts.samples / facts.rate:.3g} s"
    yield f"{facts.rate / 1000:.3g} kHz" if facts.rate else ""


def _boxes(facts: Facts) -> Iterator[str]:
    yield _counted(facts.count, tr("box"), tr("boxes")) if facts.count is not None else ""
    yield _size(facts)


def _table(facts: Facts) -> Iterator[str]:
    if facts.rows is not None and facts.columns is not None:
        yield f"{facts.rows} x {facts.columns}"


def _weights(facts: Facts) -> Iterator[str]:
    yield str(facts.family) if facts.family else ""
    yield bytes_words(facts.bytes) if facts.bytes else ""


def _words(facts: Facts) -> Iterator[str]:
    yield tr("{n} prompts", n=facts.count) if (facts.count or 1) > 1 else ""
    yield _counted(facts.tokens, tr("token")) if facts.tokens else ""


def _plain(facts: Facts) -> Iterator[str]:
    yield label(str(facts.kind)) if facts.kind else ""
    yield _counted(facts.steps, tr("step")) if facts.steps else ""
    yield _size(facts)


_WORDS: Mapping[str, Callable[[Facts], Iterator[str]]] = {
    "Image": _image, "Mask": _image, "Layers": _image, "Latent": _latent, "Video": _video,
    "Motion": _video, "Audio": _audio, "Layout": _boxes, "Table": _table, "Model": _weights,
    "VAE": _weights, "TextEncoder": _weights, "LanguageModel": _weights, "Upscaler": _weights,
    "ControlNet": _weights,
    "Conditioning": _words, "Embedding": _words,
}  # fmt: skip


def _size(facts: Facts) -> str:
    width, height = facts.width, facts.height
    if width is None and height is None:
        return ""
    size = f"{'?' if width is None else width} x {'?' if height is None else height}"
    if (facts.count or 1) > 1 and facts.type != "Layout":
        return tr("{n} of {size}", n=facts.count, size=size)
    return size


def _counted(number: int, one: str, more: str = "") -> str:
    return f"{number} {one if number == 1 else more or one + 's'}"


def _quoted(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return figure(value)
    line = " ".join(str(value).split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def _value(name: str, value: object) -> str:
    if name == "bytes" and isinstance(value, int):
        return bytes_words(value)
    if isinstance(value, int | float):
        return figure(value)
    return str(value)
