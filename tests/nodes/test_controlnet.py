"""The nodes of ControlNets, from a folder or file to a followed picture."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from backend.sdk import Facts, Image, Mask, Model, Peak, UserError, facts_of
from nodes.conditioning import encode_text
from nodes.controlnet import apply_controlnet, load_controlnet
from nodes.controls import control_edges
from nodes.latents import empty_latent
from nodes.loaders import load_model
from nodes.patches import lora
from nodes.sampling import sample
from tests.backend.models import tiny, tiny_controlnet, tiny_sd15
from tests.nodes.fake_device import FakeDevice

WIDTH, HEIGHT = 32, 24


def picture(width: int = WIDTH, height: int = HEIGHT, channels: int = 3) -> Image:
    return Image(np.random.default_rng(1).random((1, height, width, channels), dtype=np.float32))


class Desk(FakeDevice):
    """A context that reads what it has, by its name."""

    def read(self, path: str) -> Path:
        return self.folders[path]


@pytest.fixture(scope="module")
def ctx(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("home")
    folders = {"sd15": tiny_sd15.write(home / "sd15"), "flux": tiny.write(home / "flux")}
    folders["sd15 net"] = tiny_controlnet.for_unet(folders["sd15"], home / "net")
    folders["flux net"] = tiny_controlnet.for_flux(folders["flux"], home / "flux_net", num_mode=2)
    folders["file"] = folders["sd15 net"] / "diffusion_pytorch_model.safetensors"
    return Desk(folders)


def laid(ctx: Desk, family: str, image: Image | None = None, **told: Any) -> Model:
    found = load_model(ctx, family)
    net = load_controlnet(ctx, f"{family} net")
    return apply_controlnet(ctx, found.model, net, image or picture(), **{"vae": found.vae, **told})


def made(ctx: Desk, family: str, model: Model) -> np.ndarray:
    found = load_model(ctx, family)
    text = encode_text(ctx, found.text_encoder, "a red circle")
    latent = empty_latent(ctx, model, WIDTH, HEIGHT)
    return sample(ctx, model, text, latent, text, steps=2, seed=1).samples


@pytest.mark.parametrize("family", ["sd15", "flux"])
def test_a_model_follows_a_picture(family: str, ctx: Desk) -> None:
    plain = made(ctx, family, load_model(ctx, family).model)
    assert np.array_equal(made(ctx, family, laid(ctx, family, strength=0.0)), plain)
    followed = made(ctx, family, laid(ctx, family))
    other = made(ctx, family, laid(ctx, family, control_edges(ctx, picture())))
    assert np.abs(followed - plain).max() > 1e-3
    assert np.abs(followed - other).max() > 1e-3


def test_a_file_is_its_folder(ctx: Desk) -> None:
    found, net = load_model(ctx, "sd15"), load_controlnet(ctx, "file")
    one = made(ctx, "sd15", apply_controlnet(ctx, found.model, net, picture()))
    assert np.array_equal(one, made(ctx, "sd15", laid(ctx, "sd15")))


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_pictures_serve(channels: int, ctx: Desk) -> None:
    model = laid(ctx, "sd15", picture(channels=channels))
    assert np.isfinite(made(ctx, "sd15", model)).all()


def test_an_empty_mask_is_told_and_changes_nothing(ctx: Desk) -> None:
    plain, ctx.notes = load_model(ctx, "sd15").model, []
    mask = Mask(np.zeros((1, HEIGHT, WIDTH), np.float32))
    assert laid(ctx, "sd15", mask=mask) == plain
    assert ctx.notes == ["The mask is empty, so this ControlNet changes nothing."]


def test_what_does_not_fit_is_told(ctx: Desk) -> None:
    found = load_model(ctx, "flux")
    net = load_controlnet(ctx, "flux net")
    with pytest.raises(UserError, match="sees pictures through the model's VAE"):
        apply_controlnet(ctx, found.model, net, picture())
    with pytest.raises(UserError, match="VAE is of another model"):
        laid(ctx, "flux", vae=load_model(ctx, "sd15").vae)
    with pytest.raises(UserError, match="knows the kinds of picture 0 to 1, not 2"):
        laid(ctx, "flux", mode=2)
    with pytest.raises(UserError, match=r"is for FLUX.1 models, and the model is of the family St"):
        apply_controlnet(ctx, load_model(ctx, "sd15").model, net, picture())
    with pytest.raises(UserError, match="The mask is 24x24 pixels, and the picture 32x24"):
        laid(ctx, "sd15", mask=Mask(np.ones((1, 24, 24), np.float32)))
    with pytest.raises(UserError, match="is a ControlNet, not a LoRA"):
        lora(ctx, found.model, "file")
    with pytest.raises(UserError, match="is a whole model"):
        load_controlnet(ctx, "sd15")
    with pytest.raises(UserError, match="other proportions"):
        made(ctx, "sd15", laid(ctx, "sd15", picture(33, 60)))
    with pytest.raises(UserError, match="Resize the picture"):
        made(ctx, "flux", laid(ctx, "flux", picture(64, 48)))


def facts(node: Any, ctx: Desk, given: dict[str, Facts | None], **params: Any) -> Facts:
    spec = {p.name: p.default for p in node.spec.params}
    return node.hooks["facts"](SimpleNamespace(lookup=ctx, **{**spec, **params}), **given)


def test_facts_tell_before_a_run(ctx: Desk) -> None:
    net = facts(load_controlnet, ctx, {}, controlnet="sd15 net")
    assert (net.family, net.bytes) == ("sd15", ctx.model("sd15 net").nbytes)
    assert facts(load_controlnet, ctx, {}).family is None
    with pytest.raises(UserError, match="is a whole model"):
        facts(load_controlnet, ctx, {}, controlnet="sd15")
    model = facts_of("Model", family="sd15", token_bytes=1000)
    given = {"model": model, "controlnet": net, "image": None}
    laid_on = facts(apply_controlnet, ctx, given)
    assert laid_on.token_bytes == 1000 + net.token_bytes
    assert facts(apply_controlnet, ctx, given, strength=0.0) == model
    flux = given | {"model": facts_of("Model", family="flux")}
    with pytest.raises(UserError, match="the model is of the family Flux"):
        facts(apply_controlnet, ctx, flux)
    chroma = given | {"model": facts_of("Model", family="chroma")}
    with pytest.raises(UserError, match="Chroma models follow none here"):
        facts(apply_controlnet, ctx, chroma)


def test_a_peak_counts_the_vae_where_the_net_sees_through_it() -> None:
    peak = apply_controlnet.hooks["peak"]
    image = facts_of("Image", width=64, height=32, count=1)
    vae = facts_of("VAE", pixel_bytes=10, factor=8)
    known = {"model": None, "image": image, "mask": None, "vae": vae}
    flux = peak(None, controlnet=facts_of("ControlNet", family="flux"), **known)
    assert flux == Peak(10 * 64 * 32, (("vae.encoder", 1),))
    assert peak(None, controlnet=facts_of("ControlNet", family="sd15"), **known) == Peak(0)
