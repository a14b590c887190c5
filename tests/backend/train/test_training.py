"""Training on a tiny scale: it learns, resumes to the same bits, exports what diffusers loads."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from backend.train import checkpoint, flow, text, vae  # noqa: E402
from backend.train.bank import Bank, draw_bank  # noqa: E402
from backend.train.generate import Settings, load, with_pipeline  # noqa: E402
from backend.train.pipeline import Workplace  # noqa: E402
from backend.train.recipe import (  # noqa: E402
    BankRecipe,
    FlowRecipe,
    Recipe,
    VaeRecipe,
    rate_share,
)

TINY = Recipe(
    seed=5,
    bank=BankRecipe(scenes=24, shard=10),
    vae=VaeRecipe(widths=(8, 8, 8, 8), groups=4, steps=8, batch=2, warmup=2, checkpoint_every=3),
    flow=FlowRecipe(
        text_width=32,
        text_layers=1,
        text_heads=2,
        pooled_width=32,
        pooled_layers=1,
        double_blocks=1,
        single_blocks=1,
        heads=2,
        head_width=16,
        rope=(4, 6, 6),
        scenes=24,
        reading_steps=6,
        compiled=False,
        steps=8,
        batch=4,
        warmup=2,
        checkpoint_every=3,
    ),
)


def _quiet(line: str) -> None:
    del line


def _place(folder: Path) -> Workplace:
    return Workplace(folder, TINY, torch.device("cpu"), _quiet)


def _tensors(value: object) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    return (
        [t for part in parts for t in _tensors(part)]
        if isinstance(parts, (list, tuple, type({}.values())))
        else []
    )


def _same(first: Path, second: Path) -> bool:
    a, b = checkpoint.load(first), checkpoint.load(second)
    assert a is not None
    assert b is not None
    assert a["step"] == b["step"]
    pairs = list(zip(_tensors(a), _tensors(b), strict=True))
    return len(pairs) > 20 and all(torch.equal(x, y) for x, y in pairs)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A whole tiny training, without a break."""
    place = _place(tmp_path_factory.mktemp("done"))
    draw_bank(place.folder / "bank", TINY, workers=1)
    place.train_vae()
    place.train_flow()
    place.export()
    return place


def test_the_bank_is_the_world(done: Workplace) -> None:
    from backend.train.scene import picture
    from backend.train.world import draw_spec

    bank = Bank(done.folder / "bank")
    assert len(bank) == 24 == len(bank.captions)
    for index in (0, 9, 10, 23):
        spec = draw_spec(TINY.seed, index, "train")
        assert bank.captions[index] == spec.caption
        assert np.array_equal(bank.pixels([index])[0], picture(spec))


def test_an_interrupted_training_goes_on_to_the_same_bits(done: Workplace, tmp_path: Path) -> None:
    broken = _place(tmp_path)
    draw_bank(tmp_path / "bank", TINY, workers=1)
    broken.train_vae(stop_at=3)
    assert not _same_step(broken, done, "vae.pt")
    broken.train_vae()
    assert _same(tmp_path / "vae.pt", done.folder / "vae.pt")
    broken.train_flow(stop_at=4)
    broken.train_flow()
    assert _same(tmp_path / "flow.pt", done.folder / "flow.pt")


def _same_step(first: Workplace, second: Workplace, name: str) -> bool:
    a, b = checkpoint.load(first.folder / name), checkpoint.load(second.folder / name)
    assert a is not None
    assert b is not None
    return bool(a["step"] == b["step"])


def test_a_checkpoint_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.pt"
    checkpoint.save(path, {"step": 1})

    def broken(state: object, file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save(path, {"step": 2})
    assert checkpoint.load(path) == {"step": 1}


def test_the_export_loads_in_diffusers_and_draws(done: Workplace) -> None:
    from safetensors import safe_open

    for name in (
        "vae/diffusion_pytorch_model",
        "transformer/diffusion_pytorch_model",
        "text_encoder/model",
        "text_encoder_2/model",
    ):
        with safe_open(done.model / f"{name}.safetensors", "pt") as file:
            assert {file.get_slice(key).get_dtype() for key in [*file.keys()]} == {"BF16"}
    pipeline = load(done.model, torch.device("cpu"))
    assert type(pipeline).__name__ == "FluxPipeline"
    generate = with_pipeline(pipeline, Settings(steps=2, batch=2))
    captions = ["a red circle on the left", "", "🦓 unknown words"]
    pictures = generate(captions, 3)
    assert pictures.shape == (3, 128, 128, 3)
    assert pictures.dtype == np.uint8
    # What a picture shows depends on its own seed, not on its neighbours.
    alone = generate(captions[1:2], 4)
    assert np.abs(alone[0].astype(int) - pictures[1]).max() <= 2
    assert not list(done.model.rglob("*.part"))
    assert not list(done.folder.glob("*.part"))


def test_exported_weights_are_the_averages(done: Workplace) -> None:
    pipeline = load(done.model, torch.device("cpu"))
    for name, module, prefix in (
        ("flow.pt", pipeline.transformer, "transformer."),
        ("flow.pt", pipeline.text_encoder, "text_encoder."),
        ("flow.pt", pipeline.text_encoder_2, "text_encoder_2."),
        ("vae.pt", pipeline.vae, ""),
    ):
        state = checkpoint.load(done.folder / name)
        assert state is not None
        for key, value in module.named_parameters():
            wanted = state["average"][prefix + key].bfloat16().float()
            assert torch.equal(value, wanted), prefix + key


def test_scaled_latents_are_standard(done: Workplace) -> None:
    latents = flow.load_latents(done.folder)
    scaled = latents.batch(np.arange(24))
    assert abs(float(scaled.mean())) < 0.02
    assert abs(float(scaled.std()) - 1) < 0.02


def test_the_flow_loss_falls_and_needs_the_text(done: Workplace) -> None:
    """On one batch, learned by heart: the loss falls, and gradients reach both encoders."""
    torch.manual_seed(0)
    plan = replace(TINY.flow, rate=3e-3, muon_rate=3e-3)
    networks = flow.build(plan, 16)
    modules = networks.modules()
    movers = flow.optimisers(modules, plan)
    clean = flow.load_latents(done.folder).batch(np.arange(8))
    ids = text.token_ids(networks.encoders, Bank(done.folder / "bank").captions[:8], 32)
    losses = []
    for _ in range(25):
        loss = flow.loss_of(networks, clean, *ids, plan, checkpoint.step_generator(1, 1))
        modules.zero_grad()
        loss.backward()
        for mover in movers:
            mover.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]
    for encoder in (networks.encoders.clip, networks.encoders.t5):
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


def test_training_leaves_the_attention_of_other_models_as_it_was(tmp_path: Path) -> None:
    before = active_attention()
    place = _place(tmp_path)
    draw_bank(place.folder / "bank", TINY, workers=1)
    place.train_vae()
    place.train_flow()
    assert active_attention() == before


def active_attention() -> object:
    """What every model of diffusers that names no attention of its own computes with."""
    from diffusers.models.attention_dispatch import _AttentionBackendRegistry

    return _AttentionBackendRegistry.get_active_backend()[0]


def test_packing_is_the_one_of_flux() -> None:
    from diffusers import FluxPipeline

    latents = torch.randn(2, 16, 8, 12)
    assert torch.equal(flow.pack(latents), FluxPipeline._pack_latents(latents, 2, 16, 8, 12))
    ids = FluxPipeline._prepare_latent_image_ids(1, 4, 6, torch.device("cpu"), torch.float32)
    assert torch.equal(flow.image_ids(4, 6), ids)


def test_every_muon_matrix_lies_inside_a_block() -> None:
    modules = flow.build(TINY.flow, 16).modules()
    muon, adam = flow.optimisers(modules, TINY.flow)
    count = sum(len(group["params"]) for group in muon.param_groups)
    every = sum(1 for _ in modules.parameters())
    assert count + sum(len(group["params"]) for group in adam.param_groups) == every
    # 12 of a double block, 5 of a single one, 7 of a T5 layer, 6 of a CLIP layer
    assert count == 12 + 5 + 7 + 6


def test_any_text_becomes_tokens() -> None:
    encoders = text.build(TINY.flow)
    longest = (
        "a striped orange triangle on the right, a dotted purple triangle at the bottom and "
        "a striped yellow star on the left, on a lavender background"
    )
    texts = ["", "🦓🦓", "Ωμέγα\x00", "word " * 200, longest]
    clip, t5 = text.token_ids(encoders, texts, 32)
    assert clip.shape == t5.shape == (5, 32)
    assert (clip == encoders.clip_tokenizer.eos_token_id).any(1).all()
    assert (t5[4] == 1).any(), "the longest caption of the world must not be cut"
    for word in text.grammar_words():
        assert len(encoders.clip_tokenizer.tokenize(word)) == 1
        assert len(encoders.t5_tokenizer.tokenize(word)) == 1
        assert len(encoders.t5_tokenizer.tokenize(word.capitalize())) == 1


def test_tokenizers_reload_as_they_were(tmp_path: Path) -> None:
    from transformers import CLIPTokenizer, T5TokenizerFast

    encoders = text.build(TINY.flow)
    encoders.clip_tokenizer.save_pretrained(tmp_path / "a")
    encoders.t5_tokenizer.save_pretrained(tmp_path / "b")
    first = CLIPTokenizer.from_pretrained(tmp_path / "a", local_files_only=True)
    second = T5TokenizerFast.from_pretrained(tmp_path / "b", local_files_only=True)
    for line in ("A red circle on the left", "left: a ring, nice 🦓", "", "Striped!"):
        assert first(line).input_ids == encoders.clip_tokenizer(line).input_ids
        assert second(line).input_ids == encoders.t5_tokenizer(line).input_ids


def test_varied_captions_keep_to_the_truth() -> None:
    from backend.train.caption import parse
    from backend.train.world import draw_spec

    plan = replace(TINY.flow, garnished=0.3, partial=0.4)
    captions = [draw_spec(1, i).caption for i in range(300)]
    varied = flow.vary(captions, plan, 1)
    assert varied == flow.vary(captions, plan, 1)
    assert 150 < sum(a != b for a, b in zip(captions, varied, strict=True)) < 260
    for whole, said in zip(map(parse, captions), map(parse, varied), strict=True):
        assert said.background in (None, whole.background)
        for one, other in zip(whole.objects, said.objects, strict=True):
            assert replace(other, place=one.place) == one
            assert other.place == one.place or len(whole.objects) == 1


def test_the_rate_rises_holds_and_falls_to_nothing() -> None:
    shares = [rate_share(step, 10, 100, 0.5) for step in range(100)]
    assert shares[0] == 0.1
    assert shares[10:50] == [1.0] * 40
    assert all(a > b for a, b in pairwise(shares[50:]))
    assert shares[-1] < 0.01


def test_pixels_and_tensors_go_there_and_back() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    assert np.array_equal(vae.to_pixels(vae.to_tensor(pixels)), pixels)
    assert vae.psnr(pixels, pixels).min() > 100
    shifted = np.clip(pixels.astype(int) // 2 + 10, 0, 255).astype(np.uint8)
    by_hand = 10 * np.log10(255**2 / np.mean((pixels / 1.0 - shifted) ** 2, axis=(1, 2, 3)))
    assert np.allclose(vae.psnr(pixels, shifted), by_hand)
