"""Models of different families in one graph: what goes together is let through, the rest is
refused while editing, with the reason and the nodes between."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.engine.lookup import HeaderLookup
from backend.engine.registry import scan_nodes
from backend.graph.check import Checker
from backend.graph.format import parse
from backend.media.grants import Grants
from tests.backend.catalog.headers import safetensors
from tests.backend.models import tiny, tiny_sdxl, tiny_wan, tiny_z_image

FLUX1 = {"latent_channels": 16, "scaling_factor": 0.3611, "shift_factor": 0.1159}
WRITERS: dict[str, Callable[[Path], Any]] = {
    "flux": tiny.write,
    "z": tiny_z_image.write,
    "base": tiny_sdxl.write,
    "refiner": tiny_sdxl.write_refiner,
    "wan": tiny_wan.write,
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny models of four kinds; Flux and Z-Image have one VAE, as the published ones do."""
    home = tmp_path_factory.mktemp("models")
    for name, write in WRITERS.items():
        write(home / name)
    for name, channels in (("flux", 64), ("z", 16)):  # what facts are read from; nothing is run
        for part, changes in (("vae", FLUX1), ("transformer", {"in_channels": channels})):
            config = home / name / part / "config.json"
            config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))
    return home


@pytest.fixture(scope="module")
def whole(home: Path) -> str:
    """A model folder of a pipeline that no family knows."""
    component = ("diffusers", "AutoencoderKL")
    folder = home / "whole"
    safetensors(folder / "vae" / "diffusion_pytorch_model.safetensors", {"a": (2, 2)})
    (folder / "vae" / "config.json").write_text('{"_class_name": "AutoencoderKL"}')
    index = {"_class_name": "HiDreamImagePipeline", "vae": component}
    (folder / "model_index.json").write_text(json.dumps(index))
    return "whole"


def said(home: Path, **nodes: Any) -> list[tuple[str, str]]:
    """The errors of a graph: code and sentence."""
    flow = parse(json.dumps({"weft": 1, "nodes": nodes}), "it")
    checker = Checker(scan_nodes(), HeaderLookup(Grants(home, (home,))))
    return [(d.code, d.sentence) for d in checker.check(flow).diagnostics if d.level == "error"]


def chain(model: str, vae: str, text: str | None = None) -> dict[str, Any]:
    """Text to picture: a model, the VAE of another, and the text encoder of a third."""
    return {
        "m": {"type": "load_model", "params": {"model": model}},
        "v": {"type": "load_vae", "params": {"model": vae}},
        "e": {"type": "load_text_encoder", "params": {"model": text or model}},
        "t": {"type": "encode_text", "inputs": {"text_encoder": "e.text_encoder"}},
        "l": {"type": "empty_latent", "inputs": {"model": "m.model"}},
        "s": {
            "type": "sample",
            "inputs": {"model": "m.model", "positive": "t.conditioning", "latent": "l.latent"},
        },
        "d": {"type": "vae_decode", "inputs": {"vae": "v.vae", "latent": "s.latent"}},
        "p": {"type": "save_image", "inputs": {"image": "d.image"}},
    }


def test_a_model_with_its_own_parts_goes_together(home: Path) -> None:
    for model in set(WRITERS) - {"wan"}:
        assert said(home, **chain(model, model)) == []


def test_families_that_share_a_latent_space_share_a_vae(home: Path) -> None:
    assert said(home, **chain("z", "flux")) == []
    assert said(home, **chain("base", "refiner")) == []


def test_a_foreign_vae_is_refused_with_the_nodes_between(home: Path) -> None:
    ((code, sentence),) = said(home, **chain("flux", "base"))
    assert code == "W601"
    assert "the VAE speaks sdxl" in sentence
    assert "VAE decode" in sentence
    assert "VAE encode" in sentence


def test_a_text_for_another_model_is_refused(home: Path) -> None:
    ((code, sentence),) = said(home, **chain("flux", "flux", "base"))
    assert code == "W601"
    assert "Encode it with the text encoder of this model" in sentence


def test_base_and_refiner_make_a_chain(home: Path) -> None:
    """The refiner goes on from the base's latent, with texts of its own."""
    nodes = chain("base", "base") | {
        "r": {"type": "load_model", "params": {"model": "refiner"}},
        "rt": {"type": "encode_text", "inputs": {"text_encoder": "r.text_encoder"}},
        "rs": {
            "type": "sample",
            "params": {"denoise": 0.3},
            "inputs": {"model": "r.model", "positive": "rt.conditioning", "latent": "s.latent"},
        },
    }
    nodes["d"]["inputs"]["latent"] = "rs.latent"
    assert said(home, **nodes) == []
    nodes["rs"]["inputs"]["positive"] = "t.conditioning"
    assert [code for code, _ in said(home, **nodes)] == ["W601"]


def test_a_lora_is_looked_at_while_editing(home: Path) -> None:
    """What its header tells is refused before anything loads: no LoRA, another family's, none."""
    half = (16, 4096)
    wan = {"blocks.0.self_attn.q": (5120, 5120), "blocks.0.cross_attn.k": (5120, 5120)}
    shapes = {}
    for name, (out, into) in wan.items():
        shapes[f"diffusion_model.{name}.lora_A.weight"] = (16, into)
        shapes[f"diffusion_model.{name}.lora_B.weight"] = (out, 16)
    safetensors(home / "wan.safetensors", shapes)
    safetensors(home / "none.safetensors", {"some.weight": half})

    def with_lora(file: str) -> str:
        nodes = chain("flux", "flux") | {
            "x": {"type": "lora", "params": {"file": file}, "inputs": {"model": "m.model"}}
        }
        nodes["s"]["inputs"]["model"] = "x.model"
        ((code, sentence),) = said(home, **nodes)
        assert code == "W601"
        return sentence

    assert "is a LoRA for Wan" in with_lora("wan.safetensors")
    assert "is no LoRA" in with_lora("none.safetensors")
    assert "gone.safetensors" in with_lora("gone.safetensors")


def test_a_size_that_the_model_cannot_make_is_refused_while_editing(home: Path) -> None:
    nodes = chain("base", "base")
    nodes["l"]["params"] = {"width": 33, "height": 64}
    ((code, sentence),) = said(home, **nodes)
    assert code == "W601"
    assert "nearest is 32x64" in sentence
    nodes["l"]["params"] = {"width": 32, "height": 64}
    assert said(home, **nodes) == []


def refused(home: Path, **nodes: Any) -> str:
    """The sentence of the only error of a graph, told by a node."""
    ((code, sentence),) = said(home, **nodes)
    assert code == "W601"
    return sentence


def test_one_side_alone_is_looked_at_too(home: Path) -> None:
    nodes = chain("base", "base")
    nodes["l"]["params"] = {"height": 71}
    assert "The height is 71 pixels" in refused(home, **nodes)


def film(**params: Any) -> dict[str, Any]:
    return {
        "m": {"type": "load_model", "params": {"model": "wan"}},
        "l": {"type": "empty_video_latent", "params": params, "inputs": {"model": "m.model"}},
        "d": {"type": "vae_decode_video", "inputs": {"vae": "m.vae", "latent": "l.latent"}},
        "v": {"type": "save_video_frames", "inputs": {"video": "d.videos"}},
    }


def test_frames_and_sizes_of_videos_are_looked_at_while_editing(home: Path) -> None:
    assert said(home, **film(width=48, height=32, frames=9)) == []
    assert said(home, **film()) == []  # the model's own
    assert "not 8. The nearest are 5 and 9" in refused(home, **film(frames=8))
    assert "nearest is 48x32" in refused(home, **film(width=50, height=32, frames=9))
    facts = {"m": film()["m"]} | {
        "i": {"type": "solid_image", "params": {"width": 40, "height": 32}},
        "f": {"type": "images_to_video", "inputs": {"images": "i.image"}},
        "e": {"type": "vae_encode_video", "inputs": {"vae": "m.vae", "video": "f.video"}},
        "d": {"type": "vae_decode_video", "inputs": {"vae": "m.vae", "latent": "e.latent"}},
        "v": {"type": "save_video_frames", "inputs": {"video": "d.videos"}},
    }
    assert "multiples of 16 pixels" in refused(home, **facts)


@pytest.mark.parametrize("model", ["base", "wan"])
def test_tiles_no_larger_than_their_overlap_are_refused_while_editing(
    home: Path, model: str
) -> None:
    nodes = film() if model == "wan" else chain(model, model)
    for tile, overlap, fits in ((64, 64, False), (64, 128, False), (64, 0, True), (128, 64, True),
                                (0, 64, True)):  # fmt: skip
        nodes["d"]["params"] = {"tile": tile, "overlap": overlap}
        assert (said(home, **nodes) == []) == fits
    nodes["d"]["params"] = {"tile": 64, "overlap": 64}
    assert "Tiles of 64 pixels cannot overlap by 64" in refused(home, **nodes)


def test_pictures_that_are_shown_to_a_model_have_sizes_that_it_takes(home: Path) -> None:
    nodes = chain("base", "base") | {
        "i": {"type": "solid_image", "params": {"width": 33, "height": 32}},
        "r": {
            "type": "reference_image",
            "inputs": {"conditioning": "t.conditioning", "vae": "v.vae", "image": "i.image"},
        },
    }
    nodes["s"]["inputs"]["positive"] = "r.conditioning"
    assert "not 33x32" in refused(home, **nodes)


STEPWISE: dict[str, dict[str, Any]] = {
    "empty_latent": {},
    "empty_video_latent": {},
    "expert_switch": {"high": "m.model", "low": "m.model"},
    "profile_model": {"positive": "t.conditioning", "latent": "l.latent"},
    "share_attention": {},
    "rope_scale": {},
    "compress_keys": {},
    "lora": {},
    "preview_decoder": {},
    "save_model_part": {},
    "guider": {"positive": "t.conditioning"},
    "cfg_pp_guider": {"positive": "t.conditioning", "negative": "t.conditioning"},
    "skip_layer_guider": {"positive": "t.conditioning", "negative": "t.conditioning"},
    "expert_guider": {"positive": "t.conditioning", "negative": "t.conditioning"},
    "compose_conditions": {"negative": "t.conditioning", "conditions": ["t.conditioning"]},
    "sample": {"positive": "t.conditioning", "latent": "l.latent"},
    "train_adapter": {},
    "control_lora": {"vae": "v.vae", "image": "i.image"},
    "reference_image": {"conditioning": "t.conditioning", "vae": "v.vae", "image": "i.image"},
    "decompose": {"text_encoder": "e.text_encoder", "vae": "v.vae", "image": "i.image"},
    "enlarge_by_model": {"positive": "t.conditioning", "vae": "v.vae", "image": "i.image"},
    "generate_rgba": {
        "text_encoder": "e.text_encoder",
        "vae": "v.vae",
        "latent": "l.latent",
    },
    "in_context_generate": {
        "positive": "t.conditioning",
        "vae": "v.vae",
        "canvas": "c.canvas",
        "mask": "c.mask",
    },
    "layout_adapter": {"text_encoder": "e.text_encoder", "layout": "y.layout"},
    "layout_guidance": {"text_encoder": "e.text_encoder", "layout": "y.layout"},
    "regional_prompts": {
        "text_encoder": "e.text_encoder",
        "positive": "t.conditioning",
        "negative": "t.conditioning",
        "layout": "y.layout",
    },
    "upscale_adapter": {},
    "upscale_by_tiles": {"positive": "t.conditioning", "vae": "v.vae", "image": "i.image"},
}


def test_every_node_that_takes_a_model_is_known_here() -> None:
    """A new one belongs among those that refuse whole models, or among those that want them."""
    taking = {
        name
        for name, spec in scan_nodes().specs.items()
        if any(socket.type == "Model" for socket in spec.inputs)
    }
    whole = {name for name in taking if name.startswith("pipeline_")}
    assert taking - whole - {"apply_controlnet"} <= set(STEPWISE)  # tried with its own net


@pytest.mark.parametrize("kind", STEPWISE)
def test_a_model_that_runs_whole_goes_into_no_node_that_takes_steps(
    home: Path, whole: str, kind: str
) -> None:
    inputs = STEPWISE[kind] or {"model": "m.model"}
    if "high" not in inputs:
        inputs = {**inputs, "model": "m.model"}
    basis = chain("base", "base")
    basis["s"]["inputs"]["model"] = "b.model"
    basis["l"]["inputs"]["model"] = "b.model"
    nodes = basis | {
        "b": {"type": "load_model", "params": {"model": "base"}},
        "i": {"type": "solid_image", "params": {"width": 32, "height": 32}},
        "c": {"type": "compose_panels", "params": {"panels": 1}, "inputs": {"images": ["i.image"]}},
        "y": {
            "type": "layout",
            "params": {"boxes": [{"box": [0.1, 0.1, 0.5, 0.5], "caption": "a"}]},
        },
        "m": {"type": "load_pipeline", "params": {"model": whole}},
        "x": {"type": kind, "inputs": inputs},
    }
    sentence = refused(home, **nodes)
    assert "as the HiDreamImagePipeline of diffusers" in sentence
    assert "Use Pipeline image, edit, video or audio" in sentence


@pytest.mark.parametrize(
    "kind", ["pipeline_image", "pipeline_edit", "pipeline_video", "pipeline_audio",
             "pipeline_arguments"],
)  # fmt: skip
def test_a_native_model_goes_into_no_pipeline(home: Path, kind: str) -> None:
    nodes = {
        "m": {"type": "load_model", "params": {"model": "base"}},
        "i": {"type": "solid_image"},
        "x": {"type": kind, "inputs": {"model": "m.model"}},
    }
    if kind == "pipeline_edit":
        nodes["x"]["inputs"] = {"model": "m.model", "image": "i.image"}
    assert "Load it with Load pipeline" in refused(home, **nodes)


def test_an_unknown_pipeline_is_refused_while_editing(home: Path, whole: str) -> None:
    index = home / whole / "model_index.json"
    right = index.read_text()
    try:
        index.write_text(right.replace("HiDreamImagePipeline", "HiDreamPicturePipeline"))
        node = {"type": "load_pipeline", "params": {"model": whole}}
        sentence = refused(home, m=node, x={"type": "show", "inputs": {"value": "m.model"}})
    finally:
        index.write_text(right)
    assert "'HiDreamPicturePipeline', which diffusers 0" in sentence


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a " + "BREAK b " * 32, "more than 32 chunks"),
        ("[a:b:7]", "no fraction of the steps"),
        ("((((a:9):9)))", "out of -10 to 10"),
        ("".join(f"[a:b:0.{n:03}]" for n in range(40)), "changes at 39 moments"),
    ],
)
@pytest.mark.parametrize(
    ("kind", "output"), [("encode_text", "conditioning"), ("token_view", "text")]
)
def test_prompts_that_no_encoder_takes_are_refused_while_editing(
    home: Path, text: str, says: str, kind: str, output: str
) -> None:
    nodes = {
        "e": {"type": "load_text_encoder", "params": {"model": "base"}},
        "x": {
            "type": kind,
            "version": scan_nodes().specs[kind].version,
            "params": {"text": text},
            "inputs": {"text_encoder": "e.text_encoder"},
        },
        "s": {"type": "show", "inputs": {"value": f"x.{output}"}},
    }
    assert says in refused(home, **nodes)
    nodes["x"]["params"] = {"text": "a BREAK b " * 10}
    assert said(home, **nodes) == []


def test_settings_that_a_node_refuses_are_refused_while_editing(home: Path) -> None:
    nodes = chain("base", "base") | {
        "z": {
            "type": "set_size_condition",
            "params": {"original_width": 5},
            "inputs": {"conditioning": "t.conditioning"},
        },
    }
    assert "original size is 5x0" in refused(home, **nodes)
    nodes["z"] = {
        "type": "skip_layer_guider",
        "params": {"layers": [0, 1.7]},
        "inputs": {"model": "m.model", "positive": "t.conditioning", "negative": "t.conditioning"},
    }
    assert "there is no block 1.7" in refused(home, **nodes)
