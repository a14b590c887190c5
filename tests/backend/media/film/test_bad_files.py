"""Files that are cut short, empty, mistaken or made to do harm: a sentence, or the whole part."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from backend.media.film.load import load_film
from backend.media.film.probe import rhythm
from backend.media.sounds import write_sound
from backend.sdk import UserError
from backend.values import Audio, FramesGone
from tests.backend.media.film.films import film, noisy, numbers


def test_of_a_file_that_is_cut_short_the_whole_frames_are_read(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", options={"g": "1", "crf": "9"}, pixels=noisy)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    found = load_film(path)
    assert found.video is not None
    assert 4 < found.video.frames < 12
    assert numbers(found.video) == list(range(found.video.frames))


def test_a_cut_mp4_says_how_many_frames_are_whole(tmp_path: Path) -> None:
    import av

    path = film(tmp_path / "plain.mp4", options={"g": "1", "crf": "9"}, pixels=noisy)
    with av.open(str(path)) as old, av.open(
        str(tmp_path / "a.mp4"), "w", container_options={"movflags": "+faststart"}
    ) as new:  # fmt: skip
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(old.streams.video[0]):
            if packet.size:
                packet.stream = stream
                new.mux(packet)
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(data[: len(data) * 2 // 3])
    found = load_film(tmp_path / "a.mp4")
    assert found.video is not None
    whole = found.video.frames
    assert 4 < whole < 12
    assert found.notes == (f"'a.mp4' is cut short: {whole} of 12 frames are whole and are read.",)
    assert numbers(found.video) == list(range(whole))


def test_of_a_gif_that_is_cut_short_the_whole_pictures_are_read(tmp_path: Path) -> None:
    pages = [Pillow.fromarray(noisy(number)) for number in range(6)]
    pages[0].save(tmp_path / "a.gif", save_all=True, append_images=pages[1:], duration=100)
    data = (tmp_path / "a.gif").read_bytes()
    (tmp_path / "a.gif").write_bytes(data[: len(data) * 3 // 5])
    found = load_film(tmp_path / "a.gif")
    assert found.video is not None
    assert 2 <= found.video.frames <= 4
    assert numbers(found.video) == list(range(found.video.frames))
    assert "pictures are whole and are read" in found.notes[0]


def test_an_mp4_without_its_index_is_damaged(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"'a.mp4' is damaged"):
        load_film(path)


def test_a_broken_frame_is_refused_or_repeated(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", options={"g": "1", "crf": "1"}, codec="mjpeg", form="yuvj420p")
    data = bytearray(path.read_bytes())
    places = [at for at in range(len(data) - 1) if data[at : at + 2] == b"\xff\xd8"]
    data[places[5] : places[5] + 600] = bytes(600)
    path.write_bytes(data)
    refused = load_film(path).video
    assert refused is not None
    assert numbers(refused.read(0, 5)) == [0, 1, 2, 3, 4]
    with pytest.raises(FramesGone, match=r"frame 5 at 0.500 seconds cannot.*Set damaged to repeat"):
        refused.read()
    repaired = load_film(path, repair=True).video
    assert repaired is not None
    assert numbers(repaired) == [0, 1, 2, 3, 4, 4, 6, 7, 8, 9, 10, 11]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("empty.mp4", b"", "is empty"),
        ("text.mp4", b"This is a text and no video at all.", "is no video. Weft reads MP4"),
        ("list.mp4", b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "is no video"),
        ("list.mkv", b"ffconcat version 1.0\nfile /etc/passwd\n", "is no video"),
        ("head.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "is damaged"),
        ("head.webm", b"\x1a\x45\xdf\xa3" + bytes(60), "is damaged"),
        ("head.avi", b"RIFF\xff\xff\xff\xffAVI " + bytes(60), "is damaged|not read"),
        ("head.gif", b"GIF89a\x05\0\x05\0", "is damaged|not read"),
    ],
)
def test_what_is_no_video_is_a_sentence(name: str, data: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=words):
        load_film(tmp_path / name)


def test_a_sound_or_a_picture_is_no_video(tmp_path: Path) -> None:
    tone = Audio(np.sin(np.arange(8000, dtype=np.float32))[None] * 0.3, 8000)
    for format in ("wav", "flac"):
        write_sound(tmp_path / "song.mp4", tone, format=format)  # type: ignore[arg-type]
        with pytest.raises(UserError, match=r"'song.mp4' is no video. It is a sound; Load audio"):
            load_film(tmp_path / "song.mp4")
    write_sound(tmp_path / "song.mp3", tone, format="mp3")
    assert load_film(tmp_path / "song.mp3").video is None
    Pillow.new("RGB", (9, 7)).save(tmp_path / "one.png")
    with pytest.raises(UserError, match=r"single picture and no video. Load image"):
        load_film(tmp_path / "one.png")


def test_a_video_without_frames_is_a_sentence(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", frames=1, sound=0.3)
    data = path.read_bytes()
    import av

    with av.open(str(path)) as old, av.open(str(tmp_path / "b.mkv"), "w") as new:
        new.add_stream_from_template(old.streams.video[0])
        heard = new.add_stream_from_template(old.streams.audio[0])
        for packet in old.demux(old.streams.audio[0]):
            if packet.size:
                packet.stream = heard
                new.mux(packet)
    assert data
    with pytest.raises(UserError, match=r"'b.mkv' is damaged: it holds no whole frame"):
        load_film(tmp_path / "b.mkv")


def test_a_size_above_the_caps_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = film(tmp_path / "a.avi", codec="rawvideo", form="bgr24", options={}, frames=1)
    data = bytearray(path.read_bytes())
    at = data.index(b"strf") + 12
    assert struct.unpack_from("<I", data, at) == (64,)
    struct.pack_into("<I", data, at, 60_000_000)
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"damaged|not read"):
        load_film(path)


@pytest.mark.parametrize("seed", range(6))
def test_any_bytes_give_frames_or_a_sentence(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    path = film(tmp_path / ("a.mp4" if seed % 2 else "a.mkv"), sound=0.5)
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    for place in rng.integers(0, len(data), 12):
        data[place] = rng.integers(0, 256)
    path.write_bytes(data.tobytes())
    try:
        found = load_film(path, repair=bool(seed % 3))
        if found.video is not None:
            found.video.read()
        if not found.audio.is_silent_file:
            _ = found.audio.samples
    except (UserError, FramesGone) as error:
        assert path.name in str(error)  # noqa: PT017 - there may be none


def test_times_are_read_as_the_rate_that_was_meant() -> None:
    ntsc = np.round(np.arange(40) * 1001 / 30, 0) / 1000  # as WebM rounds them
    found = rhythm(ntsc, 0.033, 0.0, 0.001)
    assert (found.rate, found.frames, found.steady) == (pytest.approx(30000 / 1001), 40, True)
    gif = np.round(np.arange(30) * 100 / 24) / 100
    assert rhythm(gif, 0.04, 0.0, 0.01).rate == pytest.approx(24, rel=2e-3)
    assert rhythm(np.array([0.0]), 0.5, 0.0, 0.001).rate == 2
    slow = rhythm(np.array([0, 1, 2, 30.0]), 1.0, 0.0, 0.001)
    assert (slow.rate, slow.frames, slow.steady) == (1.0, 31, False)
