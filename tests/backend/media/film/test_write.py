"""What is written can be read again: frames, colours, alpha, sound in time, and the workflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from backend.media.film.load import load_film
from backend.media.film.write import VideoOptions, write_video
from backend.media.metadata import read_provenance
from backend.media.outputs import sidecar_of
from backend.media.spool import Spool
from backend.sdk import Cancelled, UserError
from backend.values import Audio, Color, Image, Video
from tests.backend.media.film.films import film, grey, greys, numbers, smaller
from tests.benchmarks.video import Watch, sync_error, tree_bytes, write_flashes

FORMATS: list[Any] = ["mp4", "webm", "gif"]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def plain(
    spool: Spool, count: int = 8, size: tuple[int, int] = (48, 64), rate: float = 12
) -> Video:
    levels = np.array([grey(i) for i in range(count)], np.float32) / 255
    pixels = np.broadcast_to(levels[:, None, None, None], (count, *size, 3)).astype(np.float32)
    return spool.video([Image(pixels)], rate, "8")


def tone(seconds: float, channels: int = 2, rate: int = 44_100) -> Audio:
    wave = 0.4 * np.sin(np.arange(round(seconds * rate)) * (2 * np.pi * 500 / rate))
    return Audio(np.repeat(wave[None].astype(np.float32), channels, 0), rate)


def again(path: Path) -> Video:
    video = load_film(path).video
    assert video is not None
    return video


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("rate", [12, 24000 / 1001, 23.5])
def test_frames_come_back_in_order_and_at_their_rate(
    format: Any, rate: float, spool: Spool, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    write_video(tmp_path / "a", plain(spool, rate=rate), VideoOptions(format),
                progress=lambda done, total: told.append((done, total)))  # fmt: skip
    video = again(tmp_path / "a")
    assert numbers(video, 8) == list(range(8))
    assert video.rate == pytest.approx(rate, rel=0.05 if format == "gif" else 1e-5)
    assert told == [(i, 8) for i in range(9)]


@pytest.mark.parametrize("format", FORMATS)
def test_a_chart_of_colours_survives(format: Any, spool: Spool, tmp_path: Path) -> None:
    """Flat patches come back within 2/255: converted and declared rightly, both ways."""
    rng = np.random.default_rng(7)
    patches = rng.integers(0, 256, (5, 6, 3))
    patches[0, :, :] = [
        [0, 0, 0],
        [255, 255, 255],
        [255, 0, 0],
        [0, 255, 0],
        [0, 0, 255],
        [128] * 3,
    ]
    chart = np.repeat(np.repeat(patches, 32, 0), 32, 1).astype(np.float32) / 255
    video = spool.video([Image(np.repeat(chart[None], 3, 0))], 10, "8")
    write_video(tmp_path / "a", video, VideoOptions(format, 95))
    made = again(tmp_path / "a").read().pixels[..., :3].reshape(3, 5, 32, 6, 32, 3)
    inner = made[:, :, 10:22, :, 10:22].transpose(0, 2, 4, 1, 3, 5)
    assert np.abs(inner - patches / 255).max() <= 2.01 / 255


def test_colours_are_declared(spool: Spool, tmp_path: Path) -> None:
    import av

    for format in ("mp4", "webm"):
        write_video(tmp_path / "a", plain(spool), VideoOptions(format))  # type: ignore[arg-type]
        with av.open(str(tmp_path / "a")) as container:
            context = container.streams.video[0].codec_context
            assert (context.color_primaries, context.color_trc, context.colorspace) == (1, 1, 1)
            assert int(context.color_range) == 1


def test_sides_that_are_odd(spool: Spool, tmp_path: Path) -> None:
    video = plain(spool, size=(47, 33))
    sizes = {}
    for format in FORMATS:
        write_video(tmp_path / "a", video, VideoOptions(format, 90))
        made = again(tmp_path / "a")
        sizes[format] = (made.width, made.height)
        assert numbers(made, 8) == list(range(8))
    assert sizes == {"mp4": (34, 48), "webm": (33, 47), "gif": (33, 47)}
    write_video(tmp_path / "a", plain(spool, size=(1, 1)), VideoOptions("mp4"))
    assert again(tmp_path / "a").width == 2


def test_alpha_is_kept_where_there_is_room_for_it(spool: Spool, tmp_path: Path) -> None:
    pixels = np.full((3, 48, 64, 4), 1, np.float32)
    pixels[:, :, :32, 3] = 0
    video = spool.video([Image(pixels)], 10, "8")
    for format in ("webm", "gif"):
        write_video(tmp_path / "a", video, VideoOptions(format, 90))  # type: ignore[arg-type]
        alpha = again(tmp_path / "a").read().pixels[..., 3]
        assert alpha[:, :, 4:28].max() < 0.02
        assert alpha[:, :, 36:60].min() > 0.98
    write_video(tmp_path / "a", video, VideoOptions("mp4", 90, Color(1, 0, 0)))
    shown = again(tmp_path / "a").read().pixels
    assert shown.shape[3] == 3
    assert np.abs(shown[:, 20, 10] - (1, 0, 0)).max() < 0.02


@pytest.mark.parametrize("format", ["mp4", "webm"])
def test_sound_and_picture_are_in_time(format: Any, tmp_path: Path) -> None:
    """Flashes and beeps of known times, found by the file's own stamps, within 10 ms."""
    write_flashes(tmp_path / "a", format, tmp_path / "spool")
    assert sync_error(tmp_path / "a") < 0.010


@pytest.mark.parametrize("format", ["mp4", "webm"])
def test_what_is_heard_comes_back_sample_by_sample(
    format: Any, spool: Spool, tmp_path: Path
) -> None:
    video, sound = plain(spool, 24), tone(2.0)
    write_video(tmp_path / "a", video, VideoOptions(format), sound)
    audio = load_film(tmp_path / "a").audio
    assert audio.seconds == pytest.approx(2.0, abs=0.03)
    known = 0.4 * np.sin(np.arange(audio.length) * (2 * np.pi * 500 / audio.rate))
    middle = slice(audio.rate // 4, audio.rate * 7 // 4)
    assert np.abs(audio.samples[1, middle] - known[middle]).max() < 0.03


def test_a_sound_of_another_length_or_kind(spool: Spool, tmp_path: Path) -> None:
    video = plain(spool, 12)
    for seconds, heard in ((5.0, 1.0), (0.25, 0.25)):
        write_video(tmp_path / "a", video, VideoOptions("mp4"), tone(seconds))
        found = load_film(tmp_path / "a")
        assert found.audio.seconds == pytest.approx(heard, abs=0.03)
        assert found.video is not None
        assert found.video.frames == 12
    for channels, rate in ((1, 8000), (6, 48_000), (2, 192_000), (1, 7350)):
        write_video(tmp_path / "a", video, VideoOptions("mp4"), tone(1.0, channels, rate))
        assert load_film(tmp_path / "a").audio.channels == channels
    with pytest.raises(UserError, match=r"1 to 8 channels, not 9"):
        write_video(tmp_path / "a", video, VideoOptions("mp4"), tone(1.0, 9))
    with pytest.raises(UserError, match=r"A GIF has no sound"):
        write_video(tmp_path / "a", video, VideoOptions("gif"), tone(1.0))
    bad = Audio(np.full((1, 9000), np.nan, np.float32), 8000)
    with pytest.raises(UserError, match=r"no numbers"):
        write_video(tmp_path / "a", video, VideoOptions("mp4"), bad)


@pytest.mark.parametrize("format", FORMATS)
def test_the_workflow_is_found_again(format: Any, spool: Spool, tmp_path: Path) -> None:
    told = {"workflow": '{"weft": 1, "ä": "\u4e00"}', "node": "save"}
    path = tmp_path / "a"
    write_video(path, plain(spool), VideoOptions(format), provenance=told)
    assert read_provenance(path) == told
    assert not sidecar_of(path).exists()
    long = {"workflow": "x" * 70_000}
    write_video(path, plain(spool), VideoOptions(format), provenance=long)
    assert read_provenance(path) == long
    sidecar_of(path).unlink()
    assert read_provenance(path) is None
    assert numbers(again(path), 8) == list(range(8))


def test_the_same_frames_give_the_same_bytes(spool: Spool, tmp_path: Path) -> None:
    for format in FORMATS:
        files = []
        for name in "ab":
            sound = None if format == "gif" else tone(0.5)
            write_video(tmp_path / name, plain(spool), VideoOptions(format), sound, {"node": "a"})
            files.append((tmp_path / name).read_bytes())
        assert files[0] == files[1]


def test_quality_is_size(spool: Spool, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).random((4, 48, 64, 3)).astype(np.float32)
    video = spool.video([Image(noise)], 10)
    for format in ("mp4", "webm"):
        sizes = []
        for quality in (1, 50, 100):
            write_video(tmp_path / "a", video, VideoOptions(format, quality))  # type: ignore[arg-type]
            sizes.append((tmp_path / "a").stat().st_size)
        assert sizes == sorted(sizes)
        assert sizes[2] > 3 * sizes[0]


def test_a_cancel_is_heard_between_frames(spool: Spool, tmp_path: Path) -> None:
    asked = []

    def check() -> None:
        asked.append(1)
        if len(asked) == 6:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_video(tmp_path / "a", plain(spool, 40), VideoOptions(), check=check)
    assert len(asked) == 6


def test_grey_and_linear_light_are_written_as_they_look(spool: Spool, tmp_path: Path) -> None:
    half = np.full((2, 48, 64, 1), 0.5, np.float32)
    write_video(tmp_path / "a", spool.video([Image(half)], 5, "8"), VideoOptions("mp4", 95))
    assert greys(again(tmp_path / "a")) == pytest.approx([128] * 2, abs=1)
    linear = spool.video([Image(half.repeat(3, 3), "linear")], 5, "float")
    write_video(tmp_path / "a", linear, VideoOptions("mp4", 95))
    assert greys(again(tmp_path / "a")) == pytest.approx([188] * 2, abs=1)


def test_a_long_video_is_read_resized_and_written_in_little_memory(tmp_path: Path) -> None:
    """The small form of the benchmark: 200 frames of 1280 x 720 are 2.2 GB of float pixels."""
    path = film(tmp_path / "a.mp4", frames=200, size=(1280, 720), rate=25,
                options={"preset": "ultrafast", "g": "50"}, sound=8.0)  # fmt: skip
    found = load_film(path)
    assert found.video is not None
    before = tree_bytes()
    with Watch(0.05) as watch:
        write_video(tmp_path / "b", smaller(found.video, 320, 180), VideoOptions(), found.audio)
    assert watch.most - before < 400e6
    assert again(tmp_path / "b").frames == 200
    assert not [p for p in psutil.Process().children() if "backend.media.film" in p.cmdline()]
