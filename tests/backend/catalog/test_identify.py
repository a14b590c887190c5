"""Over three hundred files with true headers are told right, and unknown ones by their nearest.

Each case is a sparse file in its full size, so that reading, checking and telling are all tried.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from backend.catalog.adapters import Targets
from backend.catalog.errors import CatalogError
from backend.catalog.folder import read_folder
from backend.catalog.identify import identify_file, identify_folder, shipped_knowledge
from backend.catalog.identity import Identity, from_plain, to_plain
from backend.catalog.match import likeness
from backend.catalog.pack import Signature
from tests.backend.catalog.headers import Shapes, filled, gguf, safetensors, sparse

SEED = 20261121
KNOWLEDGE = shipped_knowledge()
BOOK = KNOWLEDGE.book
PREFIXES = {
    "denoiser": (
        "",
        "model.diffusion_model.",
        "diffusion_model.",
        "model.",
        "transformer.",
        "my.net.",
    ),
    "vae": ("", "vae.", "first_stage_model.", "renamed.by.hand."),
    "text": ("", "text_encoder.", "text_encoders.somebodys_t5.transformer.", "module."),
}
PRECISIONS = ("F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")
TYPES = (
    "Q8_0",
    "Q4_0",
    "Q4_1",
    "Q5_0",
    "Q5_1",
    "Q2_K",
    "Q3_K",
    "Q4_K",
    "Q5_K",
    "Q6_K",
    "F16",
    "BF16",
)


@dataclass(frozen=True)
class Case:
    """A file to write, and what has to be said of it; ``families`` are those it may be of."""

    name: str
    shapes: Shapes
    kind: str
    families: frozenset[str]
    packs: frozenset[str] = frozenset()
    precision: str = "BF16"
    form: str = ""
    rank: int = 0
    metadata: dict[str, str] = field(default_factory=dict)
    is_gguf: bool = False

    def identify(self, folder: Path) -> Identity:
        suffix = "gguf" if self.is_gguf else "safetensors"
        path = folder / f"file.{suffix}"
        if self.is_gguf:
            gguf(path, self.shapes, self.precision)
        else:
            safetensors(path, self.shapes, self.precision, self.metadata)
        return identify_file(path, KNOWLEDGE)[0]


def fitting(signature: Signature) -> tuple[frozenset[str], frozenset[str]]:
    """Families and packs whose form of the same part asks for nothing that this one lacks."""
    shapes = filled(signature.form, size=40)
    same = [s for s in BOOK.signatures if s.part.kind == signature.part.kind and s.fits(shapes, "")]
    packs = [s.pack for s in same]
    return frozenset(p.family for p in packs if p.family), frozenset(p.name for p in packs)


def networks() -> Iterator[Case]:
    """Every form of every part of every pack, under a prefix, in a precision."""
    rng = random.Random(SEED)
    for signature in BOOK.signatures:
        kind = signature.part.kind
        prefix = rng.choice(PREFIXES.get(kind, ("",)))
        families, packs = fitting(signature)
        name = f"{signature.pack.name} {signature.part.part} {signature.form.name}"
        yield Case(
            f"{name} under {prefix!r}",
            filled(signature.form, prefix, 40),
            kind,
            families,
            packs,
            rng.choice(PRECISIONS),
            signature.form.name,
        )


def quantised() -> Iterator[Case]:
    """Every denoiser and text encoder as GGUF."""
    kinds = itertools.cycle(TYPES)
    for signature in BOOK.signatures:
        if signature.part.kind in ("denoiser", "text"):
            # Converters leave what is smaller than its neighbours in F32; add some to quantise.
            extra = {f"more.{i}.weight": (5120, 5120) for i in range(8)}
            families, packs = fitting(signature)
            yield Case(
                f"GGUF of {signature.pack.name} {signature.part.part} {signature.form.name}",
                filled(signature.form) | extra,
                signature.part.kind,
                families,
                packs,
                next(kinds),
                signature.form.name,
                is_gguf=True,
            )


def checkpoints() -> Iterator[Case]:
    """Every model that comes as one file, each part under its prefix."""
    for pack in BOOK.packs.values():
        for form in ("original", "diffusers"):
            shapes: dict[str, tuple[int, ...]] = {}
            net: list[Signature] = []
            for part in pack.parts:
                forms = {each.name: each for each in part.forms}
                chosen = forms.get(form) or next(iter(part.forms))
                for prefix in pack.prefixes(part.part)[:1]:
                    shapes |= filled(chosen, prefix)
                    net += [Signature(pack, part, chosen)] if part.kind == "denoiser" else []
            if net:
                _, packs = fitting(net[0])
                families = frozenset({pack.family})
                yield Case(f"{pack.name} whole, {form}", shapes, "checkpoint", families, packs)


def loras() -> Iterator[Case]:
    """Every table of targets in the forms of six programs."""
    rng = random.Random(SEED)
    for table, form in itertools.product(
        KNOWLEDGE.targets, ("kohya", "diffusers", "peft", "original", "loha", "lokr")
    ):
        rank = rng.choice((4, 8, 16, 64))
        shapes = lora(table, form, rank, rng)
        base = table.bases[0] if table.bases else ""
        metadata = {"modelspec.architecture": f"{base}/lora"} if rng.random() < 0.5 else {}
        families = frozenset({table.family})
        yield Case(
            f"{form} LoRA for {table.name}",
            shapes,
            "lora",
            families,
            frozenset({table.name}),
            "F16",
            form,
            rank if form != "lokr" else 0,
            metadata,
        )


def lora(table: Targets, form: str, rank: int, rng: random.Random) -> dict[str, tuple[int, ...]]:
    """The tensors of a LoRA that changes all modules of a network but its text encoders."""
    shapes: dict[str, tuple[int, ...]] = {}
    for pattern, sizes in table.modules.items():
        out, into = rng.choice(sizes)
        module = pattern.removeprefix("text:").replace("#", str(rng.randrange(20)))
        if form in ("kohya", "loha", "lokr"):
            module = (
                "lora_te1_text_model_" if pattern.startswith("text:") else "lora_unet_"
            ) + module
        elif form == "peft":
            module = "base_model.model." + module
        elif form == "original":
            module = "diffusion_model." + module
        elif pattern.startswith("text:"):
            module = "text_encoder.text_model." + module
        else:
            module = "transformer." + module
        if form == "loha":
            for w in "12":
                shapes[f"{module}.hada_w{w}_a"] = (out, rank)
                shapes[f"{module}.hada_w{w}_b"] = (rank, into)
        elif form == "lokr":
            shapes[f"{module}.lokr_w1"] = (1, 1)
            shapes[f"{module}.lokr_w2"] = (out, into)
        else:
            kohya = form == "kohya"
            shapes[module + (".lora_down.weight" if kohya else ".lora_A.weight")] = (rank, into)
            shapes[module + (".lora_up.weight" if kohya else ".lora_B.weight")] = (out, rank)
        if form in ("kohya", "loha", "lokr"):
            shapes[f"{module}.alpha"] = ()
    return shapes


CASES = [*networks(), *quantised(), *checkpoints(), *loras()]


def test_there_are_enough_cases_of_each_kind() -> None:
    assert len(CASES) >= 300
    kinds = {case.kind for case in CASES}
    assert kinds >= {
        "denoiser",
        "text",
        "vae",
        "checkpoint",
        "lora",
        "controlnet",
        "ip-adapter",
        "upscaler",
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_file_is_told_by_its_header(case: Case, tmp_path: Path) -> None:
    found = case.identify(tmp_path)
    assert found.kind == case.kind, found.sentence
    assert set(found.families) <= case.families or case.families <= set(found.families)
    assert found.family in (*case.families, "")
    if len(case.families) == 1:
        assert found.family in case.families
    if case.packs:
        assert found.pack in case.packs
    if case.form:
        assert found.form == case.form
    assert found.precision == case.precision
    assert found.rank == case.rank
    assert found.parameters == sum(int(np.prod(s)) for s in case.shapes.values())
    assert found.near is None


SD15_BLOCK = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0"
SDXL_BLOCK = "unet.mid_block.attentions.0.transformer_blocks.0"

# The tensors of well-known files, written down from the files themselves and not from the packs.
HEADS: dict[str, tuple[dict[str, tuple[int, ...]], str, str]] = {
    "FLUX.1 dev": (
        {f"double_blocks.{i}.img_attn.qkv.weight": (9216, 3072) for i in range(19)}
        | {f"double_blocks.{i}.img_attn.norm.key_norm.scale": (128,) for i in range(19)}
        | {f"double_blocks.{i}.txt_mod.lin.weight": (18432, 3072) for i in range(19)}
        | {f"double_blocks.{i}.img_mlp.0.weight": (12288, 3072) for i in range(19)}
        | {f"single_blocks.{i}.linear1.weight": (21504, 3072) for i in range(38)}
        | {f"single_blocks.{i}.linear2.weight": (3072, 15360) for i in range(38)}
        | {f"single_blocks.{i}.modulation.lin.weight": (9216, 3072) for i in range(38)}
        | {f"{name}.in_layer.weight": (3072, 256) for name in ("time_in", "guidance_in")}
        | {"vector_in.in_layer.weight": (3072, 768)}
        | {"img_in.weight": (3072, 64), "img_in.bias": (3072,), "txt_in.weight": (3072, 4096)}
        | {
            "final_layer.linear.weight": (64, 3072),
            "final_layer.adaLN_modulation.1.weight": (6144, 3072),
        },
        "denoiser",
        "flux",
    ),
    "T5-XXL": (
        {
            f"encoder.block.{i}.layer.0.SelfAttention.{x}.weight": (4096, 4096)
            for i in range(24)
            for x in "qkvo"
        }
        | {
            f"encoder.block.{i}.layer.1.DenseReluDense.wi_{x}.weight": (10240, 4096)
            for i in range(24)
            for x in "01"
        }
        | {"shared.weight": (32128, 4096), "encoder.final_layer_norm.weight": (4096,)}
        | {"encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": (32, 64)},
        "text",
        "",
    ),
    "CLIP-L": (
        {f"text_model.encoder.layers.{i}.mlp.fc1.weight": (3072, 768) for i in range(12)}
        | {f"text_model.encoder.layers.{i}.self_attn.q_proj.weight": (768, 768) for i in range(12)}
        | {"text_model.embeddings.token_embedding.weight": (49408, 768)}
        | {"text_model.embeddings.position_embedding.weight": (77, 768)}
        | {"text_model.final_layer_norm.weight": (768,)},
        "text",
        "",
    ),
    "SD 1.5 in kohya's LoRA": (
        {
            f"{SD15_BLOCK}_attn2_to_{x}.lora_{y}.weight": s
            for x in "kv"
            for y, s in (("down", (8, 768)), ("up", (640, 8)))
        }
        | {"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": (8, 768)}
        | {"lora_te_text_model_encoder_layers_0_mlp_fc1.lora_up.weight": (3072, 8)},
        "lora",
        "sd15",
    ),
    "old attention processors": (
        {
            f"{SDXL_BLOCK}.attn2.processor.to_{x}_lora.{y}.weight": s
            for x in "kv"
            for y, s in (("down", (4, 2048)), ("up", (1280, 4)))
        },
        "lora",
        "sdxl",
    ),
    "XLabs LoRA": (
        {
            f"double_blocks.{i}.processor.qkv_lora{n}.{y}.weight": s
            for i in range(19)
            for n in (1, 2)
            for y, s in (("down", (16, 3072)), ("up", (9216, 16)))
        },
        "lora",
        "flux",
    ),
    "SD 1.5 embedding": ({"emb_params": (4, 768)}, "embedding", "sd15"),
    "SDXL embedding": ({"clip_l": (8, 768), "clip_g": (8, 1280)}, "embedding", "sdxl"),
    "diffusers embedding": ({"<cat-toy>": (768,)}, "embedding", "sd15"),
    "ESRGAN in a wrapper": (
        {f"params_ema.body.{i}.rdb1.conv1.weight": (32, 64, 3, 3) for i in range(23)}
        | {
            "params_ema.conv_first.weight": (64, 3, 3, 3),
            "params_ema.conv_last.weight": (3, 64, 3, 3),
        },
        "upscaler",
        "",
    ),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_well_known_file_is_told(name: str, tmp_path: Path) -> None:
    shapes, kind, family = HEADS[name]
    found, _ = identify_file(safetensors(tmp_path / "file.safetensors", shapes), KNOWLEDGE)
    assert (found.kind, found.family) == (kind, family), found.sentence


def test_a_whole_checkpoint_names_its_parts(tmp_path: Path) -> None:
    pack = BOOK.packs["sdxl-base"]
    shapes = {}
    for part in pack.parts:
        forms = {form.name: form for form in part.forms}
        form = forms.get("original", part.forms[0])
        shapes |= filled(form, pack.prefixes(part.part)[0])
    found, _ = identify_file(safetensors(tmp_path / "file.safetensors", shapes, "F16"), KNOWLEDGE)
    assert (found.kind, found.family, found.pack) == ("checkpoint", "sdxl", "sdxl-base")
    assert {part.part: part.prefix for part in found.parts} == {
        "unet": "model.diffusion_model.",
        "vae": "first_stage_model.",
        "text_encoder": "conditioner.embedders.0.transformer.",
        "text_encoder_2": "conditioner.embedders.1.model.",
    }
    assert sum(part.nbytes for part in found.parts) == found.nbytes
    assert dict(found.spaces) == {"latent": "sdxl", "text": "sdxl"}


def signature(pack: str, kind: str, form: str) -> Signature:
    return next(
        s for s in BOOK.signatures if (s.pack.name, s.part.kind, s.form.name) == (pack, kind, form)
    )


@pytest.mark.parametrize(
    ("name", "pack", "said"),
    [
        ("flux1-dev", "flux-dev", "flux-dev"),
        ("flux1-dev-kontext_fp8_scaled", "flux-dev", "flux-kontext"),
        ("z_image_turbo_bf16", "z-image", "z-image-turbo"),
        ("wan2.2_t2v_high_noise_14B_fp8", "wan-2.1-t2v-14b", "wan-2.2-t2v-a14b"),
        ("Wan2_1-T2V-14B_fp8", "wan-2.1-t2v-14b", "wan-2.1-t2v-14b"),
        ("qwen_image_edit_fp8", "qwen-image", "qwen-image-edit"),
    ],
)
def test_a_name_decides_between_models_that_tensors_do_not_tell_apart(
    tmp_path: Path, name: str, pack: str, said: str
) -> None:
    form = "diffusers" if pack.startswith("qwen") else "original"
    shapes = filled(signature(pack, "denoiser", form).form)
    found, _ = identify_file(safetensors(tmp_path / f"{name}.safetensors", shapes), KNOWLEDGE)
    assert found.pack == said
    assert pack == said or pack in found.also


def test_a_name_cannot_overrule_tensors(tmp_path: Path) -> None:
    shapes = filled(signature("sdxl-base", "denoiser", "original").form)
    found, _ = identify_file(safetensors(tmp_path / "flux1-dev.safetensors", shapes), KNOWLEDGE)
    assert found.family == "sdxl"
    assert likeness("flux-dev", "ae.safetensors") == 0


def test_a_vae_of_several_families_claims_no_space_that_they_do_not_share(tmp_path: Path) -> None:
    shapes = filled(signature("flux-dev", "vae", "original").form)
    found, _ = identify_file(safetensors(tmp_path / "ae.safetensors", shapes), KNOWLEDGE)
    assert {"flux", "sd3"} <= set(found.families)
    assert found.family == ""
    assert "latent" not in found.spaces


def test_metadata_decides_between_equal_loras_only(tmp_path: Path) -> None:
    shapes = {
        "lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": (8, 3072),
        "lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight": (9216, 8),
    }
    plain, _ = identify_file(safetensors(tmp_path / "a.safetensors", shapes), KNOWLEDGE)
    assert plain.family == "flux"
    assert "chroma" in plain.families
    said = {"ss_base_model_version": "chroma"}
    told, _ = identify_file(
        safetensors(tmp_path / "b.safetensors", shapes, metadata=said), KNOWLEDGE
    )
    assert told.family == "chroma"
    wrong = {"ss_base_model_version": "sdxl_base_v1-0"}
    lied, _ = identify_file(
        safetensors(tmp_path / "c.safetensors", shapes, metadata=wrong), KNOWLEDGE
    )
    assert lied.family == "flux"


@pytest.mark.parametrize(
    ("dtype", "key", "precision"),
    [("U8", "x.quant_state.bitsandbytes__nf4", "NF4"), ("U8", "x.other", "U8")],
)
def test_packed_weights_are_told_by_their_quant_state(tmp_path, dtype, key, precision) -> None:
    path = safetensors(tmp_path / "w.safetensors", {"x": (4096, 1), key: (10,)}, dtype)
    assert identify_file(path, KNOWLEDGE)[0].precision == precision


def test_the_precision_is_that_of_most_bytes(tmp_path: Path) -> None:
    shapes = {"big": (100, 100), "small": (50, 50), "tiny": (3,)}
    path = safetensors(tmp_path / "w.safetensors", shapes, "F8_E4M3", dtypes={"small": "F32"})
    assert identify_file(path, KNOWLEDGE)[0].precision == "F8_E4M3"


NEAR = [
    s
    for s in BOOK.signatures
    if s.part.kind in ("denoiser", "text", "vae") and len(s.form.shapes) > 2
]


@pytest.mark.parametrize("number", range(40))
def test_an_unknown_file_is_unknown_and_says_what_it_is_near(tmp_path: Path, number: int) -> None:
    """A known network with some tensors of other sizes, or without them, under any prefix."""
    rng = random.Random(number)
    chosen = rng.choice(NEAR)
    shapes = filled(chosen.form)
    for key in list(shapes)[: rng.randint(1, max(1, len(shapes) // 3))]:
        if rng.random() < 0.5:
            del shapes[key]
        else:
            shapes[key] = tuple(n + 7 for n in shapes[key])
    changed = {k: s for k, s in shapes.items() if s == filled(chosen.form).get(k)}
    prefix = rng.choice(("", "model.diffusion_model.")) if chosen.part.kind == "denoiser" else ""
    path = safetensors(tmp_path / "w.safetensors", {prefix + k: s for k, s in shapes.items()})
    found, _ = identify_file(path, KNOWLEDGE)
    if found.kind != "unknown":  # another pack asks for less, and rightly calls it its own
        assert BOOK.packs[found.pack].name != chosen.pack.name
        return
    assert found.near is not None
    assert found.near.matched / found.near.total >= len(changed) / len(chosen.form.shapes)
    assert found.near.matched < found.near.total or "should not be there" in found.near.differs
    assert found.family == ""
    assert found.sentence.startswith("Unknown. The nearest is the ")


def test_a_file_that_resembles_nothing_says_so(tmp_path: Path) -> None:
    path = safetensors(tmp_path / "w.safetensors", {"my.own.net.kernel": (3, 4), "b": (9, 9, 9)})
    found, _ = identify_file(path, KNOWLEDGE)
    assert found.kind == "unknown"
    assert found.sentence == "Unknown: no tensor is called as in any model that is known."
    empty, _ = identify_file(safetensors(tmp_path / "e.safetensors", {}), KNOWLEDGE)
    assert (empty.kind, empty.nbytes) == ("unknown", 0)


@pytest.mark.parametrize("name", ["w.ckpt", "w.pt", "renamed.safetensors"])
@pytest.mark.parametrize("start", [b"PK\x03\x04\x00\x00\x08\x08", b"\x80\x02}q\x00(X\x05"])
def test_a_pickle_is_refused_by_name_and_by_content(tmp_path, name: str, start: bytes) -> None:
    path = sparse(tmp_path / name, start + bytes(40), 0)
    with pytest.raises(CatalogError, match=r"is a pickle, which can run code.*save_file"):
        identify_file(path, KNOWLEDGE)


def test_gguf_and_safetensors_are_told_by_content_and_not_by_name(tmp_path: Path) -> None:
    shapes = filled(signature("flux-dev", "denoiser", "original").form)
    assert identify_file(gguf(tmp_path / "a.safetensors", shapes), KNOWLEDGE)[0].family == "flux"
    assert identify_file(safetensors(tmp_path / "b.gguf", shapes), KNOWLEDGE)[0].family == "flux"


def test_a_gguf_type_that_cannot_be_loaded_is_still_told(tmp_path: Path) -> None:
    shapes = filled(signature("flux-dev", "denoiser", "original").form)
    found, _ = identify_file(gguf(tmp_path / "a.gguf", shapes, "IQ4_NL"), KNOWLEDGE)
    assert (found.family, found.precision) == ("flux", "IQ4_NL")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"none\.safetensors cannot be read"):
        identify_file(tmp_path / "none.safetensors", KNOWLEDGE)


@pytest.mark.parametrize("case", CASES[::37], ids=lambda case: case.name)
def test_an_identity_goes_through_json_and_back(case: Case, tmp_path: Path) -> None:
    found = case.identify(tmp_path)
    assert from_plain(json.loads(json.dumps(to_plain(found)))) == found


def diffusers_folder(root: Path, pipeline: str, nets: dict[str, tuple[str, Shapes]]) -> Path:
    root.mkdir()
    index: dict[str, object] = {"_class_name": pipeline}
    for name, (kind, shapes) in nets.items():
        index[name] = ["diffusers", kind]
        safetensors(root / name / "diffusion_pytorch_model.safetensors", shapes, "F16")
        (root / name / "config.json").write_text("{}")
    (root / "model_index.json").write_text(json.dumps(index))
    return root


def test_a_folder_is_told_by_the_tensors_of_its_network(tmp_path: Path) -> None:
    net = filled(signature("sdxl-base", "denoiser", "diffusers").form)
    vae = filled(signature("sdxl-base", "vae", "diffusers").form)
    root = diffusers_folder(
        tmp_path / "m",
        "StableDiffusionXLPipeline",
        {"unet": ("UNet2DConditionModel", net), "vae": ("AutoencoderKL", vae)},
    )
    found = identify_folder(read_folder(root), KNOWLEDGE)
    assert (found.kind, found.family, found.pack) == ("folder", "sdxl", "sdxl-base")
    assert (found.precision, dict(found.spaces)) == ("F16", {"latent": "sdxl", "text": "sdxl"})
    assert [part.part for part in found.parts] == ["unet", "vae"]


@pytest.mark.parametrize(
    ("pipeline", "pack"), [("FluxPipeline", "flux-dev"), ("FluxKontextPipeline", "flux-kontext")]
)
def test_classes_tell_folders_apart_that_tensors_do_not(tmp_path, pipeline, pack) -> None:
    net = filled(signature("flux-dev", "denoiser", "diffusers").form)
    nets = {"transformer": ("FluxTransformer2DModel", net)}
    found = identify_folder(
        read_folder(diffusers_folder(tmp_path / "m", pipeline, nets)), KNOWLEDGE
    )
    assert found.pack == pack
    assert set(found.also) == {"flux-dev", "flux-kontext"} - {pack}


def test_a_small_model_of_a_family_is_told_by_its_classes(tmp_path: Path) -> None:
    root = diffusers_folder(
        tmp_path / "m", "FluxPipeline", {"transformer": ("FluxTransformer2DModel", {"x": (2, 2)})}
    )
    found = identify_folder(read_folder(root), KNOWLEDGE)
    assert (found.kind, found.family, found.pack) == ("folder", "flux", "")
    assert not found.spaces


def test_a_folder_of_an_unknown_class_says_its_class(tmp_path: Path) -> None:
    root = diffusers_folder(tmp_path / "m", "MyPipeline", {"transformer": ("MyNet", {"x": (2, 2)})})
    found = identify_folder(read_folder(root), KNOWLEDGE)
    assert (found.family, found.title) == ("", "MyPipeline")


def test_what_safetensors_itself_writes_is_told(tmp_path: Path) -> None:
    arrays = {"emb_params": np.zeros((2, 768), np.float32)}
    save_file(arrays, tmp_path / "style.safetensors")
    found, digest = identify_file(tmp_path / "style.safetensors", KNOWLEDGE)
    assert (found.kind, found.parameters, found.nbytes) == ("embedding", 1536, 6144)
    assert len(digest) == 64
