"""Sounds mixed, resampled, made louder, and faded. Doing nothing gives the very sound."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from backend.media.caps import SoundCaps
from backend.sdk import UserError
from backend.values import Audio, Float32

LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""What so many channels are taken for."""
_PART = 1 << 18


def mix(
    first: Audio,
    second: Audio,
    start: float,
    decibels: float,
    as_first: bool,
    check: Callable[[], None],
) -> Audio:
    """The sum of two sounds, the second from ``start`` seconds on and louder by ``decibels``.

    Raises:
        UserError: their channels do not go together, or the result is too long.
    """
    _heard(first)
    _heard(second)
    if second.channels not in (1, first.channels):
        raise UserError(
            f"The first sound has {first.channels} channels and the second {second.channels}. "
            "Put Resample audio before one of them, with channels mono or stereo."
        )
    second = resample(second, first.rate, second.channels, check)
    begin = round(start * first.rate)
    length = first.length if as_first else max(first.length, begin + second.length)
    _require(first.channels, length)
    mixed = np.zeros((first.channels, length), np.float32)
    mixed[:, : first.length] = first.read(check)
    heard = second.read(check)[:, : max(0, length - begin)]
    if heard.shape[1]:
        mixed[:, begin : begin + heard.shape[1]] += heard * _factor(decibels)
    return Audio(mixed, first.rate)


def resample(audio: Audio, rate: int, channels: int, check: Callable[[], None]) -> Audio:
    """The same sound at another rate, in one, two or as many channels as it has.

    Raises:
        UserError: it has too many channels to be mixed down, or the result is too long.
    """
    _heard(audio)
    if (rate, channels) == (audio.rate, audio.channels):
        return audio
    length = max(1, round(audio.length * rate / audio.rate))
    _require(channels, length)
    if channels == audio.channels:  # channel by channel, so that any number will do
        rows = [
            _converted(row[None], audio.rate, rate, 1, length, check) for row in audio.read(check)
        ]
        return Audio(np.concatenate(rows), rate)
    if audio.channels not in LAYOUTS:
        raise UserError(f"A sound of {audio.channels} channels cannot be mixed down; 8 at most.")
    return Audio(_converted(audio.read(check), audio.rate, rate, channels, length, check), rate)


def louder(audio: Audio, decibels: float, normalize: bool, check: Callable[[], None]) -> Audio:
    """The sound multiplied, after its peak was brought to 1 with ``normalize``."""
    _heard(audio)
    if not decibels and not normalize:
        return audio
    samples = audio.read(check)
    peak = float(np.abs(samples).max()) if normalize else 1.0
    if not peak:
        return audio  # silence stays so
    return audio.but(samples * np.float32(_factor(decibels) / peak))


def fade(audio: Audio, fade_in: float, fade_out: float, check: Callable[[], None]) -> Audio:
    """The sound with straight ramps at its ends, in seconds; they may overlap."""
    _heard(audio)
    rise, fall = (min(audio.length, round(s * audio.rate)) for s in (fade_in, fade_out))
    if not rise and not fall:
        return audio
    samples = audio.read(check).copy()
    if rise:
        samples[:, :rise] *= np.arange(rise, dtype=np.float32) / np.float32(rise)
    if fall:
        samples[:, audio.length - fall :] *= np.arange(fall - 1, -1, -1, dtype=np.float32) / (
            np.float32(fall)
        )
    return audio.but(samples)


def sound_frame(samples: Float32, layout: str) -> Any:
    """The library's frame of ``[channels, samples]``, of up to 8 channels: they lie sample by
    sample, since it gives room for fewer channels where each lies by itself."""
    import av

    return av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T).reshape(1, -1), "flt", layout)


def _heard(audio: Audio) -> None:
    """See that a sound is not that of a file which has none."""
    if audio.is_silent_file:
        _ = audio.samples


def _factor(decibels: float) -> np.float32:
    return np.float32(10 ** (decibels / 20))


def _require(channels: int, length: int) -> None:
    most = SoundCaps().samples
    if channels * length > most:
        raise UserError(
            f"The sound would have {channels * length} samples over all channels, above the {most} "
            "that one may have. Trim it first."
        )


def _converted(
    samples: Float32,
    old: int,
    new: int,
    channels: int,
    length: int,
    check: Callable[[], None],
) -> Float32:
    """Exactly ``length`` samples of ``channels`` channels."""
    from av.audio.resampler import AudioResampler

    made = np.zeros((channels, length), np.float32)
    at = 0
    resampler = AudioResampler("fltp", LAYOUTS[channels], new)

    def put(frames: list[Any]) -> None:
        nonlocal at
        for frame in frames:
            piece = frame.to_ndarray()[:, : length - at]
            made[:, at : at + piece.shape[1]] = piece
            at += piece.shape[1]

    for start in range(0, samples.shape[1], _PART):
        check()
        frame = sound_frame(samples[:, start : start + _PART], LAYOUTS[len(samples)])
        frame.sample_rate, frame.pts, frame.time_base = old, start, Fraction(1, old)
        put(resampler.resample(frame))
    put(resampler.resample(None))
    return made
