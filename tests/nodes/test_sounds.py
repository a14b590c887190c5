"""The nodes that change and mix sounds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from backend.graph.facts import facts_of
from backend.media.metadata import read_provenance
from backend.media.sounds import read_sound
from backend.sdk import Audio, UserError
from backend.values import FramesGone, MediaFile, SoundTrack
from nodes.audio import load_audio, save_audio
from nodes.sounds import change_volume, fade_audio, mix_audio, resample_audio
from tests.nodes.test_files import PROVENANCE, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def tone(seconds: float = 1.0, rate: int = 48_000, channels: int = 1, pitch: float = 440) -> Audio:
    wave = 0.5 * np.sin(np.arange(round(seconds * rate)) * (2 * np.pi * pitch / rate))
    return Audio(np.repeat(wave[None].astype(np.float32), channels, 0), rate)


def test_a_mix_is_the_sum(desk: Desk) -> None:
    first, second = tone(1.0, channels=2), tone(0.5, pitch=1000)
    mixed = mix_audio(desk, first, second, 0.75, -6.0206)
    assert (mixed.channels, mixed.length) == (2, 60_000)
    assert np.array_equal(mixed.samples[:, :36_000], first.samples[:, :36_000])
    both = first.samples[1, 40_000] + 0.5 * second.samples[0, 4000]
    assert mixed.samples[1, 40_000] == pytest.approx(both, abs=1e-5)
    cut = mix_audio(desk, first, second, 0.75, 0, "first")
    assert cut.length == 48_000
    late = mix_audio(desk, first, second, 100, 0, "first")
    assert np.array_equal(late.samples, first.samples)
    with pytest.raises(UserError, match=r"first sound has 1 channels and the second 2"):
        mix_audio(desk, second, first)


@pytest.mark.parametrize(("old", "new"), [(44_100, 48_000), (48_000, 16_000), (8000, 44_100)])
def test_another_rate_sounds_the_same(old: int, new: int, desk: Desk) -> None:
    made = resample_audio(desk, tone(1.0, old, 2), new)
    assert (made.rate, made.length, made.channels) == (new, new, 2)
    known = tone(1.0, new).samples[0]
    middle = slice(new // 10, new * 9 // 10)
    assert np.abs(made.samples[1, middle] - known[middle]).max() < 2e-3


def test_channels_are_mixed_or_left(desk: Desk) -> None:
    both = Audio(np.stack([tone().samples[0], -tone().samples[0]]), 48_000)
    assert np.abs(resample_audio(desk, both, 48_000, "mono").samples).max() < 1e-6
    assert resample_audio(desk, tone(), 48_000, "stereo").channels == 2
    assert resample_audio(desk, tone(0.1, channels=9), 44_100).channels == 9
    with pytest.raises(UserError, match=r"9 channels cannot be mixed down"):
        resample_audio(desk, tone(0.1, channels=9), 48_000, "mono")
    with pytest.raises(UserError, match=r"Trim it first"):
        resample_audio(desk, Audio(np.zeros((1, 10**7), np.float32), 1000), 384_000)


def test_the_sound_of_a_silent_file_is_no_sound(desk: Desk) -> None:
    track = SoundTrack(MediaFile("blake3:1", "/films/mute.mp4", 1, 1), 0, 0, 0, 0.0)
    mute, sound = Audio(track, 48_000), tone()
    for work in (
        lambda: mix_audio(desk, sound, mute),
        lambda: change_volume(desk, mute),
        lambda: fade_audio(desk, mute),
        lambda: resample_audio(desk, mute),
        lambda: save_audio(desk, mute),
    ):
        with pytest.raises((FramesGone, UserError), match=r"'mute.mp4' has no sound"):
            work()


def test_doing_nothing_gives_the_very_sound(desk: Desk) -> None:
    sound = tone()
    assert change_volume(desk, sound) is sound
    assert fade_audio(desk, sound, 0, 0) is sound
    assert resample_audio(desk, sound, 48_000) is sound
    silent = Audio(np.zeros((1, 9), np.float32), 9)
    assert change_volume(desk, silent, 0, normalize=True) is silent


def test_volume_and_fades(desk: Desk) -> None:
    sound = tone()
    assert np.allclose(change_volume(desk, sound, 6.0206).samples, sound.samples * 2, atol=1e-5)
    loud = change_volume(desk, sound, -1, normalize=True)
    assert np.abs(loud.samples).max() == pytest.approx(10 ** (-1 / 20), rel=1e-5)
    ones = Audio(np.ones((2, 1000), np.float32), 1000)
    faded = fade_audio(desk, ones, 0.5, 0.25).samples
    assert faded[0, [0, 250, 500, 749, 999]].tolist() == pytest.approx([0, 0.5, 1, 1, 0], abs=5e-3)
    assert np.array_equal(faded[0], faded[1])
    short = fade_audio(desk, ones, 9, 9).samples
    assert short[0, 0] == 0 == short[0, -1]


@pytest.mark.parametrize(
    ("format", "depth", "error"),
    [("flac", "16", 2e-5), ("flac", "24", 1e-6), ("mp3", "16", 0.02), ("wav", "16", 2e-5)],
)
def test_every_format_comes_back_with_its_workflow(
    format: str, depth: str, error: float, desk: Desk
) -> None:
    sound = tone(1.0, 44_100, 2)
    save_audio(desk, sound, name="a", depth=depth, format=format, quality=95)  # type: ignore[arg-type]
    path = desk.output.root / f"a.{format}"
    assert read_provenance(path) == PROVENANCE
    again = read_sound(path)
    assert (again.rate, again.channels) == (44_100, 2)
    assert abs(again.length - sound.length) < 1200
    common = slice(3000, 40_000)
    assert np.abs(again.samples[:, common] - sound.samples[:, common]).max() < error
    assert load_audio(desk, f"out/a.{format}").length == again.length


def test_what_a_format_cannot_hold_is_a_sentence(desk: Desk) -> None:
    with pytest.raises(UserError, match=r"no float samples"):
        save_audio(desk, tone(), format="flac", depth="float")
    with pytest.raises(UserError, match=r"1 or 2 channels at 8000.*Resample audio"):
        save_audio(desk, tone(1.0, 96_000), format="mp3")
    with pytest.raises(UserError, match=r"at most 8 channels"):
        save_audio(desk, tone(0.1, channels=9), format="flac")
    assert not desk.output.root.exists()


@pytest.mark.parametrize("format", ["flac", "mp3"])
def test_a_sound_that_is_cut_short(format: str, desk: Desk) -> None:
    noise = Audio(np.random.default_rng(0).normal(0, 0.1, (1, 40_000)).astype(np.float32), 8000)
    save_audio(desk, noise, name="a", format=format)  # type: ignore[arg-type]
    path = desk.output.root / f"a.{format}"
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(UserError, match=r"cut short|is damaged"):
        read_sound(path)


def test_facts_follow_what_is_done() -> None:
    known = facts_of("Audio", channels=2, samples=48_000, rate=48_000)
    p = SimpleNamespace(rate=16_000, channels="mono")
    assert resample_audio.hooks["facts"](p, audio=known) == facts_of(
        "Audio", channels=1, samples=16_000, rate=16_000
    )
    assert mix_audio.hooks["facts"](p, first=known, second=None) == known.but(samples=None)
    assert fade_audio.hooks["facts"](p, audio=known) == known
    assert change_volume.hooks["facts"](p, audio=None) == facts_of("Audio")
