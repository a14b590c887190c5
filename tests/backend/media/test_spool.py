"""Frames of videos in the cache folder: exact, bounded, and gone when nobody wants them."""

from __future__ import annotations

import gc
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.media.spool import Spool
from backend.sdk import Cancelled, Image, UserError
from backend.values import FramesGone, digest, pack, unpack

ROOT = Path(__file__).parents[3]


def picture(
    frames: int = 2, height: int = 4, width: int = 6, channels: int = 3, seed: int = 0
) -> Image:
    shape = (frames, height, width, channels)
    return Image(np.random.default_rng(seed).random(shape, np.float32))


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def files(spool: Spool) -> list[Path]:
    return sorted(spool._root.glob("*.frames")) if spool._root and spool._root.exists() else []


@pytest.mark.parametrize(
    ("depth", "error"), [("8", 0.5 / 255), ("16", 0.5 / 65535), ("float", 2**-11)]
)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_frames_come_back_within_their_depth(
    depth: Any, error: float, channels: int, spool: Spool
) -> None:
    batches = [picture(2, channels=channels), picture(3, channels=channels, seed=1)]
    video = spool.video(batches, 24, depth)
    assert (video.frames, video.height, video.width, video.channels) == (5, 4, 6, channels)
    assert video.seconds == 5 / 24
    given = np.concatenate([b.pixels for b in batches])
    assert np.abs(video.read().pixels - given).max() <= error + 1e-7
    assert np.array_equal(video.read(1, 4).pixels, video.read().pixels[1:4])
    assert video.file.nbytes == files(spool)[0].stat().st_size == spool.nbytes


def test_values_outside_0_to_1_are_clipped_but_for_float(spool: Spool) -> None:
    wild = Image(np.array([-1, 0.5, 3], np.float32).reshape(1, 1, 1, 3), "linear")
    kept = spool.video([wild], 24, "float")
    assert kept.read().pixels.ravel().tolist() == [-1, 0.5, 3]
    assert kept.read().space == "linear"
    assert spool.video([wild], 24).read().pixels.ravel().tolist()[::2] == [0, 1]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 2000))
def test_chunks_are_all_frames_in_order(tmp_path_factory: Any, frames: int, most: int) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool"))
    video = spool.video([picture(frames)], 24)
    chunks = list(video.chunks(most))
    assert np.array_equal(np.concatenate([c.pixels for c in chunks]), video.read().pixels)
    bytes_each = 4 * 6 * 3 * 4
    assert all(c.count == 1 or c.count * bytes_each <= most for c in chunks)


def test_several_readers_go_through_it_by_themselves(spool: Spool) -> None:
    video = spool.video([picture(4)], 24)
    pairs = zip(video.chunks(1), video.chunks(1), strict=True)
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in pairs)


def test_the_digest_is_that_of_the_frames(spool: Spool, tmp_path: Path) -> None:
    one = spool.video([picture(4)], 24)
    parts = spool.video([Image(picture(4).pixels[:1]), Image(picture(4).pixels[1:])], 24)
    elsewhere = Spool(tmp_path / "other").video([picture(4)], 24)
    assert digest(one) == digest(parts) == digest(elsewhere)
    assert len({digest(v) for v in (one, one.but(25), spool.video([picture(4, seed=1)], 24))}) == 3
    assert np.array_equal(unpack(pack(one)).read().pixels, one.read().pixels)


def test_a_file_lives_as_long_as_somebody_holds_its_video(spool: Spool) -> None:
    video = spool.video([picture()], 24)
    slower = video.but(12)
    del video
    gc.collect()
    assert slower.read().count == 2
    del slower
    gc.collect()
    assert (files(spool), spool.nbytes) == ([], 0)


@pytest.mark.parametrize("harm", ["gone", "cut"])
def test_a_file_that_was_harmed_is_a_sentence(harm: str, spool: Spool) -> None:
    video = spool.video([picture()], 24)
    (path,) = files(spool)
    os.truncate(path, 100) if harm == "cut" else path.unlink()
    with pytest.raises(FramesGone, match="no longer in the cache folder"):
        video.read()


def test_a_range_that_is_not_there(spool: Spool) -> None:
    video = spool.video([picture()], 24)
    for start, stop in ((0, 3), (1, 1), (-1, 1), (2, None)):
        with pytest.raises(ValueError, match="not in a video of 2"):
            video.read(start, stop)


def endless() -> Iterator[Image]:
    while True:
        yield picture()


def failing() -> Iterator[Image]:
    yield picture()
    raise Cancelled


@pytest.mark.parametrize(
    ("frames", "rate", "error", "said"),
    [
        ([], 24, UserError, "at least one frame"),
        ([picture(), picture(width=7)], 24, UserError, "the first is 6x4 .* another is 7x4"),
        ([picture(), Image(picture().pixels, "linear")], 24, UserError, "sRGB or all linear"),
        ([picture()], 0, UserError, "above 0 frames"),
        (endless(), 24, UserError, "may take in the cache folder"),
        (failing(), 24, Cancelled, "^$"),
    ],
)
def test_what_cannot_be_a_video_leaves_nothing(
    frames: Any, rate: float, error: type[BaseException], said: str, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool", budget=10_000)
    with pytest.raises(error, match=said):
        spool.video(frames, rate)
    assert (files(spool), spool.nbytes) == ([], 0)


def test_the_check_is_asked_before_each_frame(spool: Spool) -> None:
    asked = []
    batch = Image(np.zeros((3, 2, 2, 3), np.float32))
    spool.video([batch, batch], 24, check=lambda: asked.append(1))
    assert len(asked) == 6


def test_a_cache_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written to"):
        Spool(tmp_path / "file").video([picture()], 24)


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from backend.media.spool import Spool
from backend.sdk import Image
video = Spool(Path(sys.argv[1])).video([Image(np.zeros((1, 4, 4, 3)))], 24)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed_by_the_next(spool: Spool) -> None:
    alive = Spool(spool._root)
    kept = alive.video([picture()], 24)
    done = subprocess.run([sys.executable, "-c", KILLED, str(spool._root)], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert len(files(spool)) == 2
    made = spool.video([picture()], 24)
    assert files(spool) == sorted([Path(kept.file.path), Path(made.file.path)])


def test_a_long_video_is_read_in_little_memory(spool: Spool) -> None:
    frame = picture(1, 256, 256)
    video = spool.video((frame for _ in range(400)), 24, "8")  # 300 MB of float32 pixels
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(chunk.count for chunk in video.chunks(8 * 2**20)) == 400
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 60_000  # kB
