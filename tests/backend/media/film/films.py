"""Small video files, written by the library itself and not by Weft's own writer."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from backend.values import Image, Resized, Video


def grey(number: int) -> int:
    """The brightness of the frame with this number, far enough from its neighbours'."""
    return 30 + number * 37 % 190


def film(
    path: Path,
    frames: int = 12,
    size: tuple[int, int] = (64, 48),
    rate: Fraction | int = 10,
    stamps: Sequence[int] | None = None,
    codec: str = "libx264",
    form: str = "yuv420p",
    turned: int = 0,
    sound: float = 0.0,
    delay: float = 0.0,
    options: dict[str, str] | None = None,
    grain: int = 90_000,
    look: dict[str, int] | None = None,
    pixels: Any = None,
) -> Path:
    """Frame ``i`` is all ``grey(i)`` but its left upper quarter, which is dark; ``stamps`` are
    times in 1 / ``grain`` seconds. ``sound`` is seconds of a tone, which begins at ``delay``."""
    with av.open(str(path), "w") as container:
        told = options if options is not None else {"crf": "5", "g": "5"}
        stream = container.add_stream(codec, rate=rate, options=told)
        stream.width, stream.height, stream.pix_fmt = *size, form
        if turned:
            stream.set_display_rotation(turned)
        for name, value in (look or {}).items():
            setattr(stream.codec_context, name, value)
        if stamps is not None:
            stream.codec_context.time_base = Fraction(1, grain)
        heard = None
        if sound:
            heard = container.add_stream(
                "libopus" if path.suffix == ".webm" else "aac", rate=48_000, layout="mono"
            )
        for number in range(frames):
            if pixels is not None:
                codes = pixels(number)
            else:
                codes = np.full((size[1], size[0], 3), grey(number), np.uint8)
                codes[: size[1] // 2, : size[0] // 2] //= 4
            frame = av.VideoFrame.from_ndarray(codes, "rgba" if codes.shape[2] == 4 else "rgb24")
            frame = frame.reformat(format=form)
            if stamps is None:
                frame.pts, frame.time_base = number, 1 / Fraction(rate)
            else:
                frame.pts, frame.time_base = stamps[number], Fraction(1, grain)
            container.mux(stream.encode(frame))
        if heard is not None:
            wave = np.sin(np.arange(round(sound * 48_000)) * 0.1).astype(np.float32)[None] * 0.5
            piece = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
            piece.sample_rate, piece.pts = 48_000, round(delay * 48_000)
            piece.time_base = Fraction(1, 48_000)
            container.mux(heard.encode(piece))
            container.mux(heard.encode(None))
        container.mux(stream.encode(None))
    return path


def noisy(number: int) -> Any:
    """The frame with this number, with noise at its left that needs many bytes."""
    codes = np.full((48, 64, 3), grey(number), np.uint8)
    codes[:, :40] = np.random.default_rng(number).integers(0, 256, (48, 40, 3))
    return codes


def greys(video: Video | Image) -> list[int]:
    """The brightness of each frame in its right lower corner, as codes."""
    pixels = video.pixels if isinstance(video, Image) else video.read().pixels
    return [round(float(frame[-8:-2, -8:-2, :3].mean()) * 255) for frame in pixels]


def numbers(video: Video | Image, most: int = 12) -> list[int]:
    """Which frame each one is."""
    known = np.array([grey(number) for number in range(most)])
    return [int(np.abs(known - code).argmin()) for code in greys(video)]


def smaller(video: Video, width: int, height: int, filter: str = "area") -> Video:
    """A video stretched to a size."""
    box = (0.0, 0.0, float(video.width), float(video.height))
    return video.then(Resized(width, height, (width, height), box, filter))
