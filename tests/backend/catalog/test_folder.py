from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from backend.catalog.components import MAX_JSON
from backend.catalog.errors import CatalogError
from backend.catalog.folder import content_hash, read_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small model folder: a network, a sharded text encoder, a tokenizer and a scheduler."""
    root = tmp_path / "model"
    index = {
        "_class_name": "FluxPipeline",
        "_diffusers_version": "0.42.1",
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "transformer": ["diffusers", "FluxTransformer2DModel"],
        "image_encoder": [None, None],
    }
    for name in ("scheduler", "text_encoder", "tokenizer", "transformer"):
        (root / name).mkdir(parents=True)
    (root / "model_index.json").write_text(json.dumps(index))
    (root / "scheduler/scheduler_config.json").write_text('{"shift": 3.0}')
    (root / "tokenizer/tokenizer_config.json").write_text('{"model_max_length": 77}')
    (root / "tokenizer/tokenizer.json").write_text("{}")
    (root / "transformer/config.json").write_text('{"in_channels": 16}')
    weights = {"x.weight": np.ones((2, 3), np.float32), "y.bias": np.zeros(1, np.float16)}
    save_file(weights, root / "transformer/diffusion_pytorch_model.safetensors")
    (root / "text_encoder/config.json").write_text("{}")
    place = {}
    for shard in (1, 2):
        name = f"model-0000{shard}-of-00002.safetensors"
        save_file({f"layer.{shard}": np.full(4, shard, np.float16)}, root / "text_encoder" / name)
        place[f"layer.{shard}"] = name
    (root / "text_encoder/model.safetensors.index.json").write_text(
        json.dumps({"weight_map": place})
    )
    return root


def test_a_folder_is_described_without_its_weights(folder: Path) -> None:
    found = read_folder(folder)
    assert found.pipeline == "FluxPipeline"
    assert list(found.components) == ["scheduler", "text_encoder", "tokenizer", "transformer"]
    net = found.component("transformer")
    assert (net.library, net.kind) == ("diffusers", "FluxTransformer2DModel")
    assert (net.dtype, net.nbytes, net.parameters) == ("F32", 26, 7)
    assert dict(net.keys) == {"x.weight": (2, 3), "y.bias": (1,)}
    assert net.config["in_channels"] == 16
    text = found.component("text_encoder")
    assert (text.dtype, text.nbytes, len(text.files)) == ("F16", 16, 3)
    assert found.component("scheduler").config == {"shift": 3.0}
    assert found.component("tokenizer").config["model_max_length"] == 77
    assert found.nbytes == 42


def test_the_fast_identity_follows_size_time_and_header(folder: Path) -> None:
    first = read_folder(folder).identity()
    assert first.startswith("fast:")
    assert read_folder(folder).identity() == first
    file = folder / "transformer/diffusion_pytorch_model.safetensors"
    os.utime(file, ns=(1, 1))
    touched = read_folder(folder)
    assert touched.identity() != first
    assert touched.identity(["scheduler"]) == touched.identity(["scheduler", "absent"])
    assert touched.identity(["scheduler"]) != touched.identity(["tokenizer"])


def test_the_content_hash_is_of_contents_alone(folder: Path, tmp_path: Path) -> None:
    first = content_hash(read_folder(folder))
    assert first.startswith("blake3:")
    copy = shutil.copytree(folder, tmp_path / "elsewhere")
    os.utime(copy / "transformer/diffusion_pytorch_model.safetensors", ns=(1, 1))
    assert content_hash(read_folder(copy)) == first
    file = copy / "transformer/diffusion_pytorch_model.safetensors"
    changed = load_file(file)
    changed["x.weight"][0, 0] = 7
    save_file(changed, file)
    other = read_folder(copy)
    second = content_hash(other)
    assert second != first
    same = [name for name in other.components if name != "transformer"]
    assert content_hash(other, same) == content_hash(read_folder(folder), same)
    (copy / "transformer/config.json").write_text('{"in_channels": 64}')
    assert content_hash(read_folder(copy)) not in (first, second)


def remove(path: str) -> object:
    return lambda root: (root / path).unlink()


def write(path: str, content: str) -> object:
    return lambda root: (root / path).write_text(content)


def cut(path: str) -> object:
    return lambda root: (root / path).write_bytes((root / path).read_bytes()[:-3])


def pickled(root: Path) -> None:
    weights = root / "transformer/diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))


WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: shutil.rmtree(root), "is no folder"),
        (remove("model_index.json"), "has no model_index.json"),
        (write("model_index.json", "{"), "not valid JSON"),
        (write("model_index.json", "[1]"), "should hold a JSON object"),
        (write("model_index.json", "[" * 100_000), "not valid JSON"),
        (write("model_index.json", "{}"), "names no component"),
        (write("model_index.json", '{"../x": ["diffusers", "AutoencoderKL"]}'), "has no folder"),
        (write("model_index.json", '{"..": ["diffusers", "AutoencoderKL"]}'), "has no folder"),
        (write("model_index.json", json.dumps({"c" * 999: ["diffusers", "K"]})), "has no folder"),
        (write("model_index.json", " " * (MAX_JSON + 1)), "json is larger than"),
        (lambda root: shutil.rmtree(root / "transformer"), "has no folder 'transformer'"),
        (remove("transformer/config.json"), "config.json cannot be read"),
        (write("transformer/config.json", "nope"), "not valid JSON"),
        (remove("scheduler/scheduler_config.json"), "scheduler_config.json cannot be read"),
        (remove(WEIGHTS), "has no weights for its FluxTransformer2DModel"),
        (cut(WEIGHTS), "cut short"),
        (write(WEIGHTS, "x" * 300), "is a text and no safetensors file"),
        (pickled, "only as a pickle .*save_file"),
        (remove("text_encoder/model-00002-of-00002.safetensors"), "lacks 1 of 2 weight files"),
        (
            write(
                "text_encoder/model.safetensors.index.json",
                '{"weight_map": {"a": "../../secret.safetensors"}}',
            ),
            "no sound list of shards",
        ),
        (
            write(
                "text_encoder/model.safetensors.index.json",
                json.dumps({"weight_map": {"a": "a" * 999 + ".safetensors"}}),
            ),
            "lacks 1 of 1 weight files",
        ),
    ],
)
def test_whatever_is_wrong_is_said_with_its_place(
    folder: Path, damage: object, message: str
) -> None:
    damage(folder)
    with pytest.raises(CatalogError, match=message) as caught:
        read_folder(folder)
    assert str(folder) in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    (folder / "transformer/config.json").unlink()
    os.mkfifo(folder / "transformer/config.json")
    with pytest.raises(CatalogError, match="is a pipe"):
        read_folder(folder)


def test_an_empty_tokenizer_and_a_missing_component_are_named(folder: Path) -> None:
    found = read_folder(folder)
    with pytest.raises(CatalogError, match="has no component 'vae'"):
        found.component("vae")
    for file in (folder / "tokenizer").iterdir():
        file.unlink()
    with pytest.raises(CatalogError, match="needs its CLIPTokenizer"):
        read_folder(folder)


def test_the_room_is_light() -> None:
    code = (
        "import sys, backend.catalog.folder\n"
        "print(sorted({'torch', 'diffusers', 'transformers', 'safetensors'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_files_of_a_variant_are_found_and_named(folder: Path) -> None:
    net = folder / "transformer/diffusion_pytorch_model.safetensors"
    assert read_folder(folder).component("transformer").variant == ""
    net.rename(net.with_name("diffusion_pytorch_model.fp16.safetensors"))
    assert read_folder(folder).component("transformer").variant == "fp16"
    text = folder / "text_encoder"
    for file in text.glob("*.safetensors"):
        file.rename(text / file.name.replace("model-", "model.bf16-"))
    index = (text / "model.safetensors.index.json").read_text().replace("model-", "model.bf16-")
    (text / "model.safetensors.index.json").unlink()
    (text / "model.safetensors.index.bf16.json").write_text(index)
    found = read_folder(folder).component("text_encoder")
    assert found.variant == "bf16"
    assert found.files[:2] == (
        "text_encoder/model.bf16-00001-of-00002.safetensors",
        "text_encoder/model.bf16-00002-of-00002.safetensors",
    )


def test_of_two_versions_the_one_that_the_library_loads_counts(folder: Path) -> None:
    text = folder / "text_encoder"
    save_file({"whole": np.ones(3, np.float32)}, text / "model.safetensors")
    assert read_folder(folder).component("text_encoder").files[0].endswith("/model.safetensors")
    net = folder / "transformer"
    shard = "diffusion_pytorch_model.fp16-00001-of-00001.safetensors"
    save_file({"half": np.ones(3, np.float16)}, net / shard)
    index = json.dumps({"weight_map": {"half": shard}})
    (net / "diffusion_pytorch_model.safetensors.index.fp16.json").write_text(index)
    assert read_folder(folder).component("transformer").variant == ""
    plain = net / "diffusion_pytorch_model.safetensors.index.json"
    plain.write_text(index)
    assert read_folder(folder).component("transformer").variant == "fp16"
