"""The workflows that come with Weft run as they are, and leave a picture that carries them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest

from backend.graph.format import load, parse
from backend.media.images import read_image
from backend.media.layer_files import read_layers
from backend.media.metadata import read_provenance
from backend.media.pixels.flatten import flatten

ROOT = Path(__file__).resolve().parents[1]
SIZES = {
    "text-to-image": (128, 128),
    "image-to-image": (264, 128),
    "in-paint": (264, 128),
    "edit-by-inversion": (264, 128),
    "follow-edges": (400, 128),
    "layers": (192, 128),
    "enlarge": (264, 128),
    "boxes": None,
    "llm-prompt": None,
    "seeds-and-guidance": None,
    "photo-finish": (688, 475),
    "loop": None,
}

FILM = "film-from-pictures"

NEEDS = {"real-model": "stabilityai/stable-diffusion-xl-base-1.0"}
"""Those that need a model which does not come with Weft."""


def run(name: str, folder: Path, *more: str) -> list[Path]:
    """The files that a workflow leaves."""
    done = subprocess.run(
        [sys.executable, "-m", "backend.cli", "run", name, "--out", str(folder / "out"), *more],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(folder / "cache"),
        },
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return [Path(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Callable[[str], list[Path]]:
    """What a workflow leaves that was run once, as it is."""
    return cache(lambda name: run(name, tmp_path_factory.mktemp("made")))


def picture_of(files: list[Path]) -> Path:
    """The first picture of some files."""
    return next(path for path in files if path.suffix in (".png", ".jpg", ".webp"))


def pixels(picture: Path) -> np.ndarray:
    return read_image(picture)[0].pixels


def test_every_shipped_workflow_is_tried_here():
    shipped = {p.name.removesuffix(".weft.json") for p in (ROOT / "workflows").glob("*.json")}
    assert shipped == {*SIZES, *NEEDS, FILM}


@pytest.mark.parametrize("name", SIZES)
def test_an_example_runs_and_its_picture_carries_it(name, made):
    picture = picture_of(made(name))
    found = pixels(picture)
    assert found.std() > 0.02  # a picture of something
    if SIZES[name]:
        assert (found.shape[2], found.shape[1]) == SIZES[name]
    carried = read_provenance(picture)["workflow"]
    assert parse(carried, "picture") == load(ROOT / "workflows" / f"{name}.weft.json")
    assert str(picture.parents[1]) not in carried


@pytest.mark.parametrize("name", ["text-to-image", "photo-finish"])
def test_another_process_makes_the_same_bits(name, made, tmp_path):
    first, second = picture_of(made(name)), picture_of(run(name, tmp_path, "--no-cache"))
    assert first != second
    assert np.array_equal(pixels(first), pixels(second))


def test_in_painting_keeps_what_the_mask_leaves_out(made):
    sheet = pixels(picture_of(made("in-paint")))[0]
    before, after = sheet[:, :128], sheet[:, 136:]
    assert np.array_equal(before[:, :56], after[:, :56])
    assert np.abs(before[:, 72:] - after[:, 72:]).max() > 0.2


def test_a_film_has_every_picture_and_carries_its_workflow(made):
    film = next(path for path in made(FILM) if path.suffix == ".mp4")
    with av.open(str(film)) as opened:
        frames = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
    assert len(frames) == 16
    assert np.array_equal(frames[0].shape, (512, 512, 3))
    assert all(frame.std() > 5 for frame in frames)
    carried = read_provenance(film)["workflow"]
    assert parse(carried, "film") == load(ROOT / "workflows" / f"{FILM}.weft.json")


def test_the_layers_of_an_example_make_its_picture(made):
    files = made("layers")
    with next(path for path in files if path.suffix == ".ora").open("rb") as file:
        stack, _ = read_layers(file, "layers.ora")
    flat = flatten(stack).pixels[..., :3]
    assert np.abs(flat - pixels(picture_of(files))[..., :3]).max() < 1.5 / 255
    assert stack.count == 3


@pytest.mark.parametrize("name", NEEDS)
def test_an_example_for_a_real_model_lacks_nothing_but_the_model(name, tmp_path):
    file = ROOT / "workflows" / f"{name}.weft.json"
    done = subprocess.run(
        [sys.executable, "-m", "backend.cli", "check", str(file)],
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if line[:1].strip()]
    assert len(said) == 2, said  # the one error, and the count
    assert f"There is no model {NEEDS[name]!r}" in said[0]
    (need,) = load(file).models
    assert (need.name, need.source) == (NEEDS[name], f"hf:{NEEDS[name]}")
    assert need.size > 10**9
