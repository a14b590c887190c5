"""Sound files to values and back."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from backend.media import wave
from backend.media.caps import SoundCaps
from backend.media.errors import Damaged
from backend.media.grants import open_regular
from backend.media.metadata import KEYWORD, dump_provenance, split_sidecar
from backend.media.outputs import sidecar_of
from backend.media.wave import SampleDepth
from backend.sdk import UserError
from backend.values import Audio

_DEFAULT_CAPS = SoundCaps()


def read_sound(path: Path, caps: SoundCaps = _DEFAULT_CAPS) -> Audio:
    """Read a WAV or FLAC file, known by its content; whole numbers become -1..1.

    Raises:
        UserError: it cannot be opened, is no such sound, is damaged or cut short, holds values
            that are no numbers, or is longer than the caps allow.
    """
    name = path.name
    try:
        with open_regular(path, name) as file:
            return read_open_sound(file, name, caps)
    except OSError as error:
        raise UserError(f"{name!r} cannot be read: {error.strerror or error}.") from error


def read_open_sound(file: BinaryIO, name: str, caps: SoundCaps = _DEFAULT_CAPS) -> Audio:
    """``read_sound`` for a file that is open already; ``name`` is what sentences call it."""
    import soundfile

    try:
        head = file.read(12)
        if not (wave.is_wave(head) or head.startswith(b"fLaC")):
            raise UserError(f"{name!r} is no sound that Weft reads. It reads WAV and FLAC.")
        if wave.is_wave(head):
            wave.check_whole(file)
        file.seek(0)
        with soundfile.SoundFile(file) as sound:
            if sound.channels > caps.channels or sound.frames * sound.channels > caps.samples:
                raise UserError(
                    f"{name!r} has {sound.channels} channels of {sound.frames} samples, above "
                    f"the limit of {caps.channels} channels or {caps.samples} samples in all. "
                    "Cut it shorter."
                )
            samples = sound.read(dtype="float32", always_2d=True)
            promised, rate = sound.frames, sound.samplerate
    except (soundfile.LibsndfileError, Damaged, struct.error) as error:
        # The library's own words without its prefix, which names the file as Python prints it.
        why = error.error_string if isinstance(error, soundfile.LibsndfileError) else str(error)
        raise UserError(
            f"{name!r} is damaged ({why[:120].rstrip('. ')}). Get the file again."
        ) from error
    if len(samples) < max(1, promised):
        raise UserError(f"{name!r} is empty or cut short. Get the file again.")
    if not np.isfinite(samples).all():
        raise UserError(f"{name!r} holds values that are no numbers (NaN or infinity).")
    return Audio(np.ascontiguousarray(samples.T), rate)


def write_sound(
    path: Path,
    audio: Audio,
    depth: SampleDepth = "16",
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write a WAV file with its provenance inside or, above 60 kB, in a sidecar beside it.

    Raises:
        UserError: it is above 4 GiB, has too many channels, or holds values that are no numbers.
        OSError: the file cannot be written.
    """
    if not np.isfinite(audio.samples).all():
        raise UserError("The sound holds values that are no numbers (NaN or infinity).")
    if wave.data_bytes(audio, depth) > wave.LARGEST or audio.channels > 0xFFFF:
        raise UserError("A WAV file holds at most 4 GiB. Cut the sound shorter or use 16 bits.")
    text, sidecar = split_sidecar(dump_provenance(provenance)) if provenance else ("", b"")
    data = wave.encode(audio, depth, KEYWORD.encode(), text)
    if sidecar:
        sidecar_of(path).write_bytes(sidecar)
    path.write_bytes(data)
