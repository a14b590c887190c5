"""Videos in the disk cache: their frames are files of their own, and last as long as a holder."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest

from backend.engine.results import make_result
from backend.media.film.edit import change_rate, join
from backend.media.film.load import load_film
from backend.media.spool import Spool
from backend.values import Cropped, Image, Part
from tests.backend.engine.disk.conftest import entries, result
from tests.backend.media.film.films import film


@pytest.fixture
def video(tmp_path):
    spool = Spool(tmp_path / "spool")
    frames = (Image(np.full((1, 4, 6, 3), n / 8, np.float32)) for n in range(8))
    return spool.video(frames, 24.0, "8")


def keep(opened, video, seconds: float = 1.0):
    cache = opened()
    cache.put("v", "s", make_result({"video": video, "all": [video, video]}, seconds, True))
    cache.flush()
    return cache


def test_a_video_comes_back_without_the_spool_it_was_made_in(root, opened, video, tmp_path):
    whole = video.read().pixels
    keep(opened, video)
    assert len(entries(root)) == 4  # the values, and three files of frames
    for file in (tmp_path / "spool").iterdir():
        file.unlink()
    found = opened().get("v").values
    assert np.array_equal(found["video"].read().pixels, whole)
    assert found["all"][1].rate == 24.0
    assert found["video"].file.content == video.file.content


def test_whoever_holds_a_video_keeps_its_frames(root, opened, video):
    """Another process empties the cache; the frames stay until the last holder lets go."""
    keep(opened, video)
    reader = opened()
    found = reader.get("v").values["video"]
    opened().clear()
    assert entries(root) == []
    assert found.is_there
    assert found.read(7).pixels[0, 0, 0, 0] == pytest.approx(7 / 8, abs=0.01)
    path = found.file.path
    del found
    gc.collect()
    assert not list((root / "held").glob("*.frames")), path


def test_damaged_frames_are_no_video(root, opened, video):
    keep(opened, video)
    frames = next(root.glob("*.frames"))
    data = bytearray(frames.read_bytes())
    data[5] ^= 1
    frames.unlink()  # the file that lies there has another name in the spool: leave that alone
    frames.write_bytes(data)
    cache = opened()
    assert cache.get("v") is None
    assert "damaged" in cache.troubles()[0]
    cache.flush()
    assert entries(root) == []
    assert opened().verify().broken == 0


def test_frames_count_under_the_budget(root, opened, video):
    keep(opened, video)
    small = opened(budget=2000)
    small.find("v")
    small.flush()
    assert small.info().nbytes <= 2000
    assert entries(root) == []
    assert opened().find("v").digests


def test_frames_that_are_gone_cost_the_video_and_nothing_else(root, opened, video, tmp_path):
    for file in (tmp_path / "spool").glob("*.frames"):
        file.unlink()
    cache = keep(opened, video)
    cache.put("k", "s", result())
    cache.flush()
    assert cache.troubles() == ()
    other = opened()
    assert other.get("v") is None
    assert other.find("v").digests
    assert other.get("k")


def test_without_hard_links_frames_are_copied(root, opened, video, monkeypatch):
    import os

    def none(*_args, **_more):
        raise OSError(95, "not supported")

    whole = video.read().pixels
    monkeypatch.setattr(os, "link", none)
    keep(opened, video)
    found = opened().get("v").values["video"]
    assert np.array_equal(found.read().pixels, whole)
    assert os.stat(found.file.path).st_nlink == 1


def test_videos_of_parts_and_steps_come_back(root, opened, video, tmp_path):
    """Frames lie in files that follow the value; a media file stays where it is."""
    media = load_film(film(tmp_path / "clip.mp4", size=(6, 4))).video
    small = replace(video, file=replace(video.file, path=video.file.path)).then(Part(2, 4))
    both = join([change_rate(small, 12), media.but(12)]).then(Cropped(0, 0, 3, 2))
    whole = both.read().pixels
    keep(opened, both)
    for file in (tmp_path / "spool").iterdir():
        file.unlink()
    found = opened().get("v").values["video"]
    assert found.is_there
    assert np.array_equal(found.read().pixels, whole)
    (tmp_path / "clip.mp4").unlink()
    assert not found.is_there
