"""The file nodes, called as the plain functions they are, with a small fake context."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile

from backend.graph.facts import facts_of
from backend.media.grants import Grants
from backend.media.images import ImageOptions, image_facts, read_image, write_image
from backend.media.metadata import read_provenance
from backend.media.outputs import OutputFolder
from backend.media.sounds import read_sound
from backend.sdk import Audio, Cancelled, Image, Saved, UserError
from nodes.files import image_folder, load_image, preview_image, save_image

PROVENANCE = {"workflow": "{}", "node": "save", "seeds": {}}


class Desk:
    """A context with real grants and a real output folder."""

    def __init__(self, home: Path) -> None:
        self.grants = Grants(home, (home,))
        self.output = OutputFolder(home / "out")
        self.saved: list[Saved] = []
        self.shown: list[Image] = []
        self.noted: list[str] = []
        self.steps: list[tuple[float, float]] = []

    def check(self) -> None:
        pass

    def progress(self, done: float, total: float) -> None:
        self.steps.append((done, total))

    def note(self, text: str) -> None:
        self.noted.append(text)

    def preview(self, image: Image) -> None:
        self.shown.append(image)

    def read(self, path: str) -> Path:
        return self.grants.read(path)

    def read_images(self, path: str) -> tuple[Image, ...]:
        return read_image(self.read(path))

    def read_sound(self, path: str) -> Audio:
        return read_sound(self.read(path))

    def save(
        self,
        name: str,
        suffix: str,
        write: Callable[[Path, Mapping[str, Any]], None],
        *,
        overwrite: str = "number",
    ) -> Saved:
        saved = self.output.save(
            name,
            suffix,
            lambda path: write(path, PROVENANCE),
            overwrite=overwrite,
            fields={"node": "save", "seed": 7, "prompt.text": "a red circle"},
        )
        self.saved.append(saved)
        return saved


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def picture(*shape: int, seed: int = 0) -> Image:
    codes = np.random.default_rng(seed).integers(0, 256, shape)
    return Image((codes / 255).astype(np.float32))


def store(desk: Desk, name: str, image: Image) -> None:
    path = desk.grants.base / name
    path.parent.mkdir(exist_ok=True)
    write_image(path, image, ImageOptions())


def test_load_gives_the_picture_and_its_coverage(desk: Desk) -> None:
    image = picture(1, 5, 4, 4)
    store(desk, "a.png", image)
    loaded = load_image(desk, "a.png")
    assert np.array_equal(loaded.image.pixels, image.pixels)
    assert np.array_equal(loaded.mask.coverage, image.pixels[..., 3])


def test_without_alpha_all_is_covered(desk: Desk) -> None:
    store(desk, "a.png", picture(1, 5, 4, 1))
    loaded = load_image(desk, "a.png")
    assert loaded.image.channels == 1
    assert loaded.mask.coverage.shape == (1, 5, 4)
    assert loaded.mask.coverage.min() == 1


def test_load_needs_a_grant_and_a_file(desk: Desk) -> None:
    with pytest.raises(UserError, match="outside"):
        load_image(desk, "../secret.png")
    with pytest.raises(UserError, match="is chosen"):
        load_image(desk, "")


def test_pages_of_unlike_sizes_are_refused_with_what_helps(desk: Desk) -> None:
    with tifffile.TiffWriter(desk.grants.base / "pages.tif") as writer:
        writer.write(np.zeros((6, 5, 3), np.uint8), photometric="rgb")
        writer.write(np.zeros((3, 4, 3), np.uint8), photometric="rgb")
    with pytest.raises(UserError, match=r"2 pages of different sizes.*Image folder"):
        load_image(desk, "pages.tif")


def test_facts_of_a_load_are_those_of_the_header(desk: Desk) -> None:
    store(desk, "a.png", picture(1, 5, 4, 3))
    lookup = SimpleNamespace(image=lambda path: image_facts(desk.grants, path))
    facts = load_image.hooks["facts"](SimpleNamespace(file="a.png", lookup=lookup))
    assert facts == {
        "image": facts_of("Image", width=4, height=5, channels=3, count=1),
        "mask": facts_of("Mask", width=4, height=5, count=1),
    }
    for file in ("nil.png", "", None):
        facts = load_image.hooks["facts"](SimpleNamespace(file=file, lookup=lookup))
        assert facts == {"image": facts_of("Image"), "mask": facts_of("Mask")}


def test_a_folder_is_a_list_of_pictures_with_names(desk: Desk) -> None:
    for number in (10, 2, 1):
        store(desk, f"shots/img{number}.png", picture(1, 5, number, 3))
    (desk.grants.base / "shots/readme.txt").write_text("no picture")
    images, names = image_folder(desk, "shots")
    assert names == ["img1.png", "img2.png", "img10.png"]
    assert [image.width for image in images] == [1, 2, 10]
    assert desk.steps[-1] == (3, 3)
    assert image_folder(desk, "shots/", skip=1, limit=1).names == ["img2.png"]
    assert image_folder(desk, "shots", "img1*").names == ["img1.png", "img10.png"]


def test_a_link_in_the_folder_gives_nothing_away(desk: Desk, tmp_path_factory: Any) -> None:
    store(desk, "shots/a.png", picture(1, 2, 2, 3))
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    write_image(outside, picture(1, 2, 2, 3), ImageOptions())
    (desk.grants.base / "shots/b.png").symlink_to(outside)
    with pytest.raises(UserError, match="outside"):
        image_folder(desk, "shots")


def test_a_folder_without_pictures_and_a_broken_one(desk: Desk) -> None:
    (desk.grants.base / "shots").mkdir()
    with pytest.raises(UserError, match="no picture in 'shots' that fits"):
        image_folder(desk, "shots")
    (desk.grants.base / "shots/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UserError, match=r"'broken\.png' is damaged"):
        image_folder(desk, "shots")
    with pytest.raises(UserError, match=r"no picture.*after the first 5"):
        image_folder(desk, "shots", skip=5)


@pytest.mark.parametrize(
    ("format", "suffix"), [("png", ".png"), ("jpeg", ".jpg"), ("webp", ".webp"), ("tiff", ".tif")]
)
def test_save_writes_the_picture_with_its_provenance(desk: Desk, format: Any, suffix: str) -> None:
    image = picture(1, 5, 4, 3)
    assert save_image(desk, image, format=format, lossless=True) is image
    (saved,) = desk.saved
    assert saved.path == f"save-0001{suffix}"
    path = desk.output.root / saved.path
    assert read_provenance(path) == PROVENANCE
    (back,) = read_image(path)
    assert np.abs(back.pixels - image.pixels).max() < (0.6 if format == "jpeg" else 1e-6)


def test_each_picture_of_a_batch_has_a_file_of_its_own(desk: Desk) -> None:
    batch = picture(3, 5, 4, 3)
    save_image(desk, batch, name="{prompt.text}/{counter}")
    assert [saved.path for saved in desk.saved] == [f"a red circle/{n}.png" for n in (1, 2, 3)]
    for index, saved in enumerate(desk.saved):
        (back,) = read_image(desk.output.root / saved.path)
        assert np.array_equal(back.pixels[0], batch.pixels[index])


@pytest.mark.parametrize("overwrite", ["replace", "refuse"])
def test_a_batch_never_overwrites_itself(desk: Desk, overwrite: Any) -> None:
    save_image(desk, picture(2, 5, 4, 3), name="x", overwrite=overwrite)
    assert [saved.path for saved in desk.saved] == ["x-1.png", "x-2.png"]


def test_depth_and_background_reach_the_file(desk: Desk) -> None:
    fine = Image(np.full((1, 4, 4, 3), 1 / 65535, np.float32))
    save_image(desk, fine, name="fine", depth="16")
    (back,) = read_image(desk.output.root / "fine.png")
    assert np.array_equal(back.pixels, fine.pixels)
    clear = Image(np.zeros((1, 8, 8, 4), np.float32))
    save_image(desk, clear, name="clear", format="jpeg", background="#00ff00")
    (back,) = read_image(desk.output.root / "clear.jpg")
    assert np.abs(back.pixels - [0, 1, 0]).max() < 0.05


def test_a_depth_that_does_not_go_leaves_nothing(desk: Desk) -> None:
    with pytest.raises(UserError, match="jpeg files have a depth of 8"):
        save_image(desk, picture(1, 5, 4, 3), format="jpeg", depth="16")
    assert not desk.output.root.exists()


def test_a_cancel_between_two_pictures_keeps_only_whole_files(desk: Desk) -> None:
    def stop(done: float, total: float) -> None:
        if done == 1:
            raise Cancelled

    desk.progress = stop  # type: ignore[method-assign]
    with pytest.raises(Cancelled):
        save_image(desk, picture(3, 5, 4, 3), name="x")
    assert [path.name for path in desk.output.root.iterdir()] == ["x.png"]


def stopped() -> None:
    raise Cancelled


def test_a_cancel_inside_a_picture_leaves_no_file(desk: Desk) -> None:
    desk.check = stopped  # type: ignore[method-assign]
    with pytest.raises(Cancelled):
        save_image(desk, picture(1, 5, 4, 3), name="x")
    assert not [*desk.output.root.glob("*")]


def test_a_cancel_ends_the_look_at_the_pictures_of_a_folder(desk: Desk) -> None:
    save_image(desk, picture(1, 5, 4, 3), name="x")
    desk.check = stopped  # type: ignore[method-assign]
    with pytest.raises(Cancelled):
        image_folder(desk, "out")


def test_preview_shows_and_passes_on(desk: Desk) -> None:
    image = picture(1, 5, 4, 3)
    assert preview_image(desk, image) is image
    assert desk.shown == [image]


def test_savers_and_previews_are_roots_of_a_run_and_keep_the_facts() -> None:
    known = facts_of("Image", width=4, height=5)
    for kind in (save_image, preview_image):
        assert kind.spec.effect
        assert kind.hooks["facts"](SimpleNamespace(), image=known) == known
    folder = image_folder.hooks["facts"](SimpleNamespace())
    assert folder["images"].is_list
    assert folder["names"].is_list


def test_importing_the_nodes_loads_no_picture_library() -> None:
    script = (
        "import sys, nodes.files\n"
        "print([m for m in ('PIL', 'cv2', 'tifffile', 'torch') if m in sys.modules])\n"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
