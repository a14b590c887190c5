"""Sana beside its parity: what is read from a folder, and what bad folders are told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_dc import AutoencoderDC

from backend.catalog.errors import CatalogError
from backend.diffusion import inpaint
from backend.diffusion.around import Moment
from backend.diffusion.errors import DiffusionError
from backend.diffusion.paths import FLOW
from backend.diffusion.process import Process
from backend.models.card import Geometry
from backend.models.sana import CARD, SanaDenoiser
from backend.models.seams.sites import Attention, Spans, on_attention
from backend.models.tiling.tiles import Coding
from backend.values import Conditioning, Image, Latent
from tests.backend.models import tiny_sana
from tests.backend.models.checks import changed, facts_of, first_change, known_by, places_of
from tests.backend.models.parity import Weft, coverage, picture
from tests.backend.models.test_peak import measured


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sana.write(tmp_path_factory.mktemp("sana"))


@pytest.fixture(scope="module")
def weft(folder: Path) -> Weft:
    return Weft.of(folder)


def encoded(weft: Weft, texts: list[str], **options: Any) -> Conditioning:
    return weft.family.encode_text(weft.refs.text, texts, options, weft.load, "cpu")


def test_a_folder_is_known_and_read(folder: Path) -> None:
    assert known_by(folder) == ["sana"]
    facts = facts_of(folder)
    assert facts.geometry == Geometry(channels=4, factor=2)
    assert (facts.width, facts.vae_width) == (32, 4)
    assert (facts.defaults.width, facts.defaults.solver) == (32, "dpmpp_2m")
    assert facts.settings["max_tokens"] == tiny_sana.TOKENS


def test_the_shipped_configs_name_the_space(folder: Path, tmp_path: Path) -> None:
    known = {"latent_channels": 32, "scaling_factor": 0.41407}
    vae = changed(folder, tmp_path / "a", "vae/config.json", **known)
    sizes = {"in_channels": 32, "out_channels": 32}
    whole = changed(vae, tmp_path / "b", "transformer/config.json", **sizes)
    assert facts_of(whole).latent_space == "dc-ae-f32c32"
    assert facts_of(folder).latent_space.startswith("sana:")


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("transformer/config.json", {"in_channels": 32}, "takes 32 channels, but the VAE makes 4"),
    ("transformer/config.json", {"out_channels": 8}, "makes 8 channels, but the VAE takes 4"),
    ("transformer/config.json", {"caption_channels": 48}, "text vectors of 48 numbers"),
    ("transformer/config.json", {"num_attention_heads": "many"}, "holds a value"),
    ("transformer/config.json", {"guidance_embeds": True}, "Sana Sprint"),
    ("vae/config.json", {"encoder_block_out_channels": None}, "holds a value"),
    ("vae/config.json", {"scaling_factor": 0}, "above 0"),
    ("text_encoder/config.json", {"hidden_size": None}, "holds a value"),
    ("scheduler/scheduler_config.json", {"flow_shift": 0}, "holds a value"),
    ("scheduler/scheduler_config.json", {"use_flow_sigmas": False}, "runs with True only"),
    ("scheduler/scheduler_config.json", {"algorithm_type": "sde-dpmsolver++"}, "algorithm_type"),
    ("scheduler/scheduler_config.json", {"use_karras_sigmas": True}, "use_karras_sigmas True"),
    ("model_index.json", {"scheduler": ["diffusers", "SCMScheduler"]}, "SCMScheduler"),
    ("model_index.json", {"text_encoder": ["transformers", "T5EncoderModel"]}, "of no family"),
]


@pytest.mark.parametrize(("file", "values", "said"), BAD)
def test_components_that_do_not_fit_are_named_before_loading(
    file: str, values: dict[str, Any], said: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(CatalogError, match=said):
        facts_of(changed(folder, tmp_path / "bad", file, **values))


def test_a_foreign_class_is_not_loaded(folder: Path, tmp_path: Path) -> None:
    odd = changed(
        folder, tmp_path / "odd", "model_index.json", tokenizer=["transformers", "BertTokenizer"]
    )
    with pytest.raises(CatalogError, match="asks for the class 'BertTokenizer' as its tokenizer"):
        encoded(Weft.of(odd), ["a"])


def test_what_cannot_be_encoded_is_refused(weft: Weft) -> None:
    with pytest.raises(DiffusionError, match="1 to 48 tokens, not 49"):
        encoded(weft, ["a"], max_tokens=49)
    with pytest.raises(DiffusionError, match="'instruction' must be a text"):
        encoded(weft, ["a"], instruction=3)
    assert encoded(weft, ["a b c d e f"], max_tokens=5).tensors["sequence"].shape == (1, 5, 32)


def test_sizes_that_the_model_cannot_make_are_refused(folder: Path, tmp_path: Path) -> None:
    weft = Weft.of(changed(folder, tmp_path / "two", "transformer/config.json", patch_size=2))
    net = tiny_sana.transformer(patch_size=2)
    denoiser = weft.family.denoiser(weft.refs.model, lambda w: _or(net, weft, w), "cpu")
    ready = denoiser.prepare([encoded(weft, ["a"])], 1)
    assert denoiser(torch.zeros(1, 4, 4, 6), 0.5, ready).shape == (1, 4, 4, 6)
    with pytest.raises(DiffusionError, match="multiples of 2, not 6x5"):
        denoiser(torch.zeros(1, 4, 5, 6), 0.5, ready)
    with pytest.raises(DiffusionError, match="3 texts cannot serve 2"):
        denoiser.prepare([encoded(weft, ["a"] * 3)], 2)


def test_half_precision_gives_latents_in_full(folder: Path) -> None:
    weft = Weft.of(folder)
    net = weft.load(weft.refs.model).to(torch.bfloat16)
    denoiser = weft.family.denoiser(weft.refs.model, lambda w: _or(net, weft, w), "cpu")
    out = denoiser(torch.ones(2, 4, 4, 6), 0.5, denoiser.prepare([encoded(weft, ["a", "b c"])], 2))
    assert out.dtype == torch.float32
    assert torch.isfinite(out).all()


def _or(net: Any, weft: Weft, weights: Any) -> Any:
    return net if weights.part == "transformer" else weft.load(weights)


@pytest.mark.parametrize("options", [{}, {"instruction": ""}, {"instruction": "write:"}])
def test_tokens_are_where_the_family_says(weft: Weft, options: dict[str, Any]) -> None:
    coded = encoded(weft, ["a Dog sits", "a Fog sits"], **options).tensors
    (row,) = weft.family.token_spans(weft.refs.text, "a Dog sits", options, weft.load)
    one, two = coded["sequence"]
    first = int(np.flatnonzero(np.abs(one - two).max(1) > 1e-4)[0])
    assert row.places(2, 3) == (first,)
    placed = [token.place for token in row.tokens if token.place is not None]
    assert placed == list(range(int(coded["mask"][0].sum())))


def test_the_whole_text_has_places(weft: Weft) -> None:
    found = places_of(weft, "a dog sits", slice(2, 3))
    assert first_change(weft, "a dog sits", "a fog sits") == found[-1]
    (empty,) = weft.family.token_spans(weft.refs.text, "", {}, weft.load)
    assert [token.place for token in empty.tokens] == [0]


def test_cross_attention_is_between_image_and_text(weft: Weft) -> None:
    coded = encoded(weft, ["a dog"], instruction="")
    denoiser = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
    x, ready = torch.ones(1, 4, 10, 6), denoiser.prepare([coded], 1)
    seen: list[tuple[Spans, int]] = []

    def hook(call: Attention) -> torch.Tensor:
        seen.append((call.spans, call.key.shape[2]))
        return call.attend()

    plain = denoiser(x, 0.5, ready)
    around = on_attention(weft.load(weft.refs.model), CARD, hook)
    with around(Moment(0.5, 0, 1, (1, 4, 10, 6), (), 1, denoiser.tokens(x.shape))):
        assert torch.equal(denoiser(x, 0.5, ready), plain)
    none, words = slice(0, 0), coded.tensors["sequence"].shape[1]
    assert seen == [(Spans(none, slice(0, 60), slice(0, words), none), words)] * 2


def test_in_painting_keeps_what_is_outside_the_mask(weft: Weft) -> None:
    code = weft.encode(picture())
    mask = inpaint.latent_mask(coverage(), *code.samples.shape[-2:])
    found = weft.run(code.but(mask=mask), 12, start=0.2, solver="dpmpp_2m").numpy()
    outside = np.broadcast_to(mask[:, None] == 0, found.shape)
    assert np.allclose(found[outside], code.samples[outside], atol=1e-5)
    assert not np.allclose(found[~outside], code.samples[~outside], atol=0.1)


def test_tiles_come_near_the_whole(weft: Weft) -> None:
    """Attention over a whole picture differs from that over a tile, so they agree roughly."""
    rng = np.random.default_rng(0)
    image = Image(rng.random((1, 64, 96, 3), dtype=np.float32))
    coding = Coding(tile=48, overlap=16)
    place = (weft.refs.vae, image, weft.load, "cpu", None)
    whole = weft.family.encode_image(*place).samples
    tiled = weft.family.encode_image(*place, coding).samples
    assert whole.shape == tiled.shape == (1, 4, 32, 48)
    assert np.corrcoef(whole.ravel(), tiled.ravel())[0, 1] > 0.9
    code = Latent(whole, "any")
    back = weft.family.decode_latent(weft.refs.vae, code, weft.load, "cpu").pixels
    again = weft.family.decode_latent(weft.refs.vae, code, weft.load, "cpu", coding).pixels
    assert back.shape == again.shape == (1, 64, 96, 3)
    assert np.corrcoef(back.ravel(), again.ravel())[0, 1] > 0.9


@pytest.mark.parametrize(("heads", "side"), [(4, 16), (8, 32)])
def test_a_call_needs_what_the_formula_says(heads: int, side: int) -> None:
    net = tiny_sana.transformer(
        in_channels=32,
        out_channels=32,
        num_attention_heads=heads,
        attention_head_dim=32,
        num_cross_attention_heads=heads // 2,
        cross_attention_head_dim=64,
        cross_attention_dim=heads * 32,
    )
    facts: Any = SimpleNamespace(geometry=CARD.geometry, settings={"time_scale": 1.0})
    denoiser = SanaDenoiser(net, Process(FLOW, "velocity"), facts, 1000, "cpu")
    text = {"sequence": np.zeros((1, 32, 32)), "mask": np.ones((1, 32))}
    ready = denoiser.prepare([Conditioning("x", text)], 2)
    x = torch.zeros(2, 32, side, side)
    said = CARD.peak.token_widths * heads * 32 * 4 * side * side * 2
    assert 0.8 < measured(net, lambda: denoiser(x, 0.5, ready)) / said < 1.2


def test_an_autoencoder_needs_what_the_formula_says() -> None:
    widths, kinds = (8, 16, 32, 32, 64, 64), ("ResBlock",) * 3 + ("EfficientViTBlock",) * 3
    net = AutoencoderDC(
        attention_head_dim=4,
        encoder_block_types=kinds,
        decoder_block_types=kinds,
        encoder_block_out_channels=widths,
        decoder_block_out_channels=widths,
        encoder_layers_per_block=(1,) * 6,
        decoder_layers_per_block=(1,) * 6,
        downsample_block_type="Conv",
        upsample_block_type="interpolate",
    ).eval()
    said = CARD.peak.pixel_channels * 8 * 4 * 128 * 128
    assert 0.8 < measured(net, lambda: net.decode(torch.zeros(1, 32, 4, 4))) / said < 1.2
    assert 0.8 < measured(net, lambda: net.encode(torch.zeros(1, 3, 128, 128))) / said < 1.2
