"""Nodes that change and mix sounds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from backend.sdk import Audio, Context, Facts, Range, facts_of, node

NO_AUDIO = facts_of("Audio")
Seconds = Annotated[float, Range(0, 36_000, 0.1)]
Decibels = Annotated[float, Range(-120, 60, 1)]


@node(category="Audio", aliases=("add", "combine", "layer", "music", "voice over"))
def mix_audio(
    ctx: Context,
    first: Audio,
    second: Audio,
    start: Seconds = 0.0,
    volume: Decibels = 0.0,
    length: Literal["longest", "first"] = "longest",
) -> Audio:
    """Lay one sound over another: the second begins at `start` seconds of the first.

    `volume` is the second's, in decibels: -6 halves it. The result has the rate and the channels
    of the first; a second of one channel is heard on all of them. It is as long as both reach, or
    as the `first`. Sums above full scale stay as they are until they are written: see Change
    volume.

    Example: load_video.audio -> mix_audio.first, music -> second, volume=-12 -> save_video.audio.
    """
    from backend.media.film import mixing

    return mixing.mix(first, second, start, volume, length == "first", ctx.check)


@mix_audio.facts
def _(p: Any, first: Facts | None, second: Facts | None) -> Facts:
    return (first or NO_AUDIO).but(samples=None)


@node(category="Audio", aliases=("rate", "convert", "sample rate", "stereo", "mono", "downmix"))
def resample_audio(
    ctx: Context,
    audio: Audio,
    rate: Annotated[int, Range(1000, 384_000, 1)] = 48_000,
    channels: Literal["same", "mono", "stereo"] = "same",
) -> Audio:
    """Give a sound another number of samples per second; it sounds and lasts the same.

    `channels` mixes all to one (`mono`) or two (`stereo`), or leaves them.

    Example: load_audio -> resample_audio(rate=16000, channels="mono") for a speech model.
    """
    from backend.media.film import mixing

    wanted = {"same": audio.channels, "mono": 1, "stereo": 2}[channels]
    return mixing.resample(audio, rate, wanted, ctx.check)


@resample_audio.facts
def _(p: Any, audio: Facts | None) -> Facts:
    known = audio or NO_AUDIO
    channels = {"mono": 1, "stereo": 2, "same": known.channels}.get(p.channels)
    if None in (known.samples, known.rate, p.rate):
        return known.but(samples=None, rate=p.rate, channels=channels)
    samples = max(1, round(known.samples * p.rate / known.rate))
    return known.but(samples=samples, rate=p.rate, channels=channels)


@node(category="Audio", aliases=("gain", "loudness", "amplify", "normalize", "quieter", "louder"))
def change_volume(
    ctx: Context, audio: Audio, decibels: Decibels = 0.0, normalize: bool = False
) -> Audio:
    """Make a sound louder or quieter by `decibels`: 6 doubles it, -6 halves it, 0 changes nothing.

    With `normalize` it is first brought to full scale, so that -1 leaves its loudest sample one
    decibel below that. What goes beyond full scale is cut when it is written as whole numbers.

    Example: mix_audio -> change_volume(decibels=-1, normalize=True) -> save_audio.
    """
    from backend.media.film import mixing

    return mixing.louder(audio, decibels, normalize, ctx.check)


@change_volume.facts
def _(p: Any, audio: Facts | None) -> Facts:
    return audio or NO_AUDIO


@node(category="Audio", aliases=("fade in", "fade out", "ramp"))
def fade_audio(
    ctx: Context, audio: Audio, fade_in: Seconds = 0.0, fade_out: Seconds = 1.0
) -> Audio:
    """Let a sound begin out of silence over `fade_in` seconds and end in it over `fade_out`.

    Example: load_audio -> trim_audio(start=30, length=10) -> fade_audio(fade_in=0.5, fade_out=2).
    """
    from backend.media.film import mixing

    return mixing.fade(audio, fade_in, fade_out, ctx.check)


@fade_audio.facts
def _(p: Any, audio: Facts | None) -> Facts:
    return audio or NO_AUDIO
