"""WAV files (RIFF WAVE): written whole, and the text that Weft keeps in a chunk of its own.

The same samples and text give the same bytes: no time stands in the file.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Literal

import numpy as np

from backend.media import webp
from backend.values import Audio

SampleDepth = Literal["16", "24", "float"]

UNKNOWN = b"\xff" * 4

LARGEST = 2**32 - 2**16
"""Bytes of samples that a RIFF file, which counts in 32 bits, has room for."""


def is_wave(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"


def data_bytes(audio: Audio, depth: SampleDepth) -> int:
    """Bytes of the samples in a file."""
    return audio.channels * audio.length * {"16": 2, "24": 3, "float": 4}[depth]


def encode(audio: Audio, depth: SampleDepth, kind: bytes, text: str) -> bytes:
    """The bytes of a WAV file, with ``text`` (ASCII) in a chunk of four letters ``kind``.

    16 and 24 bits are clipped to -1..1 and rounded, full scale being 2^15 or 2^23; ``float`` is
    32-bit float as it is. Interleaved, little-endian.
    """
    width = {"16": 2, "24": 3, "float": 4}[depth]
    block = audio.channels * width
    code = 3 if depth == "float" else 1
    layout = struct.pack(
        "<HHIIHH", code, audio.channels, audio.rate, audio.rate * block, block, width * 8
    )
    chunks = [(b"fmt ", layout)]
    if depth == "float":
        chunks.append((b"fact", struct.pack("<I", audio.length)))
    chunks.append((b"data", _codes(audio, depth)))
    if text:
        chunks.append((kind, text.encode("ascii")))
    body = b"WAVE" + b"".join(_chunk(*chunk) for chunk in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def check_whole(file: BinaryIO) -> None:
    """See that an open WAV file is as long as it says, which decoders do not.

    A file written to a pipe could not know its length and says nothing (all bits set).

    Raises:
        Damaged: it ends early.
    """
    file.seek(4)
    if file.read(4) != UNKNOWN:
        for _ in webp.walk(file):  # both are RIFF
            pass


def text(file: BinaryIO, kind: bytes, most: int) -> str:
    """The text in the chunk ``kind`` of an open WAV file, empty where there is none.

    Raises:
        Damaged: the file or a chunk ends early.
    """
    chunks = tuple(webp.walk(file))
    return webp.data(file, chunks, kind, most).decode("ascii", "replace")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _codes(audio: Audio, depth: SampleDepth) -> bytes:
    samples = audio.samples.T  # interleaved: one sample of each channel after the other
    if depth == "float":
        return samples.astype("<f4").tobytes()
    scale = 2.0 ** (15 if depth == "16" else 23)
    codes = np.clip(np.rint(samples.astype(np.float64) * scale), -scale, scale - 1)
    if depth == "16":
        return codes.astype("<i2").tobytes()
    return np.ascontiguousarray(codes.astype("<i4")).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
