"""Qwen-Image beside its parity: what is read from a folder, and what bad folders are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_qwenimage import AutoencoderKLQwenImage

from backend.catalog.errors import CatalogError
from backend.diffusion.around import Moment
from backend.diffusion.errors import DiffusionError
from backend.diffusion.paths import FLOW
from backend.diffusion.process import Process
from backend.models import one_frame, reference
from backend.models.card import Geometry
from backend.models.causal_video import MEAN_21
from backend.models.qwen_image import CARD, QwenImageDenoiser
from backend.models.seams.sites import Attention, Spans, on_attention
from backend.models.tiling.tiles import Coding
from backend.values import Conditioning, Image, Latent
from tests.backend.models import tiny_qwen
from tests.backend.models.checks import changed, facts_of, first_change, known_by, places_of
from tests.backend.models.parity import Weft, picture
from tests.backend.models.test_peak import measured


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_qwen.write(tmp_path_factory.mktemp("qwen_image"))


@pytest.fixture(scope="module")
def weft(folder: Path) -> Weft:
    return Weft.of(folder)


def encoded(weft: Weft, texts: list[str], **options: Any) -> Conditioning:
    return weft.family.encode_text(weft.refs.text, texts, options, weft.load, "cpu")


def test_a_folder_is_known_and_read(folder: Path) -> None:
    assert known_by(folder) == ["qwen_image"]
    facts = facts_of(folder)
    assert facts.geometry == Geometry(channels=4, factor=2, patch=2)
    assert (facts.width, facts.vae_width) == (32, 8)
    assert (facts.defaults.steps, facts.defaults.cfg) == (50, 4.0)
    assert facts.defaults.guider == "cfg_token_norm"
    assert facts.settings["max_tokens"] == tiny_qwen.TOKENS


def test_the_shipped_configs_name_the_spaces(folder: Path, tmp_path: Path) -> None:
    sixteen = {"z_dim": 16, "latents_mean": MEAN_21, "latents_std": [1.0] * 16}
    vae = changed(folder, tmp_path / "a", "vae/config.json", **sixteen)
    whole = changed(vae, tmp_path / "b", "transformer/config.json", in_channels=64)
    assert facts_of(whole).latent_space == "qwen_image"
    assert facts_of(folder).latent_space.startswith("qwen_image:")


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("transformer/config.json", {"in_channels": 64}, "takes 64 channels, but the VAE makes 16"),
    ("transformer/config.json", {"joint_attention_dim": 48}, "text vectors of 48 numbers"),
    ("transformer/config.json", {"num_attention_heads": "many"}, "holds a value"),
    ("transformer/config.json", {"patch_size": 4}, "patches of 4 cells"),
    ("transformer/config.json", {"guidance_embeds": True}, "one with guidance_embeds"),
    ("transformer/config.json", {"use_layer3d_rope": True}, "one with use_layer3d_rope"),
    ("vae/config.json", {"dim_mult": [1, 2, 4]}, "3 sizes for 1 halvings"),
    ("vae/config.json", {"latents_mean": [0.0]}, "latents_mean should hold 4 numbers"),
    ("vae/config.json", {"latents_std": [1, 0, 1, 1]}, "4 numbers above 0"),
    ("text_encoder/config.json", {"text_config": 7}, "holds a value"),
    ("tokenizer/tokenizer_config.json", {"model_max_length": 34}, "takes 34"),
    ("scheduler/scheduler_config.json", {"stochastic_sampling": True}, "stochastic_sampling"),
    ("model_index.json", {"scheduler": ["diffusers", "DDIMScheduler"]}, "DDIMScheduler"),
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


def test_more_tokens_than_the_encoder_takes_are_refused(weft: Weft) -> None:
    with pytest.raises(DiffusionError, match="1 to 260 tokens, not 261"):
        encoded(weft, ["a"], max_tokens=261)
    assert encoded(weft, ["a"], max_tokens=5).tensors["sequence"].shape == (1, 5, 32)


def test_sizes_that_the_model_cannot_make_are_refused(weft: Weft) -> None:
    denoiser = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
    coded = encoded(weft, ["a"])
    ready = denoiser.prepare([coded], 1)
    with pytest.raises(DiffusionError, match="even sides, not 6x5"):
        denoiser(torch.zeros(1, 4, 5, 6), 0.5, ready)
    with pytest.raises(DiffusionError, match="positions for latents of up to"):
        denoiser(torch.zeros(1, 4, 2, 12290), 0.5, ready)
    for shape in ((1, 4, 5, 6), (1, 16, 4, 6)):
        odd = reference.add(coded, Latent(np.zeros(shape, np.float32), "any"))
        with pytest.raises(DiffusionError, match="takes 4 channels with even sides"):
            denoiser.prepare([odd], 1)
    with pytest.raises(DiffusionError, match="3 texts cannot serve 2"):
        denoiser.prepare([Conditioning("x", dict.fromkeys(coded.tensors, np.zeros((3, 5))))], 2)


def test_half_precision_gives_latents_in_full(folder: Path) -> None:
    weft = Weft.of(folder)
    net = weft.load(weft.refs.model).to(torch.bfloat16)
    denoiser = weft.family.denoiser(
        weft.refs.model, lambda w: net if w.part == "transformer" else weft.load(w), "cpu"
    )
    out = denoiser(torch.ones(2, 4, 4, 6), 0.5, denoiser.prepare([encoded(weft, ["a", "b c"])], 2))
    assert out.dtype == torch.float32
    assert torch.isfinite(out).all()


def test_tokens_are_where_the_family_says(weft: Weft) -> None:
    found = places_of(weft, "a dog {sits}", slice(2, 3))
    assert first_change(weft, "a dog {sits}", "a fog {sits}") == found[-1]
    (row,) = weft.family.token_spans(weft.refs.text, "a", {}, weft.load)
    assert [token.place for token in row.tokens[30:36]] == [None] * 4 + [0, 1]


@pytest.mark.parametrize("references", [0, 1])
def test_attention_sees_image_and_text_where_they_are(weft: Weft, references: int) -> None:
    """The text stands before the picture, what it refers to behind it."""
    coded = encoded(weft, ["a"])
    text = coded.tensors["sequence"].shape[1]
    for _ in range(references):
        coded = reference.add(coded, Latent(np.ones((1, 4, 4, 8), np.float32), "any"))
    denoiser: Any = weft.family.denoiser(weft.refs.model, weft.load, "cpu")
    x, ready = torch.ones(1, 4, 10, 6), denoiser.prepare([coded], 1)
    seen: list[tuple[Spans, int]] = []

    def hook(call: Attention) -> torch.Tensor:
        seen.append((call.spans, call.key.shape[2]))
        return call.attend()

    plain = denoiser(x, 0.5, ready)
    around = on_attention(weft.load(weft.refs.model), CARD, hook, denoiser.spans)
    with around(Moment(0.5, 0, 1, (1, 4, 10, 6), (), 1, denoiser.tokens(x.shape))):
        assert torch.equal(denoiser(x, 0.5, ready), plain)
    words, cells = slice(0, text), slice(text, text + 15)
    assert seen == [(Spans(words, cells, words, cells), text + 15 + 8 * references)] * 2


def test_tiles_agree_with_the_whole_but_for_their_rims() -> None:
    """Seen from deep inside a tile there is no difference; attention over all would make one, so
    the net has none of it."""
    net = tiny_qwen.vae()
    for coder in (net.encoder, net.decoder):
        coder.mid_block.attentions[0] = torch.nn.Identity()
        coder.mid_block.forward = lambda x, *_, block=coder.mid_block: block.resnets[0](x)
    rng, told = np.random.default_rng(0), []
    image = Image(rng.random((2, 96, 128, 3), dtype=np.float32))
    coding = Coding(tile=64, overlap=32, told=lambda done, total: told.append((done, total)))
    size = Geometry(4, 2, 2)
    whole = one_frame.encode_pictures(net, image, size, "x", "cpu", 7)
    tiled = one_frame.encode_pictures(net, image, size, "x", "cpu", 7, coding)
    inner = (..., slice(0, 16), slice(0, 16))
    assert whole.samples.shape == tiled.samples.shape == (2, 4, 48, 64)
    assert np.allclose(whole.samples[inner], tiled.samples[inner], atol=1e-4)
    assert told == [(i, 6) for i in range(6)] * 2
    back = one_frame.decode_pictures(net, whole.samples, 2, "cpu").pixels
    again = one_frame.decode_pictures(net, whole.samples, 2, "cpu", coding).pixels
    assert back.shape == again.shape == (2, 96, 128, 3)
    assert np.allclose(back[:, :20, :20], again[:, :20, :20], atol=1e-4)


def test_a_sample_of_the_posterior_lies_about_its_mean(weft: Weft) -> None:
    mean, one, two = (weft.encode(picture(), seed=seed).samples for seed in (None, 1, 2))
    assert not np.allclose(one, two, atol=1e-2)
    many = [weft.encode(picture(1), seed=seed).samples for seed in range(60)]
    spread = np.std(many, 0)
    assert np.all(np.abs(np.mean(many, 0) - mean[:1]) < spread)


@pytest.mark.parametrize(("heads", "side"), [(4, 16), (4, 32), (8, 16)])
def test_a_call_needs_what_the_formula_says(heads: int, side: int) -> None:
    net = tiny_qwen.transformer(
        attention_head_dim=32,
        num_attention_heads=heads,
        in_channels=64,
        out_channels=16,
        axes_dims_rope=(8, 12, 12),
    )
    denoiser = QwenImageDenoiser(net, Process(FLOW, "velocity"), CARD.geometry, "cpu")
    text = {"sequence": np.zeros((1, 8, 32)), "mask": np.ones((1, 8))}
    ready = denoiser.prepare([Conditioning("x", text)], 2)
    x = torch.zeros(2, 16, side * 2, side * 2)
    said = CARD.peak.token_widths * heads * 32 * 4 * side * side * 2
    assert 0.8 < measured(net, lambda: denoiser(x, 0.5, ready)) / said < 1.2


def test_a_vae_needs_what_the_formula_says() -> None:
    net = AutoencoderKLQwenImage(base_dim=16, z_dim=16).eval()
    said = CARD.peak.pixel_channels * 16 * 4 * 64 * 64
    latents = np.zeros((1, 16, 8, 8), np.float32)
    assert measured(net, lambda: one_frame.decode_pictures(net, latents, 8, "cpu")) / said > 0.8
    image = Image(np.zeros((1, 64, 64, 3), np.float32))

    def encode() -> Latent:
        return one_frame.encode_pictures(net, image, CARD.geometry, "x", "cpu")

    assert 0.7 < measured(net, encode) / said < 1.1
