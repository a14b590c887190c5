"""The nodes of layouts and of regions, on a tiny model."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.catalog.header import read_header
from backend.models.patches import layout_tokens
from backend.sdk import Box, Cancelled, Guider, Image, Layout, Mask, Model, UserError, facts_of
from backend.train.adapter.sets import Drawn, write_set
from nodes.conditioning import encode_text
from nodes.latents import empty_latent
from nodes.layout import draw_layout, layout, layout_from_json, layout_to_mask
from nodes.loaders import load_model
from nodes.patches import lora
from nodes.regions import layout_adapter, layout_guidance, regional_prompts
from nodes.sampling import noise, sample, sample_with_parts, schedule, solver
from nodes.training import train_adapter
from nodes.upscale_diffusion import upscale_by_tiles
from tests.backend.models import tiny
from tests.nodes.test_training import Studio

LEFT, RIGHT = Box(0.0, 0.0, 0.5, 1.0, "red circle"), Box(0.5, 0.0, 0.5, 1.0, "blue dog")
TWO = Layout((LEFT, RIGHT), 32, 32)
TEXT = "a red circle and a blue dog"


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    torch.set_num_threads(1)
    home: Path = tmp_path_factory.mktemp("home")
    tiny.write(home / "tiny")
    rng = np.random.default_rng(7)
    pictures = [rng.integers(0, 256, (32, 32, 3), np.uint8) for _ in range(3)]
    write_set(home / "set", (Drawn(p, f"a picture {k}", (), TWO.boxes[: 1 + k % 2])
                             for k, p in enumerate(pictures)))  # fmt: skip
    made = Studio(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        model = load_model(made, "tiny").model
        train_adapter(
            made, model, "set", form="layout", rank=2, steps=3, batch=2, levels=1, size=32,
            name="boxes",
        )  # fmt: skip
    return made


def test_boxes_become_a_layout_and_masks(ctx: Studio) -> None:
    made = layout(ctx, (LEFT, RIGHT), 64, 32)
    assert made == Layout((LEFT, RIGHT), 64, 32)
    cover = layout_to_mask(ctx, made).coverage
    assert cover.shape == (2, 32, 64)
    assert np.array_equal(cover[0] + cover[1], np.ones((32, 64)))
    picture = Image(np.zeros((1, 20, 30, 3), np.float32))
    assert draw_layout(ctx, made, picture).pixels.shape == (1, 20, 30, 3)
    assert draw_layout(ctx, made).pixels.shape == (1, 32, 64, 3)
    text = json.dumps([box.data for box in made.boxes])
    assert layout_from_json(ctx, text, 64, 32) == made


def test_what_is_no_layout_is_told(ctx: Studio) -> None:
    with pytest.raises(UserError, match="The layout has no box; draw one"):
        layout(ctx, ())
    with pytest.raises(UserError, match="The text holds broken JSON"):
        layout_from_json(ctx, '[{"box":')


def test_facts_are_known_before_a_run() -> None:
    p = SimpleNamespace(boxes=(LEFT,), width=64, height=48)
    known = layout.hooks["facts"](p)
    assert (known.width, known.height, known.count) == (64, 48, 1)
    assert layout_to_mask.hooks["facts"](None, layout=known).count == 1
    image = facts_of("Image", width=8, height=9, channels=1, count=2)
    assert draw_layout.hooks["facts"](None, layout=known, image=image) == image.but(channels=3)
    parts = SimpleNamespace(strength=0.5)
    guider = regional_prompts.hooks["facts"](parts, None, None, None, layout=known)
    assert (guider.kind, guider.branches) == ("regional", 3)


def found(ctx: Studio) -> Any:
    return load_model(ctx, "tiny")


def sampled(ctx: Studio, model: Model) -> np.ndarray:
    text = encode_text(ctx, found(ctx).text_encoder, TEXT)
    empty = encode_text(ctx, found(ctx).text_encoder, "")
    latent = empty_latent(ctx, model, 32, 32, 2)
    return sample(ctx, model, text, latent, empty, cfg=2.0, steps=3, seed=1).samples


def guided(ctx: Studio, strength: float, **more: Any) -> Model:
    given = {"repeats": 1, "end": 1.0, **more}
    encoder = found(ctx).text_encoder
    return layout_guidance(ctx, found(ctx).model, encoder, TWO, TEXT, strength, **given)


def test_guidance_draws_the_attention_into_the_boxes(ctx: Studio) -> None:
    plain = sampled(ctx, found(ctx).model)
    assert np.array_equal(plain, sampled(ctx, guided(ctx, 0.0)))
    moved = sampled(ctx, guided(ctx, 1.0, redistribute=0.0))
    raised = sampled(ctx, guided(ctx, 1.0, repeats=0))
    assert np.abs(moved - plain).max() > 1e-3
    assert np.abs(raised - plain).max() > 1e-6
    assert np.array_equal(plain, sampled(ctx, guided(ctx, 1.0, repeats=0, redistribute=0.0)))
    assert np.array_equal(moved, sampled(ctx, guided(ctx, 1.0, redistribute=0.0)))
    assert np.array_equal(plain, sampled(ctx, found(ctx).model))


def test_guidance_is_the_same_for_each_picture_of_a_batch(ctx: Studio) -> None:
    together = sampled(ctx, guided(ctx, 1.0))
    model = guided(ctx, 1.0)
    text = encode_text(ctx, found(ctx).text_encoder, TEXT)
    empty = encode_text(ctx, found(ctx).text_encoder, "")
    alone = sample(ctx, model, text, empty_latent(ctx, model, 32, 32), empty, cfg=2.0, steps=3,
                   seed=1).samples  # fmt: skip
    assert np.abs(together[:1] - alone).max() < 1e-3


def test_guidance_refuses_what_the_prompt_does_not_say(ctx: Studio) -> None:
    one = found(ctx)
    with pytest.raises(UserError, match="'red circle' is not in the text"):
        layout_guidance(ctx, one.model, one.text_encoder, TWO, "a blue dog", 1.0)
    bare = Layout((Box(0.0, 0.0, 0.5, 0.5),), 32, 32)
    with pytest.raises(UserError, match="Box 1 of the layout has no caption"):
        layout_guidance(ctx, one.model, one.text_encoder, bare, TEXT, 1.0)
    with pytest.raises(UserError, match="range of steps"):
        sampled(ctx, guided(ctx, 1.0, begin=0.8, end=0.2))


def adapted(ctx: Studio, strength: float, given: Layout = TWO, **more: Any) -> Model:
    one = found(ctx)
    file = "out/boxes.safetensors"
    return layout_adapter(ctx, one.model, one.text_encoder, given, file, strength, **more)


def test_an_adapter_sees_the_boxes_and_their_captions(ctx: Studio) -> None:
    plain, laid = sampled(ctx, found(ctx).model), sampled(ctx, adapted(ctx, 1.0))
    assert np.array_equal(plain, sampled(ctx, adapted(ctx, 0.0)))
    assert np.abs(laid - plain).max() > 1e-5
    other = Layout((Box(0.0, 0.0, 1.0, 0.5, "red circle"), RIGHT), 32, 32)
    said = Layout((Box(0.0, 0.0, 0.5, 1.0, "blue dog"), RIGHT), 32, 32)
    for changed in (other, said):
        assert np.abs(laid - sampled(ctx, adapted(ctx, 1.0, changed))).max() > 1e-7
    turned = Layout((RIGHT, LEFT), 32, 32)
    assert np.abs(laid - sampled(ctx, adapted(ctx, 1.0, turned))).max() < 1e-5
    late = sampled(ctx, adapted(ctx, 1.0, begin=0.5))
    assert np.abs(late - laid).max() > 1e-7
    assert np.array_equal(plain, sampled(ctx, found(ctx).model))


def test_in_tiles_boxes_are_those_of_the_whole_picture(
    ctx: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []

    def heard(boxes: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        seen.append(places)
        return layout_tokens_near(boxes, places)

    layout_tokens_near = layout_tokens.near
    monkeypatch.setattr(layout_tokens, "near", heard)
    one = found(ctx)
    text = encode_text(ctx, one.text_encoder, TEXT)
    picture = Image(np.zeros((1, 32, 32, 3), np.float32))
    upscale_by_tiles(
        ctx, adapted(ctx, 1.0), text, one.vae, picture, scale=2.0, denoise=0.5, steps=2, cfg=1.0,
        tile=32, tiles="blended",
    )  # fmt: skip
    middles = torch.cat(seen)
    steps = middles[:, 0].unique()
    tile = seen[0][:, 0].unique()
    assert len(steps) > len(tile)
    assert steps[-1] - steps[0] > 1.5 * (tile[-1] - tile[0])
    width = float(2 * steps[0])
    assert torch.allclose(steps, (torch.arange(len(steps)) + 0.5) * width, atol=1e-5)


def test_a_layout_adapter_goes_in_by_its_own_node(ctx: Studio) -> None:
    one = found(ctx)
    with pytest.raises(UserError, match="puts things into boxes"):
        lora(ctx, one.model, "out/boxes.safetensors")


@pytest.mark.parametrize("lost", ["words.weight", "double.0.zero.weight"])
def test_a_file_that_lacks_a_part_is_told(ctx: Studio, lost: str) -> None:
    path = ctx.read("out/boxes.safetensors")
    held, said = load_file(path), read_header(path).metadata
    del held[f"layout_tokens.{lost}"]
    save_file(held, ctx.read("out/torn.safetensors"), dict(said))
    one = found(ctx)
    torn = layout_adapter(ctx, one.model, one.text_encoder, TWO, "out/torn.safetensors")
    with pytest.raises(UserError, match=f"no whole layout adapter for this model: .*{lost}"):
        sampled(ctx, torn)


def regional(ctx: Studio, **given: Any) -> Guider:
    one = found(ctx)
    text = encode_text(ctx, one.text_encoder, TEXT)
    empty = encode_text(ctx, one.text_encoder, "")
    return regional_prompts(ctx, one.model, one.text_encoder, text, empty, **given)


def by_parts(ctx: Studio, guider: Guider) -> np.ndarray:
    latent = empty_latent(ctx, found(ctx).model, 32, 32)
    levels = schedule(ctx, "native", 3)
    return sample_with_parts(ctx, guider, solver(ctx), levels, noise(ctx, seed=1), latent).samples


def test_each_text_acts_in_its_own_part(ctx: Studio) -> None:
    plain = by_parts(ctx, regional(ctx, layout=TWO, strength=0.0))
    whole = Layout((Box(0.0, 0.0, 1.0, 1.0, TEXT),), 32, 32)
    same = by_parts(ctx, regional(ctx, layout=whole, strength=1.0))
    assert np.abs(plain - same).max() < 1e-4
    parted = by_parts(ctx, regional(ctx, layout=TWO, strength=1.0))
    assert np.abs(plain - parted).max() > 1e-5
    cover = layout_to_mask(ctx, TWO)
    drawn = by_parts(
        ctx, regional(ctx, masks=cover, captions="red circle\n\nblue dog\n", strength=1.0)
    )
    hard = by_parts(ctx, regional(ctx, layout=TWO, strength=1.0, feather=0.0))
    assert np.abs(drawn - hard).max() < 1e-4
    late = by_parts(ctx, regional(ctx, layout=TWO, strength=1.0, begin=0.9, end=1.0))
    assert np.abs(late - plain).max() < np.abs(parted - plain).max()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "need a layout, or masks"),
        ({"layout": TWO, "masks": Mask(np.ones((1, 8, 8), np.float32))}, "need a layout, or"),
        ({"masks": Mask(np.ones((2, 8, 8), np.float32)), "captions": "a"}, "2 masks and 1 lines"),
        ({"masks": Mask(np.zeros((1, 8, 8), np.float32)), "captions": "a"}, "Mask 1 is empty"),
        ({"layout": Layout((Box(0.0, 0.0, 0.5, 0.5),), 8, 8)}, "Box 1 of the layout has no"),
    ],
)
def test_parts_that_say_nothing_are_told(ctx: Studio, given: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        regional(ctx, **given)


def test_a_cancel_ends_drawing(ctx: Studio) -> None:
    class Gone(Studio):
        def check(self) -> None:
            raise Cancelled

    with pytest.raises(Cancelled):
        layout_to_mask(Gone(ctx.home), TWO)
