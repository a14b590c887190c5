"""The nodes that read, change and write video files, called as the plain functions they are."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from backend.engine.engine import Engine
from backend.engine.registry import scan_nodes
from backend.graph.facts import facts_of
from backend.graph.format import parse
from backend.media.film.load import load_film
from backend.media.grants import Grants
from backend.media.metadata import read_provenance
from backend.media.outputs import OutputFolder
from backend.media.sounds import write_sound
from backend.media.spool import Spool
from backend.sdk import Audio, Cancelled, Image, UserError
from nodes.audio import load_audio, trim_audio
from nodes.video import video_frames
from nodes.video_edit import change_rate, crop_video, join_videos, resize_video, trim_video
from nodes.video_files import load_video, save_video
from tests.backend.media.film.films import film, numbers
from tests.nodes.test_files import PROVENANCE
from tests.nodes.test_video import VideoDesk


@pytest.fixture
def desk(tmp_path: Path) -> VideoDesk:
    film(tmp_path / "clip.mp4", sound=1.2)
    return VideoDesk(tmp_path)


def test_a_video_is_read_changed_and_written_without_a_spool(desk: VideoDesk) -> None:
    loaded = load_video(desk, "clip.mp4")
    small = resize_video(desk, loaded.video, 32, 0)
    assert (small.width, small.height) == (32, 24)
    cut = trim_video(desk, small, 0.2, 0.6)
    assert numbers(cut) == [2, 3, 4, 5, 6, 7]
    both = join_videos(desk, cut, change_rate(desk, small, 5))
    assert (both.frames, both.rate) == (18, 10)
    sound = trim_audio(desk, loaded.audio, 0.2, 0.6)
    assert save_video(desk, both, sound, name="a") is both
    assert desk.videos.nbytes == 0
    written = desk.output.root / "a.mp4"
    found = load_film(written)
    assert found.video is not None
    assert numbers(found.video) == [2, 3, 4, 5, 6, 7, *(n // 2 * 2 for n in range(12))]
    assert found.audio.seconds == pytest.approx(0.6, abs=0.03)
    assert read_provenance(written) == PROVENANCE
    assert str(desk.grants.base).encode() not in written.read_bytes()
    assert desk.steps[-1] == (18, 18)


def test_doing_nothing_gives_the_very_video(desk: VideoDesk) -> None:
    video = load_video(desk, "clip.mp4").video
    assert resize_video(desk, video, 64, 48) is video
    assert crop_video(desk, video, "centre", 0, 0, 0, 0) is video
    assert trim_video(desk, video) is video
    assert change_rate(desk, video, 10) is video is change_rate(desk, video, 10, "frames")
    assert join_videos(desk, video) is video


def test_modes_boxes_and_rates(desk: VideoDesk) -> None:
    video = load_video(desk, "clip.mp4").video
    padded = resize_video(desk, video, 64, 64, "pad").read(3, 4).pixels[0]
    assert padded.shape == (64, 64, 3)
    assert not padded[:8].any()
    assert padded[32].any()
    square = crop_video(desk, resize_video(desk, video, 48, 48, "fill"), "centre", 0, 0, 20, 10)
    assert (square.width, square.height) == (20, 10)
    quick = change_rate(desk, video, 20, "frames")
    assert (quick.frames, quick.seconds) == (12, 0.6)
    assert video_frames(desk, square, 11, 4).count == 1


def test_what_cannot_be_done_is_a_sentence(desk: VideoDesk) -> None:
    video = load_video(desk, "clip.mp4").video
    with pytest.raises(UserError, match=r"1.2 seconds long, so nothing is left from 5"):
        trim_video(desk, video, 5)
    with pytest.raises(UserError, match=r"Put Resize video before it"):
        join_videos(desk, video, resize_video(desk, video, 32, 24))
    with pytest.raises(UserError, match=r"16384x16384 pixels, above the 67 million"):
        resize_video(desk, video, 16384, 16384, "stretch")
    with pytest.raises(UserError, match=r"no video to join"):
        join_videos(desk)
    with pytest.raises(UserError, match=r"more than the 4000000"):
        join_videos(desk, *[trim_video(desk, change_rate(desk, video, 1000), 0, 1)] * 5000)
    with pytest.raises(UserError, match=r"outside"):
        load_video(desk, "../secret.mp4")
    with pytest.raises(UserError, match=r"A GIF has no sound"):
        save_video(desk, video, load_video(desk, "clip.mp4").audio, format="gif")
    assert not list(desk.output.root.rglob("*.gif"))


def test_one_kind_given_to_the_node_of_another(desk: VideoDesk) -> None:
    base = desk.grants.base
    assert load_audio(desk, "clip.mp4").seconds == pytest.approx(1.2, abs=0.03)
    film(base / "mute.mp4")
    with pytest.raises(UserError, match=r"'mute.mp4' is a video without sound"):
        load_audio(desk, "mute.mp4")
    tone = Audio(np.sin(np.arange(4000, dtype=np.float32))[None] * 0.3, 8000)
    write_sound(base / "song.mp3", tone, format="mp3")
    with pytest.raises(UserError, match=r"sound but no moving pictures. Load audio"):
        load_video(desk, "song.mp3")
    (base / "text.mp4").write_text("no video at all, whatever its name says")
    with pytest.raises(UserError, match=r"'text.mp4' is no video"):
        load_video(desk, "text.mp4")
    with pytest.raises(UserError, match=r"'text.mp4' is no sound"):
        load_audio(desk, "text.mp4")
    loaded = load_video(desk, "mute.mp4")
    save_video(desk, loaded.video, name="fine")
    with pytest.raises(UserError, match=r"^'mute.mp4' has no sound"):
        save_video(desk, loaded.video, loaded.audio, name="silent")
    assert not list(desk.output.root.rglob("*silent*"))


def test_notes_tell_what_is_odd(desk: VideoDesk) -> None:
    stamps = [int(t * 90_000) for t in (0, 0.1, 0.2, 0.55, 0.65)]
    film(desk.grants.base / "uneven.mp4", frames=5, stamps=stamps)
    video = load_video(desk, "uneven.mp4").video
    assert "no constant rate" in desk.noted[-1]
    odd = crop_video(desk, video, "centre", 0, 0, 31, 17)
    long = Audio(np.zeros((1, 80_000), np.float32), 8000)
    save_video(desk, odd, long, name="odd")
    assert [said.split()[:2] for said in desk.noted[-2:]] == [["An", "MP4"], ["The", "sound"]]
    save_video(desk, change_rate(desk, odd, 100), name="quick", format="gif")
    assert "at most 50 frames" in desk.noted[-1]
    found = load_film(desk.output.root / "quick.gif").video
    assert found is not None
    assert found.rate == pytest.approx(50)
    save_video(desk, odd, name="slow", rate=5)
    slow = load_film(desk.output.root / "slow.mp4").video
    assert slow is not None
    assert (slow.rate, slow.width, slow.height) == (5, 32, 18)


def test_a_cancelled_write_leaves_nothing(desk: VideoDesk) -> None:
    video = load_video(desk, "clip.mp4").video
    told: list[float] = []

    def progress(done: float, total: float) -> None:
        told.append(done)
        if done == 3:
            raise Cancelled

    desk.progress = progress  # type: ignore[method-assign]
    with pytest.raises(Cancelled):
        save_video(desk, video)
    assert told[-1] == 3
    assert not desk.output.root.exists()


def test_hostile_numbers_come_through(desk: VideoDesk) -> None:
    video = load_video(desk, "clip.mp4").video
    huge = resize_video(desk, trim_video(desk, video, 0, 0.1), 4096, 4096, "stretch", "lanczos")
    assert video_frames(desk, huge, 0, 1).pixels.shape == (1, 4096, 4096, 3)
    for rate in (0.01, 999.0):
        save_video(desk, trim_video(desk, change_rate(desk, video, rate, "frames"), 0, 1 / rate),
                   name=f"at {rate}")  # fmt: skip
        made = load_film(desk.output.root / f"at {rate}.mp4").video
        assert made is not None
        assert made.rate == pytest.approx(rate, rel=1e-3)
    point = resize_video(desk, video, 1, 1, "stretch", multiple=1)
    for format in ("mp4", "webm", "gif"):
        save_video(desk, point, name="point", format=format)  # type: ignore[arg-type]
        assert (desk.output.root / f"point.{format}").exists()


def test_facts_follow_what_is_done() -> None:
    clip = facts_of("Video", width=1920, height=1080, frames=300, rate=30.0)
    size = SimpleNamespace(width=640, height=0, mode="fit", multiple=2)
    assert resize_video.hooks["facts"](size, video=clip) == clip.but(width=640, height=360)
    box = SimpleNamespace(place="centre", x=0, y=0, width=1080, height=1080, outside="clamp")
    assert crop_video.hooks["facts"](box, video=clip).width == 1080
    cut = SimpleNamespace(start=2.0, length=1.0)
    assert trim_video.hooks["facts"](cut, video=clip).frames == 30
    assert trim_video.hooks["facts"](cut, video=None).frames is None
    rate = SimpleNamespace(rate=15.0, keep="time")
    assert change_rate.hooks["facts"](rate, video=clip) == clip.but(rate=15.0, frames=150)
    nothing = SimpleNamespace()
    other = clip.but(rate=15.0, frames=150)
    assert join_videos.hooks["facts"](nothing, videos=[clip, other]) == clip.but(frames=600)
    assert join_videos.hooks["facts"](nothing, videos=[clip, facts_of("Video")]).frames is None
    with pytest.raises(UserError, match=r"1920x1080 pixels, number 2 has 64x48"):
        join_videos.hooks["facts"](nothing, videos=[clip, facts_of("Video", width=64, height=48)])
    assert save_video.hooks["facts"](nothing, video=clip) == clip


def test_a_source_that_changes_between_runs_is_read_anew(tmp_path: Path) -> None:
    film(tmp_path / "clip.mp4")
    document = {
        "weft": 1,
        "nodes": {
            "load": {"type": "load_video", "version": 1, "params": {"file": "clip.mp4"}},
            "small": {"type": "resize_video", "version": 1, "params": {"width": 16},
                      "inputs": {"video": "load.video"}},
            "take": {"type": "video_frames", "version": 1, "params": {"count": 4},
                     "inputs": {"video": "small.video"}},
        },
    }  # fmt: skip
    grants, output = Grants(tmp_path, (tmp_path,)), OutputFolder(tmp_path / "out")
    engine = Engine(scan_nodes(), grants=grants, output=output, spool=Spool(tmp_path / "spool"))
    try:
        workflow = parse(json.dumps(document), "x")
        first = engine.run(workflow)
        assert first.status == "done", (first.failures, first.diagnostics)
        before: Image = first.values["take"]["image"]
        film(tmp_path / "clip.mp4", pixels=lambda i: np.full((48, 64, 3), 200, np.uint8))
        again = engine.run(workflow)
        assert again.status == "done", again.failures
        after: Image = again.values["take"]["image"]
        assert after.pixels.mean() > 0.7 > before.pixels.mean()
        (tmp_path / "clip.mp4").unlink()
        gone = engine.run(workflow)
        assert gone.status != "done"
        told = [str(each) for each in (*gone.failures.values(), *gone.diagnostics)]
        assert any("'clip.mp4' does not exist" in sentence for sentence in told), told
        assert not list((tmp_path / "spool").glob("*.frames"))
    finally:
        engine.close()
