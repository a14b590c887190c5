"""The nodes that enlarge: by learned networks, in tiles, and by an adapter that learnt it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backend.media.bands import bands
from backend.models.upscale.colours import coarse, recoloured
from backend.models.upscale.diffusion import COARSE, grown
from backend.models.upscale.guarded import INSTALL
from backend.sdk import Cancelled, Image, Peak, Upscaler, UserError, facts_of
from backend.train.adapter.sets import write_set
from nodes.conditioning import encode_text
from nodes.latents import empty_latent
from nodes.loaders import LoadedModel, load_model
from nodes.patches import lora
from nodes.references import reference_image
from nodes.sampling import sample
from nodes.training import train_adapter
from nodes.upscale import load_upscaler, upscale
from nodes.upscale_diffusion import enlarge_by_model, upscale_adapter, upscale_by_tiles
from tests.backend.models import tiny
from tests.backend.models.upscale.test_pieces import Toy
from tests.backend.train.adapter.test_adapter import drawn
from tests.nodes.fake_device import FakeDevice
from tests.nodes.test_training import Studio

PICTURE = Image(np.random.default_rng(1).random((1, 32, 32, 3), dtype=np.float32))
NAMED = Upscaler("upscaler", "network", "blake3:0", "toy.safetensors")


class Toys(FakeDevice):
    """A context whose upscaler is a toy."""

    def __init__(self, network: Any, cancel_at: int = -1) -> None:
        super().__init__({})
        self.network, self.stop = network, cancel_at

    def load(self, weights: Any) -> Any:
        return self.network

    def progress(self, done: float, total: float) -> None:
        super().progress(done, total)
        if done == self.stop:
            raise Cancelled


def test_a_picture_is_enlarged_in_tiles_as_whole() -> None:
    ctx = Toys(Toy())
    image = Image(np.random.default_rng(3).random((1, 80, 70, 3), np.float32))
    whole, parted = upscale(ctx, NAMED, image, tile=0), upscale(ctx, NAMED, image, 32, 12)
    assert parted.pixels.shape == (1, 160, 140, 3)
    assert np.abs(whole.pixels - parted.pixels).max() < 1 / 255
    assert ctx.done[-1][0] == ctx.done[-1][1] > 4
    assert not ctx.notes


def test_a_network_that_sees_the_whole_says_that_tiles_may_show() -> None:
    toy = Toy()
    toy.whole = True
    ctx = Toys(toy)
    upscale(ctx, NAMED, PICTURE, 16, 4)
    assert "as a whole" in ctx.notes[0]


def test_where_memory_ran_out_tiles_are_small() -> None:
    sizes: list[int] = []

    class Counted(Toy):
        def __call__(self, pixels: np.ndarray) -> np.ndarray:
            sizes.append(max(pixels.shape))
            return super().__call__(pixels)

    ctx = Toys(Counted())
    ctx.frugal = True
    image = Image(np.zeros((1, 16, 200, 3), np.float32))
    upscale(ctx, NAMED, image, 0)
    upscale(ctx, NAMED, image, 192, 96)
    assert max(sizes) == 128


def test_a_cancel_leaves_nothing() -> None:
    with pytest.raises(Cancelled):
        upscale(Toys(Toy(), 2), NAMED, PICTURE, 16, 4)


def test_facts_and_peaks_of_learned_upscalers() -> None:
    image = facts_of("Image", width=300, height=100, channels=4, count=2)
    p = SimpleNamespace(tile=256, overlap=32)
    hook = upscale.hooks["facts"]
    assert hook(p, None, image) == facts_of("Image", channels=4, count=2)
    with pytest.raises(UserError, match="no more than half of a tile"):
        hook(SimpleNamespace(tile=64, overlap=34), None, image)
    peak = upscale.hooks["peak"]
    assert peak(p, None, image) == Peak(None, (("upscaler", 4),))
    assert peak(SimpleNamespace(tile=0, overlap=32), None, image).uses == (("upscaler", 1),)


@pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("spandrel", "einops")),
    reason=f"Spandrel is not installed: {INSTALL}",
)
def test_an_upscaler_from_a_file(tmp_path: Path) -> None:
    from tests.backend.models.upscale.test_learned import file_of, network

    torch.set_num_threads(1)
    ctx = Reading(tmp_path)
    file_of(network("span"), tmp_path / "span.safetensors")
    named = load_upscaler(ctx, "span.safetensors")
    made = upscale(ctx, named, PICTURE, 16, 8)
    assert made.pixels.shape == (1, 64, 64, 3)
    known = load_upscaler.hooks["facts"](SimpleNamespace(file="span.safetensors", lookup=ctx))
    assert known.identity == named.identity
    assert known.bytes > 1000


def test_what_is_no_upscaler_is_told_before_a_run(tmp_path: Path) -> None:
    ctx = Reading(tmp_path)
    torch.save({"a": torch.zeros(1)}, tmp_path / "4x.pth")
    hook = load_upscaler.hooks["facts"]
    for ask in (
        lambda: hook(SimpleNamespace(file="4x.pth", lookup=ctx)),
        lambda: load_upscaler(ctx, "4x.pth"),
    ):
        with pytest.raises(UserError, match="is a pickle"):
            ask()
    assert hook(SimpleNamespace(file="", lookup=ctx)).identity is None


def test_weights_take_the_room_of_float32_whatever_the_file_holds(tmp_path: Path) -> None:
    ctx, hook = Reading(tmp_path), load_upscaler.hooks["facts"]
    for kind in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        save_file({"a": torch.zeros(30, 5, dtype=kind), "b": torch.zeros((), dtype=kind)},
                  tmp_path / "x.safetensors")  # fmt: skip
        known = hook(SimpleNamespace(file="x.safetensors", lookup=ctx))
        assert known.bytes == 4 * 151


class Reading(FakeDevice):
    """A context that reads a folder, and looks into it."""

    def __init__(self, home: Path) -> None:
        super().__init__({})
        self.base = home

    def read(self, path: str) -> Path:
        return self.base / path

    file = read


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    torch.set_num_threads(1)
    home: Path = tmp_path_factory.mktemp("home")
    tiny.write(home / "tiny")
    write_set(home / "set", drawn(3, 1))
    made = Studio(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        model = load_model(made, "tiny").model
        train_adapter(
            made, model, "set", form="enlarge", rank=2, steps=3, batch=2, levels=1, size=32,
            name="large",
        )  # fmt: skip
    save_file({"a": torch.zeros(1)}, home / "strange.safetensors")
    return made


def parts(ctx: Studio) -> tuple[LoadedModel, Any]:
    found = load_model(ctx, "tiny")
    return found, encode_text(ctx, found.text_encoder, "a red circle")


def enlarged(ctx: Studio, image: Image = PICTURE, **more: Any) -> Image:
    found, text = parts(ctx)
    given = {"file": "out/large.safetensors", "scale": 2.0, "steps": 1, **more}
    return enlarge_by_model(ctx, found.model, text, found.vae, image, **given)


def test_a_trained_adapter_enlarges(ctx: Studio) -> None:
    made = enlarged(ctx)
    assert made.pixels.shape == (1, 64, 64, 3)
    assert np.array_equal(made.pixels, enlarged(ctx).pixels)
    assert np.abs(made.pixels - enlarged(ctx, Image(1 - PICTURE.pixels)).pixels).max() > 1e-2
    odd = enlarged(ctx, Image(PICTURE.pixels[:, :21, :13, :1]), scale=3.0, tile=32)
    assert odd.pixels.shape == (1, 63, 39, 3)
    two = enlarged(ctx, Image(PICTURE.pixels.repeat(2, 0)))
    assert two.count == 2


def test_no_strength_is_no_adapter(ctx: Studio) -> None:
    found, text = parts(ctx)
    none = enlarged(ctx, strength=0.0, colours=False)
    plain = upscale_by_tiles(
        ctx, found.model, text, found.vae, PICTURE, scale=2, denoise=1, steps=1, cfg=1,
        tiles="blended", colours=False,
    )  # fmt: skip
    assert np.array_equal(none.pixels, plain.pixels)
    assert upscale_adapter(ctx, found.model, "out/large.safetensors", 0.0) == found.model


def test_the_adapter_goes_into_a_graph_of_ones_own(ctx: Studio) -> None:
    found, text = parts(ctx)
    model = upscale_adapter(ctx, found.model, "out/large.safetensors")
    told = reference_image(ctx, text, found.vae, PICTURE, model)
    made = sample(ctx, model, told, empty_latent(ctx, model, 32, 32), steps=1, seed=1)
    assert np.isfinite(made.samples).all()
    with pytest.raises(UserError, match="from every conditioning"):
        sample(ctx, model, text, empty_latent(ctx, model, 32, 32), steps=1)


@pytest.mark.parametrize("how", ["shifted", "blended"])
def test_a_picture_is_enlarged_tile_by_tile(ctx: Studio, how: Any) -> None:
    found, text = parts(ctx)

    def made(**more: Any) -> np.ndarray:
        given = {"scale": 3, "denoise": 0.5, "steps": 4, "tile": 32, "tiles": how, **more}
        return upscale_by_tiles(ctx, found.model, text, found.vae, PICTURE, text, **given).pixels

    assert made().shape == (1, 96, 96, 3)
    assert np.array_equal(made(), made())
    assert not np.array_equal(made(), made(seed=1))
    kept = made(denoise=0.0, colours=False)
    assert np.array_equal(kept, made(denoise=0.0, seed=3, colours=False))


def test_what_does_not_fit_is_told(ctx: Studio) -> None:
    found, _ = parts(ctx)
    with pytest.raises(UserError, match="with alpha cannot"):
        enlarged(ctx, Image(np.zeros((1, 8, 8, 4), np.float32)))
    with pytest.raises(UserError, match="pixels"):
        enlarged(ctx, Image(np.zeros((1, 9000, 9000, 1), np.float32)), scale=16.0)
    with pytest.raises(UserError, match="no pair of low-rank factors"):
        enlarged(ctx, file="strange.safetensors")
    with pytest.raises(UserError, match="is an upscale adapter"):
        lora(ctx, found.model, "out/large.safetensors")
    with pytest.raises(UserError, match="cannot overlap by"):
        enlarged(ctx, scale=4.0, tile=32, overlap=64, tiles="blended")


def test_facts_tell_sizes_before_a_run() -> None:
    image = facts_of("Image", width=40, height=25, channels=3, count=2)
    p = SimpleNamespace(scale=1.5, tiles="shifted", tile=0, overlap=0, steps=4, cfg=2, denoise=0.5)
    hook = upscale_by_tiles.hooks["facts"]
    given = {"model": None, "positive": None, "vae": None}
    made = hook(p, **given, image=image)
    assert (made.width, made.height, made.channels, made.count) == (60, 38, 3, 2)
    assert hook(p, **given, image=None).channels == 3
    with pytest.raises(UserError, match="with alpha"):
        hook(p, **given, image=image.but(channels=4))
    vae, model = facts_of("VAE", space="a"), facts_of("Model", space="b")
    with pytest.raises(UserError, match="space"):
        hook(p, model=model, positive=None, vae=vae, image=image)


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"tile": 0, "overlap": 512, "tiles": "blended"}, True),
        ({"tile": 0, "overlap": 512, "tiles": "shifted"}, True),
        ({"tile": 0, "overlap": 256, "tiles": "blended"}, False),
        ({"tile": 48, "overlap": 32, "tiles": "blended"}, True),
        ({"tile": 48, "overlap": 32, "tiles": "shifted"}, False),
        ({"tile": 0, "overlap": 0, "tiles": "blended"}, False),
        ({"tile": None, "overlap": 512, "tiles": "blended"}, False),
    ],
)
def test_tiles_that_cannot_be_are_told_before_a_run(given: dict[str, Any], refused: bool) -> None:
    """The second tile of 48 pixels is one token of 32, so that it cannot share all of that."""
    model = facts_of("Model", factor=8, patch=4, own_width=512)
    p = SimpleNamespace(scale=2.0, steps=4, cfg=1, **given)

    def told(known: Any = model) -> Any:
        return enlarge_by_model.hooks["facts"](p, known, None, None, None)

    if refused:
        with pytest.raises(UserError, match=r"cannot overlap by \d+\. Take"):
            told()
    else:
        assert told().channels == 3
    if not given["tile"]:
        assert told(None).channels == 3


@pytest.mark.parametrize("how", ["shifted", "blended"])
def test_tiles_that_cannot_be_cost_no_work(ctx: Studio, how: Any) -> None:
    class Idle(Studio):
        def load(self, weights: Any) -> Any:
            raise AssertionError("nothing is to be loaded")

    found, text = parts(ctx)
    idle = Idle(ctx.home)
    with pytest.raises(UserError, match="cannot overlap by"):
        upscale_by_tiles(
            idle, found.model, text, found.vae, PICTURE, tile=32, overlap=64, tiles=how
        )


def test_an_adapter_needs_the_room_of_two_pictures_and_of_their_scores() -> None:
    model = facts_of("Model", token_bytes=100, patch=2, factor=8, own_width=64, own_solver="euler",
                     own_guider="cfg")  # fmt: skip
    vae = facts_of("VAE", pixel_bytes=1, factor=8)
    image = facts_of("Image", width=64, height=64, channels=3, count=3)
    text = facts_of("Conditioning", tokens=10)
    p = SimpleNamespace(scale=2.0, tiles="blended", tile=0, overlap=0, steps=2, cfg=2, strength=1.0)
    given = {"model": model, "positive": text, "vae": vae, "image": image, "negative": text}
    peak = enlarge_by_model.hooks["peak"]
    cells, batch = (64 // 8 // 2) ** 2, 3 * 2
    scores = 4 * batch * (2 * cells + 10) ** 2
    assert peak(p, **given).activation == 2 * 100 * cells * batch + 2 * scores
    p.strength = 0.0
    without = peak(p, **given)
    p.denoise = 1.0
    assert without == upscale_by_tiles.hooks["peak"](p, **given)
    assert without.uses == peak(p, **given).uses


def test_the_peak_is_that_of_a_tile_and_does_not_grow() -> None:
    model = facts_of("Model", token_bytes=100, patch=2, factor=8, own_width=512, own_solver="euler")
    vae = facts_of("VAE", pixel_bytes=10, factor=8)
    p = SimpleNamespace(scale=2.0, tiles="shifted", tile=0, overlap=0, steps=10, cfg=1, denoise=0.5)
    hook = upscale_by_tiles.hooks["peak"]
    found = []
    for scale in (2.0, 8.0):
        p.scale = scale
        image = facts_of("Image", width=512, height=512, channels=3, count=1)
        found.append(hook(p, model=model, positive=None, vae=vae, image=image))
    assert found[0].activation == found[1].activation > 0
    assert found[0].uses[0] == ("model", 5 * 4)
    assert found[1].uses[0] == ("model", 5 * 64)


def test_colours_are_those_of_the_small_picture() -> None:
    rng = np.random.default_rng(5)
    given, detail = rng.random((64, 64, 3), np.float32), rng.random((64, 64, 3), np.float32)
    made = recoloured(0.5 * detail, 0.25 + 0.5 * given, 3)
    assert np.abs(coarse(made, 3) - coarse(0.25 + 0.5 * given, 3)).mean() < 0.02
    assert np.allclose(recoloured(given, given, 3), given, atol=1e-6)
    assert coarse(given[..., :1], 2).shape == (64, 64, 1)


def test_colours_in_bands_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    given, made = (rng.random((300, 20, 3), np.float32) for _ in range(2))
    whole = recoloured(made, given, 5)
    monkeypatch.setattr(bands, "__defaults__", (1, 1))
    assert np.array_equal(whole, recoloured(made, given, 5))


@pytest.mark.parametrize("late", [0, 5, 20, 40])
def test_a_cancel_is_heard_while_a_large_picture_is_grown_and_coloured(late: int) -> None:
    calls: list[int] = []

    def check() -> None:
        calls.append(1)
        if len(calls) > late:
            raise Cancelled

    large = np.random.default_rng(7).random((1, 1400, 1400, 3), np.float32)
    with pytest.raises(Cancelled):
        recoloured(large[0], large[0], COARSE, check)
    calls.clear()
    with pytest.raises(Cancelled):
        grown(Image(large[:, :700, :700]), 2.0, 16, check)


def test_a_grown_picture_is_filled_by_its_edge() -> None:
    image = Image(np.random.default_rng(8).random((2, 7, 9, 1), np.float32))
    made, bare = grown(image, 1.5, 8).pixels, grown(image, 1.5, 1).pixels
    assert made.shape == (2, 16, 16, 3)
    height, width = bare.shape[1:3]
    fill = [(0, 0), (0, 16 - height), (0, 16 - width), (0, 0)]
    assert np.array_equal(made, np.pad(bare, fill, "edge"))
