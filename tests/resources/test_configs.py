"""The packs describe real models: built from them, networks have the published size and names."""

from __future__ import annotations

import inspect
import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from backend.catalog.pack import Form, Signature, load_book, packs_folder, read_pack
from tests.resources.layouts import LAYOUTS, RENAMED

os.environ.setdefault("HF_HUB_OFFLINE", "1")

CONFIGS = packs_folder()
NAMES = sorted(path.parent.name for path in CONFIGS.glob("*/model_index.json"))
PARTS = [(name, part.part) for name in NAMES for part in read_pack(CONFIGS / name).parts]
TOKENIZERS = CONFIGS.parent / "tokenizers"

MILLIONS = {
    "flux-dev": 11_901, "flux-schnell": 11_891, "flux-kontext": 11_901, "flux-fill": 11_902,
    "sdxl-base": 2_567, "sdxl-refiner": 2_260, "sd15": 859.5, "z-image": 6_155,
    "z-image-turbo": 6_155, "wan-2.1-t2v-1.3b": 1_419, "wan-2.1-t2v-14b": 14_288,
    "wan-2.2-t2v-a14b": 14_288, "wan-2.2-ti2v-5b": 5_000, "sd3-medium": 2_028,
    "sd35-medium": 2_243, "sd35-large": 8_057, "qwen-image": 20_430, "qwen-image-edit": 20_430,
    "chroma": 8_900, "flux2-klein-4b": 3_876, "lumina-2": 2_610, "sana-1600m": 1_604,
    "pixart-sigma-1024": 610.9,
}  # fmt: skip
"""The published sizes of the denoisers, in millions of parameters."""

ALIKE = (
    {"flux-dev", "flux-kontext"},
    {"z-image", "z-image-turbo"},
    {"wan-2.1-t2v-14b", "wan-2.2-t2v-a14b"},
    {"qwen-image", "qwen-image-edit"},
)
"""Models that differ in nothing but the values of their weights."""


def pack_json(name: str) -> dict[str, Any]:
    return json.loads((CONFIGS / name / "pack.json").read_bytes())


def index_of(name: str) -> dict[str, Any]:
    return json.loads((CONFIGS / name / "model_index.json").read_bytes())


def config_of(name: str, part: str) -> dict[str, Any]:
    return json.loads((CONFIGS / name / part / "config.json").read_bytes())


def class_of(name: str, part: str) -> Any:
    import diffusers
    import transformers

    library, kind = index_of(name)[part]
    return getattr({"diffusers": diffusers, "transformers": transformers}[library], kind)


def built(name: str, part: str) -> Any:
    """The network of a part, with every tensor on the meta device."""
    return _built(class_of(name, part), json.dumps(config_of(name, part), sort_keys=True))


@cache
def _built(kind: Any, config: str) -> Any:
    import torch

    settings = json.loads(config)
    with torch.device("meta"):
        if hasattr(kind, "config_class") and kind.config_class is not None:
            return kind(kind.config_class.from_dict(settings))
        return kind.from_config(settings)


def shapes_of(module: Any) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}


def namings(name: str, part: str) -> dict[str, dict[str, tuple[int, ...]]]:
    """All tensors of a part under each naming: what a whole file of that form holds."""
    module = shapes_of(built(name, part))
    kind = index_of(name)[part][1]
    short = {key.removeprefix("text_model.").removeprefix("model."): s for key, s in module.items()}
    nested = {k.replace("model.language_model.", "model."): s for k, s in module.items()}
    published = {
        "CLIPTextModel": {f"text_model.{key}": shape for key, shape in short.items()},
        "Qwen3Model": {f"model.{key}": shape for key, shape in short.items()},
        "Qwen2_5_VLForConditionalGeneration": {
            key.replace("model.visual.", "visual."): shape for key, shape in nested.items()
        },
    }
    found = {
        "diffusers": published.get(kind, module),
        "bare": short,
        "causal": {f"model.{key}": shape for key, shape in short.items()},
        "nested": module,
    }
    if kind in LAYOUTS:
        found["original"] = LAYOUTS[kind](config_of(name, part))
    described = next(each for each in read_pack(CONFIGS / name).parts if each.part == part)
    for form in described.forms:
        if (kind, form.name) in RENAMED:
            found[form.name] = RENAMED[kind, form.name](config_of(name, part))
    return found


def test_every_wanted_model_has_a_pack():
    assert set(NAMES) == set(MILLIONS)
    assert set(load_book().packs) >= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_pack_is_a_model_folder_without_weights(name):
    index, pack = index_of(name), pack_json(name)
    components = {key for key, entry in index.items() if isinstance(entry, list) and entry[1]}
    described = {part["part"] for part in pack["parts"]}
    for component in components - set(pack["tokenizers"]):
        files = {path.name for path in (CONFIGS / name / component).iterdir()}
        assert files & {"config.json", "scheduler_config.json", "preprocessor_config.json"}
    assert described == {c for c in components if (CONFIGS / name / c / "config.json").is_file()}
    assert not [path for path in (CONFIGS / name).rglob("*") if path.suffix == ".safetensors"]
    assert set(pack["spaces"]) == {"latent", "text"}


@pytest.mark.parametrize("name", NAMES)
def test_every_tokenizer_is_shipped_or_one_is_told_where_to_get_it(name):
    index, pack = index_of(name), pack_json(name)
    wanted = {key for key in index if key.startswith("tokenizer") and index[key][1]}
    assert set(pack["tokenizers"]) == wanted
    for role, shipped in pack["tokenizers"].items():
        if shipped is None:
            hint = pack["get"][role]
            assert hint["repo"].count("/") == 1
            assert any(file.endswith("tokenizer.json") for file in hint["files"])
        else:
            assert (TOKENIZERS / shipped / "tokenizer.json").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_the_denoiser_has_the_published_number_of_parameters(name):
    for part in read_pack(CONFIGS / name).parts:
        if part.kind == "denoiser":
            count = sum(p.numel() for p in built(name, part.part).parameters())
            assert count / 1e6 == pytest.approx(MILLIONS[name], rel=5e-4)


@pytest.mark.parametrize(("name", "part"), PARTS, ids=map("/".join, PARTS))
def test_a_config_says_nothing_that_its_class_does_not_know(name, part):
    if index_of(name)[part][0] == "diffusers":
        known = set(inspect.signature(class_of(name, part).__init__).parameters)
        given = {key for key in config_of(name, part) if not key.startswith("_")}
        assert given <= known


@pytest.mark.parametrize("name", NAMES)
def test_the_scheduler_comes_up_as_configured(name):
    given = json.loads((CONFIGS / name / "scheduler" / "scheduler_config.json").read_bytes())
    kind = class_of(name, "scheduler")
    assert kind.__name__ == given["_class_name"]
    made = kind.from_config(given).config
    known = set(inspect.signature(kind.__init__).parameters)
    assert {key: made[key] for key in given if key in known} == {
        key: value for key, value in given.items() if key in known
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_pipeline_takes_the_components_of_the_pack(name):
    import diffusers

    index = index_of(name)
    asked = inspect.signature(getattr(diffusers, index["_class_name"]).__init__).parameters
    given = {key for key in index if not key.startswith("_")}
    assert given <= set(asked) | {"add_watermarker"}
    optional = {key for key, p in asked.items() if p.default is not inspect.Parameter.empty}
    assert set(asked) - {"self"} - optional <= given


@pytest.mark.parametrize(("name", "part"), PARTS, ids=map("/".join, PARTS))
def test_the_signatures_of_a_part_fit_its_own_files(name, part):
    wholes = namings(name, part)
    described = next(each for each in read_pack(CONFIGS / name).parts if each.part == part)
    assert described.forms
    for form in described.forms:
        whole = wholes[form.name]
        for key, shape in form.shapes.items():
            assert whole.get(key) == shape, f"{form.name}: {key}"
        assert not set(form.absent) & set(whole)


def originals() -> list[tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for name, part in PARTS:
        forms = next(p.forms for p in read_pack(CONFIGS / name).parts if p.part == part)
        kind = index_of(name)[part][1]
        if any(form.name == "original" and (kind, "original") not in RENAMED for form in forms):
            key = json.dumps([index_of(name)[part], config_of(name, part)], sort_keys=True)
            found.setdefault(key, (name, part))
    return list(found.values())


@pytest.mark.parametrize(("name", "part"), originals(), ids=map("/".join, originals()))
def test_an_original_checkpoint_converts_to_just_the_network_of_the_pack(name, part):
    assert converted(name, part) == shapes_of(built(name, part))


def converted(name: str, part: str) -> dict[str, tuple[int, ...]]:
    """What diffusers makes of an original checkpoint: names and shapes."""
    import torch
    from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES
    from diffusers.loaders.single_file_utils import convert_open_clip_checkpoint

    config, kind = config_of(name, part), index_of(name)[part][1]
    prefix = "model.diffusion_model." if kind == "UNet2DConditionModel" else ""
    whole = {
        prefix + key: torch.empty(shape, device="meta")
        for key, shape in LAYOUTS[kind](config).items()
    }
    if kind == "CLIPTextModelWithProjection":
        result = convert_open_clip_checkpoint(built(name, part), whole, prefix="")
    else:
        like = {"AutoencoderKLQwenImage": "AutoencoderKLWan"}.get(kind, kind)
        convert = SINGLE_FILE_LOADABLE_CLASSES[like]["checkpoint_mapping_fn"]
        result = convert(checkpoint=whole, config=config)
    return {key: tuple(tensor.shape) for key, tensor in result.items()}


RENAMES = [
    ("wan-2.2-ti2v-5b", "vae", "original 2.2"),
    ("flux2-klein-4b", "vae", "original"),
    ("flux-dev", "text_encoder_2", "llama.cpp"),
    ("wan-2.1-t2v-1.3b", "text_encoder", "llama.cpp"),
    ("wan-2.1-t2v-1.3b", "text_encoder", "original"),
    ("z-image", "text_encoder", "llama.cpp"),
    ("flux2-klein-4b", "text_encoder", "llama.cpp"),
]


@pytest.mark.parametrize(("name", "part", "form"), RENAMES, ids=map("/".join, RENAMES))
def test_the_rules_of_names_lead_from_a_file_to_the_network(name, part, form):
    kind = index_of(name)[part][1]
    rules = json.loads((CONFIGS / "names.json").read_bytes())[kind][form]
    renamed = {}
    for key, shape in RENAMED[kind, form](config_of(name, part)).items():
        for pattern, replacement in rules:
            key = re.sub(pattern, replacement, key)
        renamed[key] = shape
    tied = {"lm_head.weight", "encoder.embed_tokens.weight", "bn.num_batches_tracked"}
    whole = namings(name, part)["diffusers"]
    wanted = {key: shape for key, shape in whole.items() if key not in tied}
    assert set(renamed) == set(wanted)
    for key, shape in wanted.items():
        assert renamed[key] in (shape, (*shape, 1, 1)), key


def test_every_rule_of_names_is_tried_here():
    table = json.loads((CONFIGS / "names.json").read_bytes())
    there = {(kind, form) for kind, forms in table.items() for form in forms}
    assert there == set(RENAMED) == {(index_of(n)[p][1], form) for n, p, form in RENAMES}


def test_the_denoisers_are_told_apart_unless_only_their_values_differ():
    signatures = [each for each in load_book().signatures if each.part.kind == "denoiser"]
    for name, part in PARTS:
        whole = namings(name, part)
        own = next(p for p in read_pack(CONFIGS / name).parts if p.part == part)
        if own.kind != "denoiser":
            continue
        alike = next((group for group in ALIKE if name in group), {name})
        for form in own.forms:
            fitting = {each.pack.name for each in signatures if each.fits(whole[form.name], "")}
            assert fitting == alike, f"{name}, {form.name}"


def test_a_signature_with_a_layer_more_does_not_fit():
    pack = read_pack(CONFIGS / "flux-dev")
    form: Form = pack.parts[0].forms[0]
    signature = Signature(pack, pack.parts[0], form)
    whole = namings("flux-dev", "transformer")["original"]
    assert signature.fits(whole, "")
    assert not signature.fits(whole | {"double_blocks.19.img_attn.qkv.weight": (9216, 3072)}, "")


def test_the_packs_are_small():
    sizes = [path.stat().st_size for path in Path(CONFIGS).rglob("*.json")]
    assert sum(sizes) < 2 * 2**20
