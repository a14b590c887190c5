"""What the Wan family says of its models, what it refuses, and what it needs."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel

from backend.catalog.errors import CatalogError
from backend.catalog.folder import content_hash, read_folder
from backend.diffusion.errors import DiffusionError
from backend.models import causal_video, wan
from backend.models.card import Geometry
from backend.models.family import VideoFamily, families, part_of, references, video_family_of
from backend.models.flow_schedulers import flow_times
from backend.models.store import Store
from backend.models.texts import tokenise
from backend.values import Conditioning, Latent, Model
from tests.backend.models import tiny_wan
from tests.backend.models.checks import changed, facts_of, known_by
from tests.backend.models.test_peak import measured


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_wan.write(tmp_path_factory.mktemp("wan"))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_wan.write(tmp_path_factory.mktemp("pair"), boundary=0.875)


def test_only_wan_knows_its_folders(folder: Path, pair: Path, flux_folder: Path) -> None:
    assert known_by(folder) == known_by(pair) == ["wan"]
    assert "wan" not in known_by(flux_folder)


def test_facts_of_one_network(folder: Path) -> None:
    facts = facts_of(folder)
    assert facts.geometry == Geometry(channels=4, factor=8, patch=2, frame_factor=4)
    assert (facts.width, facts.vae_width, facts.experts) == (24, 8, ())
    assert (facts.defaults.solver, facts.defaults.frames, facts.defaults.rate) == ("unipc", 81, 16)
    assert facts.latent_space.startswith("wan:")
    assert "experts" not in facts.capabilities


def test_facts_of_two_experts(pair: Path, folder: Path) -> None:
    facts = facts_of(pair)
    assert facts.experts == (("transformer_2", 0.875),)
    assert "experts" in facts.capabilities
    assert facts.latent_space == facts_of(folder).latent_space


def test_facts_of_the_coarse_model(tmp_path: Path) -> None:
    facts = facts_of(tiny_wan.write(tmp_path, coarse=True))
    assert facts.geometry == Geometry(channels=4, factor=16, patch=2, frame_factor=4)
    assert (facts.defaults.width, facts.defaults.height) == (1280, 704)
    assert (facts.defaults.frames, facts.defaults.rate, facts.vae_width) == (121, 24, 3)


def test_the_spaces_of_the_published_models_have_names(folder: Path, tmp_path: Path) -> None:
    def named(name: str, channels: int, **vae: Any) -> str:
        values = {"z_dim": channels, "latents_std": [1.0] * channels, **vae}
        copy = changed(folder, tmp_path / name, "vae/config.json", **values)
        net = copy / "transformer/config.json"
        net.write_text(json.dumps({**json.loads(net.read_text()), "in_channels": channels,
                                   "out_channels": channels}))  # fmt: skip
        return facts_of(copy).latent_space

    assert named("a", 16, latents_mean=causal_video.MEAN_21) == "wan21"
    assert named("b", 16, latents_mean=[0.0] * 16).startswith("wan:")
    coarse = {"patch_size": 2, "scale_factor_spatial": 16}
    assert named("c", 48, latents_mean=[0.0] * 48, **coarse) == "wan22"
    published = changed(folder, tmp_path / "d", "text_encoder/config.json",
                        d_model=4096, num_layers=24)  # fmt: skip
    net = published / "transformer/config.json"
    net.write_text(json.dumps({**json.loads(net.read_text()), "text_dim": 4096}))
    assert facts_of(published).text_space == "wan"


BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "a vae of other channels": ("vae/config.json", {"z_dim": 8}, "different models"),
    "a text encoder of another width": (
        "text_encoder/config.json", {"d_model": 64}, "of different models"),
    "an image to video model": (
        "transformer/config.json", {"in_channels": 9}, "Only text to video"),
    "patches in time": ("transformer/config.json", {"patch_size": [2, 2, 2]}, "patch size"),
    "a scale factor that is none": ("vae/config.json", {"scale_factor_spatial": 4}, "scale factor"),
    "too few means": ("vae/config.json", {"latents_mean": [0.1]}, "4 numbers"),
    "a deviation of 0": ("vae/config.json", {"latents_std": [1, 1, 0, 1]}, "numbers above 0"),
    "a scheduler of noise levels": (
        "scheduler/scheduler_config.json", {"use_flow_sigmas": False}, "use_flow_sigmas False"),
    "a scheduler that predicts noise": (
        "scheduler/scheduler_config.json", {"prediction_type": "epsilon"}, "flow_prediction only"),
    "karras levels": (
        "scheduler/scheduler_config.json", {"use_karras_sigmas": True}, "use_karras_sigmas True"),
    "a shift by size": (
        "scheduler/scheduler_config.json", {"use_dynamic_shifting": True}, "dynamic_shifting True"),
    "a run that ends early": (
        "scheduler/scheduler_config.json", {"final_sigmas_type": "sigma_min"}, "with zero only"),
    "a shift of 0": ("scheduler/scheduler_config.json", {"flow_shift": 0}, "no Wan has"),
    "a shift in words": ("scheduler/scheduler_config.json", {"flow_shift": "big"}, "no Wan has"),
    "a level without a second expert": (
        "model_index.json", {"boundary_ratio": 0.9}, "two transformers"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_models_that_would_not_run_are_refused(name: str, folder: Path, tmp_path: Path) -> None:
    file, values, says = BAD[name]
    copy = changed(folder, tmp_path / "copy", file, **values)
    with pytest.raises(CatalogError, match=says):
        facts_of(copy)


def test_another_class_of_encoder_is_not_loaded(folder: Path, tmp_path: Path) -> None:
    named = {"text_encoder": ["transformers", "T5EncoderModel"]}
    copy = read_folder(changed(folder, tmp_path / "copy", "model_index.json", **named))
    with pytest.raises(CatalogError, match="T5EncoderModel"):
        wan.FAMILY.load_part(copy, "text_encoder", "cpu", "float32")


@pytest.mark.parametrize("level", [None, 1.5])
def test_a_second_expert_needs_its_level(level: float | None, pair: Path, tmp_path: Path) -> None:
    copy = changed(pair, tmp_path / "copy", "model_index.json", boundary_ratio=level)
    with pytest.raises(CatalogError, match="boundary_ratio"):
        facts_of(copy)


def test_another_level_is_another_model(pair: Path, tmp_path: Path) -> None:
    copy = read_folder(changed(pair, tmp_path / "a", "model_index.json", boundary_ratio=0.9))
    assert copy.settings["boundary_ratio"] == 0.9
    assert copy.identity(["transformer"]) != read_folder(pair).identity(["transformer"])
    assert content_hash(copy, ["transformer"]) != content_hash(read_folder(pair), ["transformer"])


def test_the_family_is_one_of_videos(folder: Path) -> None:
    assert isinstance(families()["wan"], VideoFamily)
    assert not isinstance(families()["flux"], VideoFamily)
    with pytest.raises(CatalogError, match="Flux models make pictures"):
        video_family_of(Model("flux", "transformer", "x", "x"))


def test_texts_are_cleaned() -> None:
    assert wan.clean("  a\n\tcat &amp;lt;b&amp;gt; ") == "a cat <b>"
    assert wan.clean(html.escape("Tom & “Jerry”")) == 'Tom & "Jerry"'
    assert wan.clean("the kingâ€™s dogs") == "the king's dogs"
    assert wan.clean("") == ""


def test_texts_have_zeros_after_their_end(folder: Path) -> None:
    text, store = references(read_folder(folder), wan.FAMILY).text, Store(families(), 2**30)
    load = lambda w: store.get(w, "cpu")  # noqa: E731
    coded = wan.FAMILY.encode_text(text, ["abc", ""], {}, load, "cpu").tensors["sequence"]
    assert coded.shape == (2, 24, 32)
    filled = np.abs(coded).max(2) > 0
    assert [row.tolist().index(False) for row in filled] == [5, 1]  # a space, letters, the end
    assert not filled[:, 5:].any()
    short = wan.FAMILY.encode_text(text, ["abc"], {"max_tokens": 3}, load, "cpu")
    assert short.tensors["sequence"].shape == (1, 3, 32)
    with pytest.raises(DiffusionError, match="1 to 24 tokens"):
        wan.FAMILY.encode_text(text, ["abc"], {"max_tokens": 25}, load, "cpu")


def test_tokens_are_placed_as_they_are_encoded(folder: Path) -> None:
    text, store = references(read_folder(folder), wan.FAMILY).text, Store(families(), 2**30)
    load = lambda w: store.get(w, "cpu")  # noqa: E731
    written = "a  b &amp; c"
    (row,) = wan.FAMILY.token_spans(text, written, {}, load)
    assert (row.tensors, row.length, row.cut) == (("sequence",), 24, ())
    coded = wan.FAMILY.encode_text(text, [written], {}, load, "cpu").tensors["sequence"][0]
    filled = int((np.abs(coded).max(1) > 0).sum())
    assert [token.place for token in row.tokens] == list(range(filled))
    tokenizer = load(part_of(text, "tokenizer"))
    net = load(part_of(text, "text_encoder"))
    ids = [tokenise(tokenizer, [wan.clean(t)], 24, net)[0][0] for t in (written, "a  d &amp; c")]
    (place,) = (ids[0] != ids[1]).nonzero()[:, 0].tolist()
    assert place in row.places(3, 4)
    assert place not in row.places(0, 1) + row.places(11, 12)


def test_levels_and_times_of_the_schedulers() -> None:
    own = flow_times("UniPCMultistepScheduler", {"flow_shift": 3.0})
    assert own.grid(2) == pytest.approx([1, 0.5005])
    assert (own.time(1.0), own.time(0.9129), own.shift.factor(7)) == (999, 912, 3)
    other = flow_times("FlowMatchEulerDiscreteScheduler", {"shift": 3.0})
    assert other.grid(3)[-1] == pytest.approx(3 * 0.001 / (1 + 2 * 0.001))
    assert (other.grid(1), other.time(0.9129)) == ([1.0], pytest.approx(912.9))


def test_latents_that_do_not_fit_are_refused(folder: Path) -> None:
    refs, store = references(read_folder(folder), wan.FAMILY), Store(families(), 2**30)
    load = lambda w: store.get(w, "cpu")  # noqa: E731
    several = Latent(np.zeros((1, 4, 3, 4, 6)), refs.vae.space)
    with pytest.raises(DiffusionError, match="3 latent frames"):
        wan.FAMILY.decode_latent(refs.vae, several, load, "cpu")
    with pytest.raises(DiffusionError, match="one at a time"):
        list(wan.FAMILY.decode_video(
            refs.vae, Latent(np.zeros((2, 4, 3, 4, 6)), "x"), load, "cpu"))  # fmt: skip
    denoiser = wan.FAMILY.denoiser(refs.model, load, "cpu")
    ready = denoiser.prepare([Conditioning("x", {"sequence": np.zeros((1, 24, 32))})], 1)
    with pytest.raises(DiffusionError, match="multiples of 2, not 5x4"):
        denoiser(torch.zeros(1, 4, 1, 4, 5), 0.5, ready)


def test_it_computes_in_bfloat16(folder: Path) -> None:
    """As on a GPU: some of the network's modules stay in float32 beside the others."""
    net = wan.FAMILY.load_part(read_folder(folder), "transformer", "cpu", "bfloat16")
    times = flow_times("UniPCMultistepScheduler", {})
    texts = [Conditioning("x", {"sequence": np.ones((1, 24, 32))})]
    x, found = torch.randn(1, 4, 3, 4, 6, generator=torch.Generator().manual_seed(1)), []
    for kind in (net, wan.FAMILY.load_part(read_folder(folder), "transformer", "cpu", "float32")):
        denoiser = wan.WanDenoiser(kind, times, Geometry(4, 8, 2, 4), "cpu")
        with torch.no_grad():
            found.append(denoiser(x, 0.7, denoiser.prepare(texts, 1)))
    assert found[0].dtype == torch.float32
    assert 0 < (found[0] - found[1]).norm() / found[1].norm() < 0.1


@pytest.mark.parametrize(("heads", "side", "ffn"), [(4, 16, 4.7), (8, 16, 4.7), (4, 32, 2.7)])
def test_a_denoiser_call_needs_what_the_formula_says(heads: int, side: int, ffn: float) -> None:
    width = heads * 24
    net = WanTransformer3DModel(
        num_attention_heads=heads, attention_head_dim=24, text_dim=64, freq_dim=64,
        ffn_dim=int(width * ffn), num_layers=2,
    ).eval()  # fmt: skip
    times = flow_times("UniPCMultistepScheduler", {})
    denoiser = wan.WanDenoiser(net, times, Geometry(16, 8, 2, 4), "cpu")
    ready = denoiser.prepare([Conditioning("x", {"sequence": np.zeros((1, 32, 64))})], 2)
    x = torch.zeros(2, 16, 3, side, side)
    said = wan.peak_of(net.config, {}).token_widths * width * 4 * denoiser.tokens(x.shape) * 2
    assert 0.8 < measured(net, lambda: denoiser(x, 0.5, ready)) / said < 1.2


@pytest.mark.parametrize("coarse", [False, True])
def test_a_vae_needs_what_the_formula_says(coarse: bool, tmp_path: Path) -> None:
    own: dict[str, Any] = {}
    if coarse:
        own = {"is_residual": True, "patch_size": 2, "in_channels": 12, "out_channels": 12,
               "scale_factor_spatial": 16, "decoder_base_dim": 24}  # fmt: skip
    vae = AutoencoderKLWan(base_dim=16, z_dim=16, **own).eval()
    factor, size = (16, 64) if coarse else (8, 64)
    facts = facts_of(tiny_wan.write(tmp_path, coarse=coarse))
    said = facts.peak.pixel_channels * (24 // 4 if coarse else 16) * 4 * size * size
    latent = torch.zeros(1, 16, 4, size // factor, size // factor)
    decoding = measured(
        vae, lambda: [None for _ in causal_video.decode_frames(vae, latent, factor, "cpu")]
    )
    assert 0.8 < decoding / said < 1.2
    pieces = [torch.zeros(n, 3, size, size) for n in (1, 4, 4, 4)]
    shape = (1, 16, 4, size // factor, size // factor)
    encoding = measured(
        vae, lambda: causal_video.encode_pieces(vae, [pieces], shape, factor, "cpu")
    )
    assert encoding < said * 1.1
