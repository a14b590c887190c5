"""Previews on Primer: true colours, learnt from what its VAE codes, and nothing else changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.catalog.folder import read_folder
from backend.models.family import families, recognise, references
from backend.models.preview import (
    NAME,
    SHIPPED,
    PreviewLoader,
    Shown,
    SpaceColours,
    frame_of,
    learning,
    rough_picture,
    viewer,
)
from backend.models.store import Store
from backend.train.world import scenes
from backend.values import VAE, Float32, Image, Model, Weights

PRIMER = Path(__file__).parents[3] / "resources" / "models" / "primer"


class Studio:
    """Primer's VAE with twelve coded scenes, and a store whose previews lie in ``root``."""

    def __init__(self) -> None:
        folder = read_folder(PRIMER)
        family = recognise(folder, families())
        self.refs = references(folder, family)
        store = Store(families(), 2**30)
        pictures = np.stack([scene.pixels for scene in scenes(77, 12, "any")])
        image = Image(np.float32(pictures) / np.float32(255))

        def load(weights: Weights) -> object:
            return store.get(weights, "cpu")

        self.latents = family.encode_image(self.refs.vae, image, load, "cpu").samples
        latent = family.encode_image(self.refs.vae, image, load, "cpu")
        self.decoded = family.decode_latent(self.refs.vae, latent, load, "cpu").pixels

    @property
    def vae(self) -> VAE:
        return self.refs.vae

    @property
    def away(self) -> VAE:
        """The VAE without the folder that brings a fit."""
        return replace(self.refs.vae, source="/nowhere")

    def teach(self, colours: SpaceColours, first: int, last: int) -> None:
        some = slice(first, last)
        colours.learn(self.away, self.latents[some], Image(self.decoded[some]))


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio()


def cells(pixels: Float32) -> Float32:
    """The mean colour of every block of 8x8 pixels."""
    count, height, width, _ = pixels.shape
    return pixels.reshape(count, height // 8, 8, width // 8, 8, 3).mean((2, 4))


def decibels(shown: Float32, decoded: Float32) -> float:
    """PSNR against the mean colours of the decoded pictures, the mean over pictures."""
    errors = np.mean((shown - cells(decoded)) ** 2, axis=(1, 2, 3))
    return float(np.mean(-10 * np.log10(errors)))


def view_of(studio: Studio, root: Path, model: Model | None = None) -> Image:
    """What a run would show of the last four scenes."""
    store = Store(families(), 2**30, {NAME: PreviewLoader(root=root)})
    view = viewer(model or studio.refs.model, studio.vae.space, lambda w: store.get(w, "cpu"))
    found = view(torch.from_numpy(studio.latents[8:].copy()))
    assert found is not None
    return found


def test_primer_is_shown_in_true_colours_from_the_start(studio: Studio, tmp_path: Path):
    x0 = torch.from_numpy(studio.latents[8:].copy())
    assert decibels(rough_picture(x0).pixels, studio.decoded[8:]) < 12
    shown = view_of(studio, tmp_path)
    assert shown.pixels.shape == (4, 16, 16, 3)
    assert decibels(shown.pixels, studio.decoded[8:]) > 21


def test_where_nothing_is_known_the_channels_are_stretched(studio: Studio, tmp_path: Path):
    model = replace(studio.refs.model, source="/nowhere")
    shown = view_of(studio, tmp_path, model)
    rough = rough_picture(torch.from_numpy(studio.latents[8:].copy()))
    assert shown.pixels.tobytes() == rough.pixels.tobytes()


def test_a_few_decoded_pictures_are_enough(studio: Studio, tmp_path: Path):
    colours = SpaceColours(studio.vae.space, tmp_path)
    assert colours.factors() is None
    studio.teach(colours, 0, 8)
    found = colours.factors()
    assert found is not None
    assert decibels(found.colours(studio.latents[8:]), studio.decoded[8:]) > 21


def test_the_next_process_knows_what_this_one_learnt(studio: Studio, tmp_path: Path):
    studio.teach(SpaceColours(studio.vae.space, tmp_path), 0, 8)
    model = replace(studio.refs.model, source="/nowhere")
    assert decibels(view_of(studio, tmp_path, model).pixels, studio.decoded[8:]) > 21


def test_the_last_vae_of_a_space_decides(studio: Studio, tmp_path: Path):
    inverted = replace(studio.away, identity="blake3:another")
    colours = SpaceColours(studio.vae.space, tmp_path)
    studio.teach(colours, 0, 8)
    colours.learn(inverted, studio.latents[:8], Image(1 - studio.decoded[:8]))
    found = colours.factors()
    assert found is not None
    assert decibels(found.colours(studio.latents[8:]), 1 - studio.decoded[8:]) > 21
    studio.teach(colours, 8, 9)
    found = colours.factors()
    assert found is not None
    assert decibels(found.colours(studio.latents[8:]), studio.decoded[8:]) > 21
    assert len(list(tmp_path.iterdir())) == 2


def test_broken_files_are_passed_over_and_written_anew(studio: Studio, tmp_path: Path):
    studio.teach(SpaceColours(studio.vae.space, tmp_path), 0, 8)
    (file,) = tmp_path.iterdir()
    sound = file.read_bytes()
    file.write_bytes(sound[:100])
    colours = SpaceColours(studio.vae.space, tmp_path)
    assert colours.factors() is None
    studio.teach(colours, 0, 8)
    assert file.read_bytes() == sound


def test_a_folder_that_cannot_be_written_to_is_no_fault(studio: Studio, tmp_path: Path):
    (tmp_path / "file").write_text("")
    colours = SpaceColours(studio.vae.space, tmp_path / "file")
    studio.teach(colours, 0, 8)
    assert colours.factors() is not None


def test_files_are_written_ever_more_rarely(studio: Studio, tmp_path: Path):
    colours = SpaceColours(studio.vae.space, tmp_path)
    written = []
    for index in range(18):
        for file in tmp_path.iterdir():
            file.unlink()
        studio.teach(colours, index % 12, index % 12 + 1)
        written.append(bool(list(tmp_path.iterdir())))
    assert [index + 1 for index, new in enumerate(written) if new] == [1, 4, 16]


def test_a_fit_of_other_channels_is_not_used(studio: Studio, tmp_path: Path):
    colours = SpaceColours(studio.vae.space, tmp_path)
    colours.learn(studio.away, studio.latents[:8, :5], Image(studio.decoded[:8]))
    model = replace(studio.refs.model, source="/nowhere")
    rough = rough_picture(torch.from_numpy(studio.latents[8:].copy()))
    assert view_of(studio, tmp_path, model).pixels.tobytes() == rough.pixels.tobytes()


def test_primer_brings_a_fit_of_its_own_space():
    assert (PRIMER / SHIPPED).stat().st_size < 4096


def test_of_a_video_the_middle_frame_is_shown(tmp_path: Path):
    video = torch.randn(2, 16, 5, 6, 4, generator=torch.Generator().manual_seed(0))
    shown = rough_picture(video).pixels
    assert shown.tobytes() == rough_picture(video[:, :, 2]).pixels.tobytes()
    store = Store({}, 2**20, {NAME: PreviewLoader(root=tmp_path)})
    view = viewer(
        Model("wan", "transformer", "x", "/nowhere"), "wan", lambda w: store.get(w, "cpu")
    )
    found = view(video)
    assert found is not None
    assert found.pixels.tobytes() == shown.tobytes()


def test_each_latent_frame_is_paired_with_a_frame_that_it_stands_for(tmp_path: Path):
    """Nine frames in batches, three latent frames: the fit comes out only if pairs are right."""
    rng = np.random.default_rng(3)
    matrix = rng.normal(0, 0.05, (5, 3))
    latent = np.asarray(rng.standard_normal((1, 5, 3, 16, 16)), np.float32)
    colours = np.moveaxis(latent[0], 0, -1) @ matrix + 0.5
    frames = np.asarray(colours.repeat(2, 1).repeat(2, 2), np.float32)
    stands = [0, 1, 1, 1, 1, 2, 2, 2, 2]
    batches = [Image(frames[stands[a:b]]) for a, b in ((0, 2), (2, 7), (7, 9))]
    store = Store({}, 2**20, {NAME: PreviewLoader(root=tmp_path)})

    def load(weights: Weights) -> SpaceColours:
        found: SpaceColours = store.get(weights, "cpu")
        return found

    vae = VAE("wan", "vae", "blake3:1", "/nowhere", space="room")
    given = list(learning(vae, latent, batches, 4, load))
    assert given == batches
    assert [frame_of(i, 4) for i in range(3)] == [0, 2, 6]
    found = load(Weights(NAME, "room", "", "")).factors()
    assert found is not None
    assert found.cells == 3 * 256
    assert np.abs(found.matrix - matrix).max() < 5e-3


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("step", "cost", "shown"), [(1.0, 0.004, 20), (0.01, 0.002, 1)])
def test_previews_keep_to_their_share_of_a_run(step: float, cost: float, shown: int) -> None:
    """Slow steps are all shown; of quick ones the last, whatever it costs."""
    clock, pictures = Time(), []

    def view(x0: torch.Tensor) -> Image:
        clock.now += cost
        return Image(np.full((1, 1, 1, 3), x0.mean().item(), np.float32))

    show = Shown(view, lambda look: pictures.append(look()), clock=clock)
    for index in range(20):
        clock.now += step
        show(torch.full((1, 4, 2, 2), index / 20), last=index == 19)
    assert len(pictures) == shown
    assert pictures[-1].pixels.max() == pytest.approx(19 / 20)


def test_previews_of_many_quick_steps_take_no_more_than_their_share() -> None:
    clock, pictures = Time(), []

    def view(x0: torch.Tensor) -> Image:
        clock.now += 0.002
        return Image(np.zeros((1, 1, 1, 3), np.float32))

    show = Shown(view, lambda look: pictures.append(look()), share=0.01, clock=clock)
    for _ in range(1000):
        clock.now += 0.01
        show(torch.zeros(1, 4, 2, 2))
    assert 0.008 < 0.002 * len(pictures) / clock.now < 0.0101
