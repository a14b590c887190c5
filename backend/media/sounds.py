"""Sound files to values and back."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from backend.media import wave
from backend.media.caps import SoundCaps
from backend.media.errors import Damaged
from backend.media.film import carry
from backend.media.film.kinds import kind_of
from backend.media.grants import open_regular
from backend.media.metadata import KEYWORD, dump_provenance, split_sidecar
from backend.media.outputs import sidecar_of
from backend.media.wave import SampleDepth
from backend.sdk import UserError
from backend.values import Audio, Float32

SoundFormat = Literal["wav", "flac", "mp3"]
KINDS = ("WAV", "FLAC", "Ogg", "MP3")
MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_DEFAULT_CAPS = SoundCaps()
_PART = 1 << 16
"""Samples that are encoded at once."""


def read_sound(path: Path, caps: SoundCaps = _DEFAULT_CAPS) -> Audio:
    """Read a WAV, FLAC, Ogg or MP3 file, known by its content; whole numbers become -1..1.

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
        head = file.read(16)
        if kind_of(head) not in KINDS:
            raise UserError(
                f"{name!r} is no sound that Weft reads. It reads WAV, FLAC, Ogg and MP3, and the "
                "sound of videos."
            )
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
    format: SoundFormat = "wav",
    quality: int = 75,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Write a sound with its provenance inside or, above 60 kB, in a sidecar beside it.

    ``depth`` is of WAV and FLAC (which has no ``float``), ``quality``, 1 to 100, of MP3.

    Raises:
        UserError: the format cannot hold it, or it holds values that are no numbers.
        OSError: the file cannot be written.
    """
    samples = audio.read(check)
    if not np.isfinite(samples).all():
        raise UserError("The sound holds values that are no numbers (NaN or infinity).")
    text, sidecar = split_sidecar(dump_provenance(provenance)) if provenance else ("", b"")
    if format == "flac":
        data = _flac(samples, audio.rate, depth, text, check)
    elif format == "mp3":
        data = _mp3(samples, audio.rate, quality, text, check)
    else:
        if wave.data_bytes(audio, depth) > wave.LARGEST or audio.channels > 0xFFFF:
            raise UserError("A WAV file holds at most 4 GiB. Cut the sound shorter or use 16 bits.")
        data = wave.encode(audio, depth, KEYWORD.encode(), text)
    if sidecar:
        sidecar_of(path).write_bytes(sidecar)
    path.write_bytes(data)


def _flac(
    samples: Float32, rate: int, depth: SampleDepth, text: str, check: Callable[[], None]
) -> bytes:
    if depth == "float":
        raise UserError("A FLAC file has no float samples. Choose a depth of 16 or 24, or WAV.")
    if len(samples) > 8 or rate > 655_350:
        raise UserError(
            f"A FLAC file has at most 8 channels at up to 655350 samples per second, not "
            f"{len(samples)} at {rate}. Choose WAV."
        )
    data = _encoded(samples, rate, "FLAC", f"PCM_{depth}", check)
    return carry.with_flac_text(data, text) if text else data


def _mp3(samples: Float32, rate: int, quality: int, text: str, check: Callable[[], None]) -> bytes:
    if len(samples) > 2 or rate not in MP3_RATES:
        raise UserError(
            f"An MP3 has 1 or 2 channels at {', '.join(map(str, MP3_RATES))} samples per second, "
            f"not {len(samples)} at {rate}. Use Resample audio, or choose WAV or FLAC."
        )
    level = min(1.0, max(0.0, (100 - quality) / 100))
    data = _encoded(samples, rate, "MP3", "MPEG_LAYER_III", check, level)
    return (carry.mp3_tag(text) if text else b"") + data


def _encoded(
    samples: Float32,
    rate: int,
    format: str,
    subtype: str,
    check: Callable[[], None],
    level: float | None = None,
) -> bytes:
    import soundfile

    made = io.BytesIO()
    told: dict[str, Any] = {} if level is None else {
        "compression_level": level, "bitrate_mode": "VARIABLE"
    }  # fmt: skip
    try:
        with soundfile.SoundFile(
            made, "w", rate, len(samples), subtype, format=format, **told
        ) as file:
            for start in range(0, samples.shape[1], _PART):
                check()
                file.write(np.clip(samples[:, start : start + _PART], -1, 1).T)
    except soundfile.LibsndfileError as error:
        raise UserError(f"The sound cannot be written as {format}: {error.error_string}") from error
    return made.getvalue()
