"""Names of a model's authors lead to the layers, and the rows of them, that diffusers' own
conversion of a whole checkpoint leads to: every layer of every family, at its published size."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest
import torch
from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES
from torch import Tensor

from backend.catalog.errors import CatalogError
from backend.models.lora.adapter import Adapter, lora_patch
from backend.models.lora.changes import LowRank
from backend.models.lora.names import parse, split
from backend.models.lora.originals import load_rules
from backend.models.lora.resolve import Delta, resolve, shape_of
from tests.backend.models.test_bare import KINDS, Disk
from tests.backend.models.test_lora_families import kohya, made, peft, written
from tests.backend.models.test_seams import far
from tests.resources.layouts import LAYOUTS
from tests.resources.test_configs import built, config_of

NETS = {
    "flux-dev": "transformer", "chroma": "transformer", "flux2-klein-4b": "transformer",
    "sd35-medium": "transformer", "sd3-medium": "transformer", "wan-2.1-t2v-1.3b": "transformer",
    "z-image": "transformer", "lumina-2": "transformer", "sana-1600m": "transformer",
    "sdxl-base": "unet", "sdxl-refiner": "unet", "sd15": "unet",
}  # fmt: skip


@cache
def numbered(name: str) -> dict[str, Tensor]:
    """Every tensor of the authors' checkpoint cut down to its first column, each row with a number
    of its own, and the names of the layers among them."""
    shapes = LAYOUTS[kind(name)](config_of(name, NETS[name]))
    found, start = {}, 0.0
    for key, shape in shapes.items():
        rows = torch.arange(shape[0], dtype=torch.float64) + start
        found[key], start = rows if len(shape) == 1 else rows[:, None], start + shape[0]
    return found


def kind(name: str) -> str:
    return type(built(name, NETS[name])).__name__


def layers(name: str) -> dict[str, tuple[int, ...]]:
    """The layers of the authors' network, with the shapes of their weights."""
    shapes = LAYOUTS[kind(name)](config_of(name, NETS[name]))
    return {
        key.removesuffix(".weight"): shape
        for key, shape in shapes.items()
        if key.endswith(".weight") and len(shape) > 1
    }


@cache
def converted(name: str) -> dict[str, Tensor]:
    prefix = "model.diffusion_model." if NETS[name] == "unet" else ""
    given = {prefix + key: rows for key, rows in numbered(name).items()}
    entry = SINGLE_FILE_LOADABLE_CLASSES[kind(name)]
    return entry["checkpoint_mapping_fn"](given, config=config_of(name, NETS[name]))


def lora_of(name: str, flat: bool) -> Adapter:
    """A LoRA on all layers by the authors' names, whose second factor is the numbered rows."""
    tensors, rows = {}, numbered(name)
    for layer, shape in layers(name).items():
        base = "lora_unet_" + layer.replace(".", "_") if flat else f"diffusion_model.{layer}"
        ends = ("lora_down", "lora_up") if flat else ("lora_A", "lora_B")
        tensors[f"{base}.{ends[0]}.weight"] = torch.zeros(1).expand(1, *shape[1:])
        tensors[f"{base}.{ends[1]}.weight"] = _kernel(rows[f"{layer}.weight"], len(shape))
    return Adapter(Path("all.safetensors"), tensors)


def _kernel(rows: Tensor, axes: int) -> Tensor:
    return rows.view(-1, *[1] * (axes - 1))


@pytest.mark.parametrize("name", NETS)
def test_every_layer_goes_where_diffusers_converts_it_to(name: str) -> None:
    net, truth = built(name, NETS[name]), converted(name)
    for flat in (True, False):
        deltas = resolve(lora_of(name, flat), net, "", "model")
        assert sum(len(rows_of(d)) for d in deltas) == sum(s[0] for s in layers(name).values())
        for delta in deltas:
            assert torch.equal(rows_of(delta), truth[f"{delta.name}.weight"]), delta.name
            assert delta.change.shape[0] == shape_of(delta.module)[0]


def rows_of(delta: Delta) -> Tensor:
    assert isinstance(delta.change, LowRank)
    return delta.change.up


def test_all_rules_are_for_layers_that_are_there() -> None:
    """Each rule stands for a layer of one of its networks, so that none is misspelt."""
    known = {kind(name): config_of(name, NETS[name]) for name in NETS if name != "sd3-medium"}
    known["UNet2DConditionModel"] = config_of("sdxl-base", "unet")
    for rules in load_rules():
        if rules.classes == ("PixArtTransformer2DModel",):
            continue  # diffusers reads no checkpoint of its authors
        flat = {
            key.removesuffix(".weight").replace(".", "_")
            for each in rules.classes
            for key in LAYOUTS[each]({**known[each], "guidance_embeds": True})
        }
        for pattern in (*rules.names, *rules.swapped):
            if "processor" in pattern or "_img" in pattern:
                continue  # what only XLabs' adapters name, and what only image-to-video models have
            form = re.compile(pattern.replace("\\.", "_"))
            assert any(form.fullmatch(layer) for layer in flat), pattern


def test_xlabs_names_lead_to_the_attention_of_flux() -> None:
    net, tensors = built("flux-dev", "transformer"), {}
    wide = 3072
    for name, rows in {"qkv_lora1": 3 * wide, "qkv_lora2": 3 * wide, "proj_lora1": wide,
                       "proj_lora2": wide}.items():  # fmt: skip
        base = f"double_blocks.7.processor.{name}"
        tensors[f"{base}.down.weight"] = torch.zeros(4, wide)
        tensors[f"{base}.up.weight"] = torch.arange(rows * 4.0).view(rows, 4)
    tensors["single_blocks.5.processor.qkv_lora.down.weight"] = torch.zeros(4, wide)
    tensors["single_blocks.5.processor.qkv_lora.up.weight"] = torch.zeros(3 * wide, 4)
    found = {d.name: d for d in resolve(Adapter(Path("x"), tensors), net, "", "FLUX.1")}
    at, single = "transformer_blocks.7.attn.", "single_transformer_blocks.5.attn."
    assert set(found) == {
        *(at + n for n in ("to_q", "to_k", "to_v", "to_out.0")),
        *(at + n for n in ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")),
        *(single + n for n in ("to_q", "to_k", "to_v")),
    }  # fmt: skip
    whole = tensors["double_blocks.7.processor.qkv_lora1.up.weight"]
    assert torch.equal(rows_of(found[at + "to_k"]), whole[wide : 2 * wide])


def test_names_of_pixart_lead_to_every_layer_once() -> None:
    """diffusers converts no such checkpoint; the published network has these layers in order."""
    net = built("pixart-sigma-1024", "transformer")
    wide, rows = 1152, {"attn.qkv": 3, "attn.proj": 1, "cross_attn.q_linear": 1, "mlp.fc1": 4,
                        "cross_attn.kv_linear": 2, "cross_attn.proj": 1, "mlp.fc2": 1}  # fmt: skip
    tensors: dict[str, Tensor] = {}
    for i in range(28):
        for name, times in rows.items():
            base, into = f"blocks.{i}.{name}", 4 * wide if name == "mlp.fc2" else wide
            tensors[f"{base}.lora_A.weight"] = torch.zeros(1).expand(1, into)
            tensors[f"{base}.lora_B.weight"] = torch.arange(times * wide)[:, None]
    found = {d.name: d for d in resolve(Adapter(Path("x"), tensors), net, "", "PixArt")}
    layers = {n for n, m in net.named_modules() if isinstance(m, torch.nn.Linear)}
    assert set(found) == {name for name in layers if name.startswith("transformer_blocks.")}
    third = torch.arange(wide)[:, None]
    for place, name in enumerate(("attn1.to_q", "attn1.to_k", "attn1.to_v")):
        assert torch.equal(rows_of(found[f"transformer_blocks.3.{name}"]), third + place * wide)
    assert torch.equal(rows_of(found["transformer_blocks.3.attn2.to_v"]), third + wide)


@pytest.mark.parametrize(
    ("base", "part", "module"),
    [
        ("base_model.model.transformer.blocks.0.to_q", "", "blocks.0.to_q"),
        ("lora_unet_blocks_0_to_q", "", "blocks_0_to_q"),
        ("lycoris_blocks_0_to_q", "", "blocks_0_to_q"),
        ("diffusion_model.blocks.0.ffn.0", "", "blocks.0.ffn.0"),
        ("unet.mid_block.attn1.processor.to_out", "", "mid_block.attn1.to_out.0"),
        ("lora_te_text_model_a", "text_encoder", "text_model_a"),
        ("lora_te2_text_model_a", "text_encoder_2", "text_model_a"),
        ("text_encoder_3.encoder.a", "text_encoder_3", "encoder.a"),
        ("text_encoders.clip_g.transformer.text_model.a", "text_encoder_2", "text_model.a"),
    ],
)
def test_what_stands_before_a_name_tells_the_network(base: str, part: str, module: str) -> None:
    assert split(base) == (part, module)


def test_a_module_that_lacks_a_factor_is_named() -> None:
    found = parse(["a.lora_A.weight", "b.lora_down.weight", "b.lora_up.weight", "b.alpha", "c"])
    assert [(e.module, e.kind) for e in found.entries] == [("b", "lora")]
    assert (found.torn, found.others) == (("a",), ("c",))


def test_whole_differences_stand_beside_factors() -> None:
    names = ["a.lora_A.weight", "a.lora_B.weight", "a.diff_b", "n.diff", "o.w_norm", "o.b_norm"]
    found = [(e.module, e.kind, sorted(e.names)) for e in parse(names).entries]
    assert found == [
        ("a", "lora", ["down", "up"]), ("a", "full", ["bias"]), ("n", "full", ["weight"]),
        ("o", "full", ["bias", "weight"]),
    ]  # fmt: skip


def test_differences_under_the_authors_names_lead_to_norms_and_biases_of_wan() -> None:
    net, wide = built("wan-2.1-t2v-1.3b", "transformer"), 1536
    tensors = {
        "blocks.3.norm3.diff": torch.zeros(wide), "blocks.3.norm3.diff_b": torch.zeros(wide),
        "blocks.3.self_attn.norm_k.diff": torch.zeros(wide),
        "blocks.3.cross_attn.o.diff_b": torch.zeros(wide),
    }  # fmt: skip
    deltas = resolve(Adapter(Path("x"), tensors), net, "", "Wan")
    assert [(d.name, d.part) for d in deltas] == [
        ("blocks.3.norm2", "weight"),
        ("blocks.3.norm2", "bias"),
        ("blocks.3.attn1.norm_k", "weight"),
        ("blocks.3.attn2.to_out.0", "bias"),
    ]
    with pytest.raises(CatalogError, match=r"norm_k is \[1536\], has no bias"):
        resolve(Adapter(Path("x"), {"blocks.3.self_attn.norm_k.diff_b": torch.zeros(wide)}), net,
                "", "Wan")  # fmt: skip
    with pytest.raises(CatalogError, match=r"norm3 is \[1536\], its factors \[7\]"):
        resolve(Adapter(Path("x"), {"blocks.3.norm3.diff": torch.zeros(7)}), net, "", "Wan")


def test_a_layer_of_another_size_is_refused() -> None:
    tensors = {"double_blocks.0.img_attn.qkv.lora_A.weight": torch.zeros(4, 3072),
               "double_blocks.0.img_attn.qkv.lora_B.weight": torch.zeros(3072, 4)}  # fmt: skip
    with pytest.raises(CatalogError, match=r"img_attn.qkv is \[9216, 3072\]"):
        resolve(Adapter(Path("x"), tensors), built("flux-dev", "transformer"), "", "FLUX.1")


@pytest.mark.parametrize("family", KINDS)
@pytest.mark.parametrize("prefix", ["lora_unet_", "diffusion_model."])
def test_a_lora_on_the_authors_layers_equals_their_checkpoint_with_merged_weights(
    family: str, prefix: str, tmp_path: Path
) -> None:
    """Convolutions of a UNet as much as matrices: the whole way, on latents."""
    disk = Disk(tmp_path, KINDS[family])
    part, originals = disk.kind.denoiser, disk.parts[disk.kind.denoiser]
    bench = made(disk.folder)
    net, plain = bench.load(bench.refs.model), bench.run()
    torch.manual_seed(7)
    tensors, changed = {}, dict(originals)
    for name, weight in originals.items():
        if weight.ndim > 1 and name.endswith(".weight"):
            found, change = (kohya if prefix.endswith("_") else peft)(tuple(weight.shape))
            layer = name.removesuffix(".weight")
            base = prefix + (layer.replace(".", "_") if prefix.endswith("_") else layer)
            tensors |= {base + ending: tensor for ending, tensor in found.items()}
            changed[name] = weight + 0.4 * change
    path = written(tmp_path / "a.safetensors", tensors)
    ours = bench.run((lora_patch(path, family, 0.4, 0, 1),))
    config = json.loads((disk.folder / part / "config.json").read_text())
    net.load_state_dict(disk.kind.originals[part][1](changed, config), strict=False)
    assert far(ours, bench.run()) < 1e-5
    assert far(ours, plain) > 0.01
