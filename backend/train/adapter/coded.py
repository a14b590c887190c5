"""A training set as latents: encoded once, grouped by size, and kept beside the checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import blake3
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from backend.catalog.errors import CatalogError
from backend.catalog.header import read_header
from backend.media.images import probe_image, read_image
from backend.models.family import describe
from backend.train.adapter.sets import Example
from backend.train.tuning import Pupil
from backend.values import Box, Image
from backend.values.layout import BadBoxes, placed

AT_ONCE = 2**22
"""Pixels of pictures that are read together."""


@dataclass(frozen=True, eq=False)
class Group:
    """Examples of one size: ``latents`` float16 ``[n, c, h, w]``, their captions, and for each
    picture beside them latents ``[n, c, h, w]`` of a size of their own; the boxes of each, as they
    lie in the picture that was cut."""

    latents: np.ndarray
    captions: tuple[str, ...]
    references: tuple[np.ndarray, ...]
    boxes: tuple[tuple[Box, ...], ...] = ()


def code(
    pupil: Pupil,
    examples: Sequence[Example],
    size: int,
    folder: Path,
    check: Callable[[int, int], None],
    panels: int = 1,
) -> tuple[Group, ...]:
    """The examples as latents, those in ``folder`` if they are of the same files and settings.

    Every picture is scaled and cut at its edges to the nearest sides of ``size * size`` pixels in
    all that the model can make. ``check(done, all)`` is called before each few. Pictures to learn
    are ``panels`` side by side, of which each has that area; those beside them are single.

    Raises:
        UserError: a picture cannot be read.
    """
    groups: dict[tuple[tuple[int, int], ...], list[Example]] = {}
    for each in examples:
        beside = (_sides(pupil, path, size) for path in each.references)
        sides = (_sides(pupil, each.picture, size, panels), *beside)
        groups.setdefault(sides, []).append(each)
    found, done = [], 0
    for number, (sides, members) in enumerate(groups.items()):
        path = folder / f"latents-{number}.safetensors"
        said = _digest(pupil, members, sides, partial(check, done, len(examples)))
        held = _held(path, said)
        if held is None:
            parts = []
            few = max(1, AT_ONCE // (sides[0][0] * sides[0][1]))
            for first in range(0, len(members), few):
                check(done + first, len(examples))
                parts.append(_encoded(pupil, members[first : first + few], sides))
            held = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            _write(path, held, said)
        done += len(members)
        references = tuple(held[f"reference{k}"] for k in range(1, len(sides)))
        captions = tuple(each.caption for each in members)
        boxes = tuple(_boxes_in(each, sides[0]) for each in members)
        found.append(Group(held["picture"], captions, references, boxes))
    return tuple(found)


def _boxes_in(example: Example, size: tuple[int, int]) -> tuple[Box, ...]:
    """The boxes of an example in the picture that ``fitted`` cuts; what was cut off is gone."""
    if not example.boxes:
        return ()
    wide, high = _shape(example.picture)
    scale = max(size[0] / wide, size[1] / high)
    across, down = wide * scale / size[0], high * scale / size[1]
    found = []
    for box in example.boxes:
        x, y = (box.x - 0.5) * across + 0.5, (box.y - 0.5) * down + 0.5
        with suppress(BadBoxes):
            found.append(placed(x, y, box.width * across, box.height * down, box.caption, "box"))
    return tuple(found)


def _sides(pupil: Pupil, path: Path, size: int, panels: int = 1) -> tuple[int, int]:
    """Width and height at which a picture is learnt: its shape, with the area of the square for
    each panel, and sides that the model can take."""
    wide, high = _shape(path)
    wide /= panels
    multiple = describe(pupil.refs.model).geometry.multiple
    scale = size / (wide * high) ** 0.5 / multiple
    width, height = (max(1, round(side * scale)) * multiple for side in (wide, high))
    return width * panels, height


def _shape(path: Path) -> tuple[float, float]:
    seen = probe_image(path)
    if not seen.width or not seen.height:  # a TIFF with pages of several sizes: the first counts
        first = read_image(path)[0]
        return first.width, first.height
    return int(seen.width), int(seen.height)


def _encoded(
    pupil: Pupil, members: Sequence[Example], sides: Sequence[tuple[int, int]]
) -> Mapping[str, np.ndarray]:
    columns = list(zip(*((each.picture, *each.references) for each in members), strict=True))
    found = {}
    for k, (paths, side) in enumerate(zip(columns, sides, strict=True)):
        pixels = np.stack([fitted(path, *side) for path in paths])
        coded = pupil.family.encode_image(pupil.refs.vae, Image(pixels), pupil.load, pupil.device)
        found[f"reference{k}" if k else "picture"] = coded.samples.astype(np.float16)
    return found


def fitted(path: Path, width: int, height: int) -> np.ndarray:
    """A picture file as float32 ``[height, width, 3]``, 0..1, on white where it is clear; scaled so
    that it fills the size, and cut in the middle.

    Raises:
        UserError: it cannot be read.
    """
    import cv2

    pixels = read_image(path)[0].pixels[0]
    if pixels.shape[2] == 4:
        pixels = pixels[..., :-1] * pixels[..., -1:] + (1 - pixels[..., -1:])
    pixels = np.broadcast_to(pixels, (*pixels.shape[:2], 3)) if pixels.shape[2] == 1 else pixels
    rows, columns = pixels.shape[:2]
    if (columns, rows) == (width, height):
        return np.ascontiguousarray(pixels, np.float32)
    scale = max(width / columns, height / rows)
    wide, high = max(width, round(columns * scale)), max(height, round(rows * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    grown = cv2.resize(np.ascontiguousarray(pixels), (wide, high), interpolation=how)
    top, left = (high - height) // 2, (wide - width) // 2
    cut = grown[top : top + height, left : left + width]
    return np.clip(np.ascontiguousarray(cut, np.float32), 0, 1)


def _digest(
    pupil: Pupil,
    members: Sequence[Example],
    sides: Sequence[tuple[int, int]],
    check: Callable[[], None],
) -> str:
    """What latents follow from: the VAE, the sizes and the files' contents."""
    hasher = blake3.blake3(f"{pupil.refs.vae.identity} {sides}".encode())
    for path in _files(members):
        check()
        hasher.update(path.read_bytes())
    return hasher.hexdigest()


def _files(members: Sequence[Example]) -> Iterator[Path]:
    for each in members:
        yield from (each.picture, *each.references)


def _held(path: Path, said: str) -> dict[str, np.ndarray] | None:
    """Latents that were kept for the same files, or None."""
    try:
        if not path.exists() or read_header(path).metadata.get("of") != said:
            return None
        return dict(load_file(path))
    except (CatalogError, OSError, SafetensorError):
        return None


def _write(path: Path, held: Mapping[str, np.ndarray], said: str) -> None:
    temporary = path.with_suffix(".part")
    save_file(dict(held), temporary, metadata={"of": said})
    temporary.replace(path)
