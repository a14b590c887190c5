"""Channels, delays and rates that libraries stumble over."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from backend.media.film.edit import change_rate
from backend.media.film.load import load_film
from backend.media.film.mixing import fade, louder, resample
from backend.media.film.write import VideoOptions, write_video
from backend.media.sounds import write_sound
from backend.media.spool import Spool
from backend.sdk import Cancelled, UserError
from backend.values import Audio, Image, Video
from tests.backend.media.film.films import film


def clip(folder: Path) -> Video:
    codes = np.repeat(np.arange(24, dtype=np.float32) / 255, 3 * 64).reshape(24, 8, 8, 3)
    return Spool(folder / "s").video([Image(codes)], 24)


def low(channels: int) -> Audio:
    """Channel ``i`` is a tone of 40 + 10 i hertz, low enough for any loudspeaker."""
    time = np.arange(48_000, dtype=np.float32) / 48_000
    tones = [0.2 * np.sin(2 * np.pi * (40 + 10 * i) * time) for i in range(channels)]
    return Audio(np.stack(tones).astype(np.float32), 48_000)


@pytest.mark.parametrize("channels", range(1, 9))
@pytest.mark.parametrize("format", ["mp4", "webm"])
def test_every_channel_comes_back_in_its_place(format: Any, channels: int, tmp_path: Path) -> None:
    path = tmp_path / f"a.{format}"
    write_video(path, clip(tmp_path), VideoOptions(format), low(channels))
    heard = load_film(path).audio.samples[:, 8000:40_000]
    found = [np.argmax(np.abs(np.fft.rfft(row))) * 1.5 for row in heard]
    assert found == pytest.approx([40 + 10 * i for i in range(channels)], abs=2)


@pytest.mark.parametrize("channels", range(3, 9))
def test_of_up_to_eight_channels_two_are_made(channels: int) -> None:
    assert resample(low(channels), 44_100, 2, lambda: None).channels == 2


def test_the_centre_of_three_channels_is_heard() -> None:
    centre = low(3).but(low(3).samples * np.float32([[0], [0], [1]]))
    assert np.abs(resample(centre, 48_000, 2, lambda: None).samples).max() > 0.05


def test_a_rate_near_nothing_is_a_sentence(tmp_path: Path) -> None:
    slow = change_rate(clip(tmp_path), 0.00004)
    with pytest.raises(UserError, match=r"at least 0.01 frames per second"):
        write_video(tmp_path / "a.mp4", slow, VideoOptions())


def test_frames_are_the_same_at_once_and_one_by_one(tmp_path: Path) -> None:
    twice = change_rate(change_rate(clip(tmp_path), 16), 24)
    single = [twice.read(n, n + 1).pixels for n in range(4)]
    assert np.array_equal(twice.read(0, 4).pixels, np.concatenate(single))


def test_a_cancel_leaves_no_process_even_uncollected(tmp_path: Path) -> None:
    video = load_film(film(tmp_path / "a.mp4", frames=60, size=(320, 240), sound=6.0))
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked > 30:
            raise Cancelled

    gc.disable()
    try:
        with pytest.raises(Cancelled):
            write_video(tmp_path / "b.mp4", video.video, VideoOptions(), video.audio, None, check)  # type: ignore[arg-type]
        left = [p for p in psutil.Process().children() if "backend.media.film" in p.cmdline()]
        assert not left
    finally:
        gc.enable()


def test_a_cancel_is_heard_while_a_sound_is_decoded_or_encoded(tmp_path: Path) -> None:
    def stop() -> None:
        raise Cancelled

    audio = load_film(film(tmp_path / "a.mp4", sound=1.0)).audio
    with pytest.raises(Cancelled):
        louder(audio, 6, False, stop)
    with pytest.raises(Cancelled):
        fade(audio, 0.1, 0.1, stop)
    with pytest.raises(Cancelled):
        write_sound(tmp_path / "b.mp3", low(2), format="mp3", check=stop)
