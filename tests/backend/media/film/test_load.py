"""Videos are read where they lie: any frame, in any order, by anybody, in little memory."""

from __future__ import annotations

import os
import threading
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image as Pillow

from backend.media.film.edit import change_rate, crop, join, part
from backend.media.film.load import load_film
from backend.media.spool import Spool
from backend.sdk import Cancelled, UserError
from backend.values import FramesGone, Image, Video, digest, nbytes, pack, unpack
from tests.backend.media.film.films import film, grey, greys, numbers, smaller


def load(path: Path) -> Video:
    found = load_film(path)
    assert found.video is not None
    return found.video


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("clip") / "clip.mp4", sound=1.2)


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.mp4", "libx264", 10),
        ("a.mov", "libx264", Fraction(30000, 1001)),
        ("a.mkv", "libx264", 24),
        ("a.webm", "libvpx-vp9", Fraction(30000, 1001)),
        ("a.avi", "mpeg4", 25),
        ("a.avi", "libx264", 25),
    ],
)
def test_every_container_gives_its_frames_at_its_rate(
    name: str, codec: str, rate: Fraction | int, tmp_path: Path
) -> None:
    path = film(tmp_path / name, codec=codec, rate=rate, options={})
    video = load(path)
    assert (video.width, video.height, video.channels, video.frames) == (64, 48, 3, 12)
    assert video.rate == pytest.approx(float(rate), rel=1e-6)
    assert numbers(video) == list(range(12))
    with video.reader() as reader:
        assert [numbers(reader.read(n, n + 1))[0] for n in (8, 2, 6)] == [8, 2, 6]


def test_any_frame_can_be_asked_for_in_any_order(clip: Path) -> None:
    video = load(clip)
    with video.reader() as reader:
        for start, stop in [(9, 12), (0, 1), (4, 7), (4, 5), (11, 12), (2, 9)]:
            assert numbers(reader.read(start, stop)) == list(range(start, stop))
    assert np.array_equal(video.read(3, 5).pixels, video.read().pixels[3:5])
    whole = np.concatenate([chunk.pixels for chunk in video.chunks(5 * 64 * 48 * 3 * 4)])
    assert np.array_equal(whole, video.read().pixels)


def test_many_read_at_once_and_leave_no_process(clip: Path) -> None:
    video, found = load(clip), []
    threads = [
        threading.Thread(target=lambda: found.append(numbers(video.read()))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [list(range(12))] * 3
    chunks = video.chunks(1)
    next(chunks)
    chunks.close()  # a reader that does not go to the end
    assert not [p for p in psutil.Process().children() if "backend.media.film" in p.cmdline()]


def test_its_digest_is_of_the_content_and_what_is_done_to_it(clip: Path, tmp_path: Path) -> None:
    video = load(clip)
    other = tmp_path / "moved.mp4"
    other.write_bytes(clip.read_bytes())
    assert digest(load(other)) == digest(video)
    steps = [smaller(video, 32, 24), part(video, 1, 3), change_rate(video, 5), video.but(5)]
    assert len({digest(each) for each in (video, *steps)}) == 5
    assert crop(video, 0, 0, 64, 48) is part(video, 0, 12) is change_rate(video, 10) is video
    again = unpack(pack(change_rate(join([video, smaller(video, 64, 48)]), 7)))
    assert numbers(again) == numbers(change_rate(join([video, video]), 7))
    assert nbytes(video) < 2000  # it holds no frames, in memory or in the cache folder


def test_steps_are_done_in_order_whatever_holds_the_frames(clip: Path, tmp_path: Path) -> None:
    media = load(clip)
    spooled = Spool(tmp_path / "spool").video(media.chunks(1), media.rate, "8")
    for video in (media, spooled):
        cut = part(change_rate(part(video, 2, 8), 5), 1, 3)  # 2..9, then 2 4 6 8, then 4 6 8
        assert (cut.frames, cut.rate, numbers(cut)) == (3, 5, [4, 6, 8])
        twice = change_rate(part(video, 3, 2), 30)
        assert numbers(twice) == [3, 3, 3, 4, 4, 4]
        corner = crop(smaller(video, 32, 24), 16, 12, 32, 24)
        assert corner.read().pixels.shape == (12, 12, 16, 3)
        assert numbers(corner) == list(range(12))
    small = [smaller(video, 20, 14).read().pixels for video in (media, spooled)]
    assert np.abs(small[0] - small[1]).max() < 6 / 255


def test_joined_videos_come_one_after_the_other(clip: Path, tmp_path: Path) -> None:
    media = load(clip)
    spooled = Spool(tmp_path / "spool").video(media.chunks(), media.rate, "8")
    both = join([part(media, 0, 2), part(spooled, 5, 3), media])
    assert numbers(both) == [0, 1, 5, 6, 7, *range(12)]
    assert numbers(part(both, 1, 3)) == [1, 5, 6]
    assert smaller(both, 16, 12).read(0, 4).pixels.shape == (4, 12, 16, 3)
    deeper = join([both, media])
    assert numbers(deeper)[-13:] == [11, *range(12)]
    with pytest.raises(UserError, match=r"64x48 pixels, number 2 has 20x14"):
        join([media, smaller(media, 20, 14)])


def test_uneven_times_become_a_constant_rate_by_the_nearest_earlier_frame(tmp_path: Path) -> None:
    # 0, 0.1, 0.2, then a pause until 0.55, 0.65, 0.75
    stamps = [int(t * 90_000) for t in (0, 0.1, 0.2, 0.55, 0.65, 0.75)]
    for name in ("a.mp4", "a.mkv"):
        found = load_film(film(tmp_path / name, frames=6, stamps=stamps, rate=10))
        assert found.video is not None
        assert found.video.rate == 10
        assert numbers(found.video)[:8] == [0, 1, 2, 2, 2, 2, 3, 4]
        assert "no constant rate; it is read at 10 frames per second" in found.notes[0]


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_video_is_upright(degrees: int, tmp_path: Path) -> None:
    video = load(film(tmp_path / "a.mp4", frames=2, turned=degrees))
    assert (video.width, video.height) == ((48, 64) if degrees % 180 else (64, 48))
    frame = video.read(0, 1).pixels[0, ..., 0]
    halves = frame.reshape(2, frame.shape[0] // 2, 2, frame.shape[1] // 2).mean((1, 3))
    dark = np.unravel_index(halves.argmin(), (2, 2))
    # What was left above: a turn by 90 degrees against the clock brings it left below.
    assert dark == {90: (1, 0), 180: (1, 1), 270: (0, 1)}[degrees]


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        codes = np.full((48, 64, 3), 90, np.uint8)
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(codes, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    video = load(path)
    assert (video.width, video.height) == (85, 48)
    assert video.read(0, 1).pixels.shape == (1, 48, 85, 3)


def test_ten_bits_are_kept(tmp_path: Path) -> None:
    video = load(film(tmp_path / "a.mkv", codec="ffv1", form="yuv444p10le", options={}))
    assert video.depth == "16"
    assert greys(video) == pytest.approx([grey(i) for i in range(12)], abs=1)


def test_hdr_is_refused_in_a_sentence(tmp_path: Path) -> None:
    look = {"color_trc": 16, "color_primaries": 9, "colorspace": 9}
    path = film(tmp_path / "a.mp4", form="yuv420p10le", look=look, frames=2)
    with pytest.raises(UserError, match=r"'a.mp4' is not read: it is HDR \(PQ\).*Convert it"):
        load_film(path)


def test_alpha_is_kept(tmp_path: Path) -> None:
    def clear(number: int) -> np.ndarray:
        codes = np.full((48, 64, 4), 255, np.uint8)
        codes[:, :32, 3] = 0
        return codes

    path = film(tmp_path / "a.mov", codec="qtrle", form="argb", pixels=clear, options={}, frames=3)
    video = load(path)
    assert video.channels == 4
    assert video.read(0, 1).pixels[0, 5, :, 3].tolist() == [0.0] * 32 + [1.0] * 32


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp"])
def test_pictures_that_move_are_videos(name: str, tmp_path: Path) -> None:
    pages = [Pillow.new("RGB", (20, 15), (grey(i),) * 3) for i in range(5)]
    pages[0].save(
        tmp_path / name, save_all=True, append_images=pages[1:], duration=[100, 100, 300, 100, 100],
        **({"lossless": True} if name == "a.webp" else {}),
    )  # fmt: skip
    video = load(tmp_path / name)
    assert (video.rate, video.channels) == (10, 4)
    assert greys(video) == [grey(i) for i in (0, 1, 2, 2, 2, 3, 4)]
    with video.reader() as reader:
        assert greys(reader.read(5, 6)) == [grey(3)]
        assert greys(reader.read(1, 2)) == [grey(1)]


def test_the_sound_begins_with_the_first_frame(clip: Path, tmp_path: Path) -> None:
    audio = load_film(clip).audio
    assert (audio.channels, audio.rate) == (1, 48_000)
    assert audio.seconds == pytest.approx(1.2, abs=0.025)
    tone = 0.5 * np.sin(np.arange(audio.length) * 0.1)
    assert np.abs(audio.samples[0, 2000:50_000] - tone[2000:50_000]).max() < 0.05
    late = load_film(film(tmp_path / "late.mkv", sound=0.5, delay=0.25)).audio
    assert not late.samples[0, :11_000].any()
    assert np.abs(late.samples[0, 13_000:30_000]).max() > 0.4
    pieces = np.concatenate(list(audio.chunks(7001)), axis=1)
    assert np.array_equal(pieces, audio.samples)
    middle = audio.part(10_000, 12_000)
    assert np.abs(middle.samples - audio.samples[:, 10_000:12_000]).max() < 1e-3


def test_silence_is_told_when_it_is_listened_to(tmp_path: Path) -> None:
    audio = load_film(film(tmp_path / "mute.mp4")).audio
    assert (audio.is_silent_file, audio.seconds) == (True, 0)
    with pytest.raises(FramesGone, match=r"'mute.mp4' has no sound"):
        _ = audio.samples


def test_a_file_that_changes_or_goes_is_a_sentence(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4")
    video = load(path)
    assert video.is_there
    with video.reader() as reader:
        reader.read(0, 1)
        os.utime(path, ns=(1, 1))
        with pytest.raises(FramesGone, match=r"'a.mp4' was changed while it was read"):
            reader.read(1, 2)
    assert not video.is_there
    with pytest.raises(FramesGone, match=r"'a.mp4' was changed after it was loaded"):
        video.read(0, 1)
    path.unlink()
    with pytest.raises(FramesGone, match=r"'a.mp4' is no longer there"):
        video.read(0, 1)


def test_a_cancel_is_heard_while_frames_are_waited_for(clip: Path) -> None:
    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        load_film(clip, check=stop)
    asked: list[float] = []

    def later() -> None:
        asked.append(time.monotonic())
        if len(asked) > 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        for _ in load(clip).chunks(1, later):
            pass


def test_a_worker_that_dies_is_a_sentence(clip: Path) -> None:
    with load(clip).reader() as reader:
        reader.read(0, 1)
        (worker,) = [p for p in psutil.Process().children() if "backend.media.film" in p.cmdline()]
        worker.kill()
        with pytest.raises(FramesGone, match=r"stopped with status -9.*made to do harm"):
            reader.read(5, 6)


def test_a_frame_is_the_same_however_it_is_come_to(tmp_path: Path) -> None:
    path = film(tmp_path / "long.mp4", frames=120, rate=10, options={"g": "20", "bf": "3"})
    video = load(path)
    whole = video.read().pixels
    with video.reader() as reader:
        for number in (100, 39, 40, 41, 0, 119, 60, 61, 90):
            assert np.array_equal(reader.read(number, number + 1).pixels[0], whole[number])
    fast = change_rate(video, 0.5)
    assert np.array_equal(fast.read().pixels, whole[::20])


def test_steps_are_counted(tmp_path: Path) -> None:
    video = Spool(tmp_path / "s").video([Image(np.zeros((2, 4, 4, 3), np.float32))], 5)
    for number in range(64):
        video = change_rate(video, 7 + number % 2)
    assert video.read().pixels.shape[1:] == (4, 4, 3)
    with pytest.raises(UserError, match=r"at most 64 steps"):
        change_rate(video, 9)
