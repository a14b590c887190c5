"""The LoRA nodes: what they lay on, and what they refuse from headers alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.catalog.pack import packs_folder, read_pack
from backend.catalog.source import open_files
from backend.models.pipelines.reference import PREFIX
from backend.sdk import UserError
from backend.values import Model, TextEncoder
from nodes.patches import lora, lora_on_text
from tests.backend.catalog.headers import filled, safetensors
from tests.nodes.fake_device import FakeDevice

Shapes = dict[str, tuple[int, ...]]
RANK = 8


class Disk(FakeDevice):
    """A context that may read every file."""

    def read(self, path: str) -> Path:
        return Path(path)


CTX = Disk({})


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    """Models of the published sizes, from the file of their denoiser, which holds no bytes."""
    return {name: described(name, tmp_path_factory.mktemp(name)) for name in FILES}


def described(name: str, home: Path) -> Model:
    part = next(p for p in read_pack(packs_folder() / name).parts if p.kind == "denoiser")
    path = safetensors(home / "denoiser.safetensors", filled(part.forms[0]))
    return Model(read_pack(packs_folder() / name).family, part.part, "fast:1",
                 open_files([path], name).source)  # fmt: skip


def factors(form: tuple[str, str], names: dict[str, tuple[int, int]]) -> Shapes:
    found: Shapes = {}
    for name, (rows, columns) in names.items():
        found |= {f"{name}.{form[0]}.weight": (RANK, columns)}
        found |= {f"{name}.{form[1]}.weight": (rows, RANK)}
    return found


KOHYA, PEFT = ("lora_down", "lora_up"), ("lora_A", "lora_B")
FILES: dict[str, Shapes] = {
    "flux-dev": factors(KOHYA, {
        **{f"lora_unet_double_blocks_{i}_img_attn_qkv": (9216, 3072) for i in range(19)},
        **{f"lora_unet_single_blocks_{i}_linear1": (21504, 3072) for i in range(38)},
    }),
    "sdxl-base": factors(KOHYA, {
        f"lora_unet_input_blocks_7_1_transformer_blocks_{i}_attn2_to_k": (1280, 2048)
        for i in range(10)
    }),
    "sd15": factors(KOHYA, {
        "lora_unet_down_blocks_2_attentions_0_transformer_blocks_0_attn2_to_k": (1280, 768),
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k": (1280, 768),
    }),
    "wan-2.1-t2v-1.3b": factors(PEFT, {
        f"diffusion_model.blocks.{i}.self_attn.q": (1536, 1536) for i in range(30)
    }),
    "wan-2.1-t2v-14b": factors(PEFT, {
        f"diffusion_model.blocks.{i}.self_attn.q": (5120, 5120) for i in range(40)
    }),
    "z-image": factors(PEFT, {
        f"diffusion_model.layers.{i}.attention.to_q": (3840, 3840) for i in range(30)
    }),
    "qwen-image": factors(PEFT, {
        f"transformer.transformer_blocks.{i}.attn.to_q": (3072, 3072) for i in range(60)
    }),
    "sd35-medium": factors(KOHYA, {
        f"lora_unet_joint_blocks_{i}_x_block_attn_qkv": (4608, 1536) for i in range(24)
    }),
}  # fmt: skip
"""LoRAs as people have them, by the model that they are for."""


@pytest.mark.parametrize("name", FILES)
def test_a_lora_goes_on_its_own_model_and_on_no_other(
    models: dict[str, Model], name: str, tmp_path: Path
) -> None:
    path = safetensors(tmp_path / "own.safetensors", FILES[name])
    laid = lora(CTX, models[name], str(path), strength=0.5)
    assert [(p.kind, p.strength) for p in laid.patches] == [("lora", 0.5)]
    for other in FILES:
        if other != name:
            with pytest.raises(UserError, match=r"own.safetensors (is a LoRA for|was made|does)"):
                lora(CTX, models[other], str(path))


def test_what_is_refused_names_both_models(models: dict[str, Model], tmp_path: Path) -> None:
    path = safetensors(tmp_path / "ink.safetensors", FILES["sdxl-base"])
    with pytest.raises(UserError, match=r"is a LoRA for .*XL.* family flux"):
        lora(CTX, models["flux-dev"], str(path))
    small = safetensors(tmp_path / "small.safetensors", FILES["wan-2.1-t2v-1.3b"])
    with pytest.raises(UserError, match=r"\[5120, 5120\], its factors \[8, 1536\], \[1536, 8\]"):
        lora(CTX, models["wan-2.1-t2v-14b"], str(small))


def test_without_strength_the_reference_stays_the_same(
    models: dict[str, Model], tmp_path: Path
) -> None:
    path, plain = safetensors(tmp_path / "a.safetensors", FILES["z-image"]), models["z-image"]
    assert lora(CTX, plain, str(path), strength=0.0) is plain


def test_a_model_that_runs_whole_takes_none(tmp_path: Path) -> None:
    path = safetensors(tmp_path / "a.safetensors", FILES["z-image"])
    with pytest.raises(UserError, match="runs whole"):
        lora(CTX, Model(PREFIX + "KolorsPipeline", "pipeline", "fast:1", "/x"), str(path))


def test_a_lora_for_texts_goes_on_the_text_encoder(
    models: dict[str, Model], tmp_path: Path
) -> None:
    name = "lora_te1_text_model_encoder_layers_0_self_attn_q_proj"
    path = safetensors(tmp_path / "a.safetensors", factors(KOHYA, {name: (768, 768)}))
    encoder = TextEncoder("sdxl", "text_encoder", "fast:1", "/x", space="sdxl")
    assert len(lora_on_text(CTX, encoder, str(path)).patches) == 1
    with pytest.raises(UserError, match="text encoders alone"):
        lora(CTX, models["sdxl-base"], str(path))


@pytest.mark.parametrize("odd", [(), (".diff_m",), (".diff_m", ".alpha", ".weight", ".x" * 999)])
def test_what_has_no_effect_is_told(models, tmp_path: Path, odd: tuple[str, ...]) -> None:
    extra = {f"lora_unet_img_in{end}": (3072, 64) for end in odd}
    path = safetensors(tmp_path / "style.safetensors", {**FILES["flux-dev"], **extra})
    ctx = Disk({})
    lora(ctx, models["flux-dev"], str(path))
    assert len(ctx.notes) == bool(odd)
    for note in ctx.notes:
        assert note.startswith(str(len(odd)))
        assert "lora_unet_img_in.diff_m" in note
        assert ("and 1 more" in note) == (len(odd) > 3)
        assert len(note) < 500


def test_what_has_no_effect_on_text_is_told(models, tmp_path: Path) -> None:
    shapes = factors(KOHYA, {"lora_te1_text_model_encoder_layers_0_mlp_fc1": (3072, 768)})
    path = safetensors(tmp_path / "text.safetensors", {**shapes, "lora_te1_odd.diff_m": (4,)})
    ctx = Disk({})
    lora_on_text(ctx, TextEncoder("flux", "text_encoder", "fast:1", "x"), str(path))
    assert [note[:8] for note in ctx.notes] == ["1 tensor"]
