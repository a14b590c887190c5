"""How alike two output files are: their pictures, sounds, tensors or bytes, not what they tell."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from backend.catalog.errors import CatalogError
from backend.catalog.header import read_header
from backend.media.apart import Decoder
from backend.media.film.load import load_film
from backend.media.grants import open_regular
from backend.media.metadata import kind_of
from backend.sdk import UserError
from backend.values import FramesGone

CLOSE = 40.0
"""The peak signal-to-noise ratio, in dB, from which files count as close: an error of a hundredth
of the range in the mean, which an eye does not see."""
CHUNK = 1 << 22
"""Values, or bytes of tensors, that are looked at in one go."""

Verdict = Literal["identical", "close", "different"]
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "<i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "<u1", "BOOL": "<u1",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Likeness:
    """A verdict and what it rests on; ``psnr`` (dB) and ``largest`` difference are ``None`` where
    no values were set against each other. ``reason`` says what cannot be compared."""

    verdict: Verdict
    psnr: float | None = None
    largest: float | None = None
    reason: str = ""


class _Gap:
    """The differences of two rows of values, seen piece by piece."""

    def __init__(self) -> None:
        self.squares = self.largest = self.peak = 0.0
        self.count = 0

    def add(self, old: Any, new: Any) -> None:
        """Take in pieces of one length; what is no number counts as infinitely far."""
        gap = np.abs(old.astype(np.float64) - new.astype(np.float64))
        gap[~np.isfinite(gap)] = math.inf
        self.squares += float(np.sum(gap * gap))
        self.largest = max(self.largest, float(gap.max(initial=0.0)))
        magnitude = np.abs(old[np.isfinite(old)])
        self.peak = max(self.peak, float(magnitude.max(initial=0.0)))
        self.count += gap.size

    def psnr(self, peak: float) -> float:
        """``10 log10(peak^2 / MSE)`` in dB: infinite where nothing differs, NaN where something
        is no number."""
        if not self.squares:
            return math.inf
        if not math.isfinite(self.squares):
            return math.nan
        if not peak:
            return -math.inf
        return 10 * math.log10(peak * peak * self.count / self.squares)


def compare(old: Path, new: Path, decoder: Decoder, check: Callable[[], None]) -> Likeness:
    """Set two files of one kind against each other.

    Pictures are compared as sRGB with a peak of 1, sounds with a peak of full scale, tensors each
    with its largest magnitude as the peak, of which the worst counts. Other files are compared
    byte by byte. Pictures and sounds are decoded in a process of their own.

    Args:
        old: The file that a person has.
        new: The one that was made again.
        decoder: Decodes both.
        check: Called again and again; may raise.

    Raises:
        UserError: one of them cannot be read.
    """
    kinds = [_kind(old), _kind(new)]
    if kinds[0] != kinds[1]:
        return Likeness(
            "different", reason=f"it is {_named(kinds[0])}, the new one {_named(kinds[1])}"
        )
    if kinds[0] == "safetensors":
        return _tensors(old, new, check)
    if kinds[0] in ("MP4", "Matroska", "GIF"):
        return _films(old, new, check)
    if kinds[0] in ("WAV", "FLAC", "MP3"):
        one, two = decoder.sound(old, check), decoder.sound(new, check)
        if one.rate != two.rate:
            return Likeness(
                "different", reason=f"it has {one.rate} samples a second, the new one {two.rate}"
            )
        return _arrays([one.samples], [two.samples], check)
    if kinds[0]:
        pages, again = decoder.images(old, check), decoder.images(new, check)
        return _arrays([page.pixels for page in pages], [page.pixels for page in again], check)
    same = all(a == b for a, b in _pairs(old, new, check))
    return Likeness("identical") if same else Likeness("different", reason="its bytes are others")


def _kind(path: Path) -> str:
    with _opened(path) as file:
        return kind_of(file)


def _named(kind: str) -> str:
    return kind or "something else"


def _opened(path: Path) -> BinaryIO:
    try:
        return open_regular(path, path.name)
    except OSError as error:
        raise UserError(f"{path.name!r} cannot be read: {error.strerror or error}.") from error


def _arrays(old: list[Any], new: list[Any], check: Callable[[], None]) -> Likeness:
    shapes = [[array.shape for array in arrays] for arrays in (old, new)]
    if shapes[0] != shapes[1]:
        sizes = [_sizes(of_one) for of_one in shapes]
        return Likeness("different", reason=f"it is {sizes[0]}, the new one {sizes[1]}")
    gap = _Gap()
    for one, two in zip(old, new, strict=True):
        flat = one.reshape(-1), two.reshape(-1)
        for start in range(0, flat[0].size, CHUNK):
            check()
            gap.add(flat[0][start : start + CHUNK], flat[1][start : start + CHUNK])
    return _judged(gap.psnr(1.0), gap.largest)


def _films(old: Path, new: Path, check: Callable[[], None]) -> Likeness:
    """Their frames, and the sound if those are alike."""
    films = [load_film(path, check=check) for path in (old, new)]
    videos = [film.video for film in films]
    if videos[0] is None or videos[1] is None:
        return Likeness("different", reason="one has no pictures")
    one, two = videos[0], videos[1]
    looks = [f"{v.width}x{v.height}x{v.channels}, {v.frames} frames" for v in (one, two)]
    if looks[0] != looks[1]:
        return Likeness("different", reason=f"it is {looks[0]}, the new one {looks[1]}")
    sounds = [film.audio for film in films]
    lengths = [(audio.channels, audio.length) for audio in sounds]
    if lengths[0] != lengths[1]:
        return Likeness("different", reason="its sound is of another length")
    gap = _Gap()
    try:
        for first, second in zip(one.chunks(CHUNK, check), two.chunks(CHUNK, check), strict=True):
            gap.add(first.pixels, second.pixels)
        heard = zip(*(a.chunks(check=check) for a in sounds if a.channels), strict=True)
        for pair in heard:
            gap.add(*pair)
    except FramesGone as error:
        raise UserError(str(error)) from error
    return _judged(gap.psnr(1.0), gap.largest)


def _sizes(shapes: list[tuple[int, ...]]) -> str:
    """In words: channels and samples of a sound; of pictures ``[count, height, width, channels]``
    width, height and channels of the first, and how many they are."""
    if len(shapes[0]) == 2:
        return f"{shapes[0][0]} x {shapes[0][1]} samples"
    _, height, width, channels = shapes[0]
    count = sum(shape[0] for shape in shapes)
    return f"{width}x{height}x{channels}" + (f", {count} pictures" if count > 1 else "")


def _judged(psnr: float, largest: float) -> Likeness:
    if psnr == math.inf:
        return Likeness("identical")
    if math.isnan(psnr):
        return Likeness("different", reason="one has values that are no numbers")
    if psnr == -math.inf:
        return Likeness("different", None, largest, "one is nothing but zeros")
    return Likeness("close" if psnr >= CLOSE else "different", round(psnr, 2), largest)


def _pairs(old: Path, new: Path, check: Callable[[], None]) -> Iterator[tuple[bytes, bytes]]:
    """The bytes of two files, piece by piece; the last pair differs where one is longer."""
    with _opened(old) as first, _opened(new) as second:
        while True:
            check()
            pair = first.read(CHUNK), second.read(CHUNK)
            yield pair
            if not (pair[0] and pair[1]):
                return


def _tensors(old: Path, new: Path, check: Callable[[], None]) -> Likeness:
    tables = [_table(path) for path in (old, new)]
    kinds = [{name: entry[:2] for name, entry in table.items()} for table in tables]
    if kinds[0] != kinds[1]:
        odd = sorted(n for n in {*kinds[0], *kinds[1]} if kinds[0].get(n) != kinds[1].get(n))
        return Likeness("different", reason=f"{len(odd)} tensors are not alike in name, type or "
                        f"shape, first {odd[0]!r}")  # fmt: skip
    worst, largest = math.inf, 0.0
    with _opened(old) as first, _opened(new) as second:
        for name, (kind, _, begin, size) in tables[0].items():
            gap = _Gap()
            first.seek(begin)
            second.seek(tables[1][name][2])
            for start in range(0, size, CHUNK):
                check()
                pair = [file.read(min(CHUNK, size - start)) for file in (first, second)]
                if pair[0] != pair[1] and (kind not in _DTYPES or len(pair[0]) != len(pair[1])):
                    return Likeness("different", reason=f"{name!r} has other bytes")
                if kind in _DTYPES:
                    gap.add(*(_numbers(raw, kind) for raw in pair))
            found, largest = gap.psnr(gap.peak), max(largest, gap.largest)
            if math.isnan(found):
                return _judged(found, largest)
            worst = min(found, worst)
    return _judged(worst, largest)


def _table(path: Path) -> dict[str, tuple[str, tuple[int, ...], int, int]]:
    """Type, shape, place in the file and length in bytes of every tensor, by name."""
    try:
        infos = read_header(path).tensors
        with _opened(path) as file:
            length = int.from_bytes(file.read(8), "little")
            raw = json.loads(file.read(length))
    except (CatalogError, ValueError) as error:
        raise UserError(str(error)) from error
    return {
        name: (info.dtype, info.shape, 8 + length + raw[name]["data_offsets"][0], info.nbytes)
        for name, info in infos.items()
    }


def _numbers(raw: bytes, kind: str) -> Any:
    values = np.frombuffer(raw, _DTYPES[kind])
    if kind == "BF16":  # the upper half of a float32
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values
