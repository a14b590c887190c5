"""The video nodes, called as the plain functions they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backend.engine.engine import Engine
from backend.engine.registry import scan_nodes
from backend.graph.facts import facts_of
from backend.graph.format import parse
from backend.media.grants import Grants
from backend.media.images import ImageOptions, read_image, write_image
from backend.media.metadata import read_provenance
from backend.media.outputs import OutputFolder
from backend.media.spool import Spool
from backend.sdk import Cancelled, Image, Saved, UserError, Video
from nodes.video import images_to_video, load_frames, save_video_frames, video_frames
from tests.nodes.test_files import PROVENANCE, Desk, picture, store


class VideoDesk(Desk):
    """The desk of file nodes, with a spool and folders as outputs."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.videos = Spool(home / "spool")

    def spool(self, frames: Iterable[Image], rate: float, depth: Any = "16") -> Video:
        return self.videos.video(frames, rate, depth, self.check)

    def save_folder(
        self,
        name: str,
        write: Callable[[Path, Mapping[str, Any]], None],
        *,
        overwrite: str = "number",
    ) -> Saved:
        saved = self.output.save_folder(
            name,
            lambda path: write(path, PROVENANCE),
            overwrite=overwrite,
            fields={"node": "save"},
        )
        self.saved.append(saved)
        return saved


@pytest.fixture
def desk(tmp_path: Path) -> VideoDesk:
    return VideoDesk(tmp_path)


def test_pictures_become_the_frames_of_a_video_and_come_out_again(desk: VideoDesk) -> None:
    batch, single = picture(3, 4, 6, 3), picture(1, 4, 6, 3, seed=1)
    video = images_to_video(desk, [batch, single], 12.0)
    assert (video.frames, video.rate) == (4, 12.0)
    taken = video_frames(desk, video, start=2, count=16)
    both = np.concatenate([batch.pixels[2:], single.pixels])
    assert np.abs(taken.pixels - both).max() < 1e-7  # 8 bits fit into 16 exactly
    assert video_frames(desk, video, 0, 1).count == 1


def test_frames_beyond_the_end_or_too_many_are_a_sentence(desk: VideoDesk) -> None:
    video = images_to_video(desk, [picture(2, 4, 6, 3)])
    with pytest.raises(UserError, match="has 2 frames, so there is none at 2"):
        video_frames(desk, video, start=2)
    with pytest.raises(UserError, match="Resize them first"):
        images_to_video(desk, [picture(1, 4, 6, 3), picture(1, 4, 7, 3)])
    large = SimpleNamespace(frames=5000, width=4096, height=4096)
    with pytest.raises(UserError, match="Lower count"):
        video_frames(desk, large, 0, 100)


def test_frames_are_saved_as_a_folder_and_loaded_again(desk: VideoDesk) -> None:
    video = images_to_video(desk, [picture(3, 4, 6, 3)])
    for name in ("waves", "waves"):
        assert save_video_frames(desk, video, name) is video
    assert [saved.path for saved in desk.saved] == ["waves", "waves-2"]
    folder = desk.output.root / "waves"
    assert [p.name for p in sorted(folder.iterdir())] == ["00001.png", "00002.png", "00003.png"]
    assert read_provenance(folder / "00002.png") == {**PROVENANCE, "frame": 2}
    assert desk.steps[-1] == (3, 3)
    again = load_frames(desk, "out/waves", rate=8)
    assert again.rate == 8
    assert again.file.content == video.file.content
    part = load_frames(desk, "out/waves/", skip=1, limit=1)
    assert np.array_equal(part.read().pixels, video.read(1, 2).pixels)


def test_16_bits_reach_the_files(desk: VideoDesk) -> None:
    fine = Image(np.full((1, 4, 4, 3), 1 / 65535, np.float32))
    save_video_frames(desk, images_to_video(desk, [fine]), "fine", depth="16")
    (back,) = read_image(desk.output.root / "fine" / "00001.png")
    assert np.array_equal(back.pixels, fine.pixels)


def test_a_cancel_leaves_no_folder(desk: VideoDesk) -> None:
    video = images_to_video(desk, [picture(3, 4, 6, 3)])

    def stop(done: float, total: float) -> None:
        if done == 2:
            raise Cancelled

    desk.progress = stop  # type: ignore[method-assign]
    with pytest.raises(Cancelled):
        save_video_frames(desk, video, "x")
    assert not desk.output.root.exists()


def test_a_cancel_inside_a_frame_leaves_no_folder(desk: VideoDesk) -> None:
    video = images_to_video(desk, [picture(3, 4, 6, 3)])

    def stop() -> None:
        raise Cancelled

    desk.check = stop  # type: ignore[method-assign]
    with pytest.raises(Cancelled):
        save_video_frames(desk, video, "x")
    assert not desk.output.root.exists()


def test_a_folder_of_frames_needs_pictures_a_grant_and_one_size(desk: VideoDesk) -> None:
    (desk.grants.base / "shots").mkdir()
    with pytest.raises(UserError, match="no picture in 'shots'"):
        load_frames(desk, "shots")
    with pytest.raises(UserError, match="outside"):
        load_frames(desk, "../shots")
    store(desk, "shots/1.png", picture(1, 4, 6, 3))
    store(desk, "shots/2.png", picture(1, 4, 7, 3))
    with pytest.raises(UserError, match="have one size"):
        load_frames(desk, "shots")
    assert desk.videos.nbytes == 0


def test_a_link_among_the_frames_gives_nothing_away(desk: VideoDesk, tmp_path_factory: Any) -> None:
    store(desk, "shots/1.png", picture(1, 4, 6, 3))
    outside = tmp_path_factory.mktemp("outside") / "2.png"
    write_image(outside, picture(1, 4, 6, 3), ImageOptions())
    (desk.grants.base / "shots/2.png").symlink_to(outside)
    with pytest.raises(UserError, match="outside"):
        load_frames(desk, "shots")


def test_facts_say_what_is_known() -> None:
    image = facts_of("Image", width=6, height=4, channels=3, count=2)
    p = SimpleNamespace(rate=12.0, start=1, count=16)
    made = images_to_video.hooks["facts"](p, images=image.listed(3))
    assert made == facts_of("Video", width=6, height=4, frames=6, rate=12.0)
    assert images_to_video.hooks["facts"](p, images=None) == facts_of("Video", rate=12.0)
    taken = video_frames.hooks["facts"](p, video=made)
    assert taken == facts_of("Image", width=6, height=4, count=5)
    with pytest.raises(UserError, match="none at 1"):
        video_frames.hooks["facts"](p, video=made.but(frames=1))
    assert save_video_frames.hooks["facts"](p, video=made) == made
    assert save_video_frames.spec.effect


def test_frames_that_were_lost_are_made_again(tmp_path: Path) -> None:
    """A remembered result whose frames are gone from the cache folder is no result."""
    for number in (1, 2):
        write_image(tmp_path / f"{number}.png", picture(1, 4, 6, 3, seed=number), ImageOptions())
    document = {
        "weft": 1,
        "nodes": {
            "load": {"type": "load_frames", "version": 1,
                     "params": {"folder": ".", "pattern": "*.png"}},
            "take": {"type": "video_frames", "version": 1, "inputs": {"video": "load.video"}},
        },
    }  # fmt: skip
    grants, output = Grants(tmp_path, (tmp_path,)), OutputFolder(tmp_path / "out")
    engine = Engine(scan_nodes(), grants=grants, output=output, spool=Spool(tmp_path / "spool"))
    try:
        workflow = parse(json.dumps(document), "x")
        first = engine.run(workflow, only=["load"])
        assert first.status == "done", (first.failures, first.diagnostics)
        (frames,) = (tmp_path / "spool").glob("*.frames")
        frames.unlink()
        again = engine.run(workflow)
        assert again.status == "done", again.failures
        assert again.values["take"]["image"].count == 2
    finally:
        engine.close()
