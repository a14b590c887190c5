"""Transformers and VAEs in single files, with the folder of the model for all else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.sdk import UserError
from nodes import pipelines as nodes
from tests.backend.models.pipelines.bench import SEED, Bench, array_of, through_node
from tests.backend.models.pipelines.zoo import ZOO

WEIGHTS = "diffusion_pytorch_model.safetensors"
LTX = (("proj_in", "patchify_proj"), ("time_embed", "adaln_single"), ("norm_q", "q_norm"),
       ("norm_k", "k_norm"))  # fmt: skip
"""How the authors of LTX-Video call what diffusers calls otherwise."""


def by_authors(name: str) -> str:
    for ours, theirs in LTX:
        name = name.replace(ours, theirs)
    return f"model.diffusion_model.{name}"


def written(folder: Path, part: str, file: Path, name: Callable[[str], str] = str) -> Path:
    """The weights of a component as a file, which the folder then has no more."""
    place = folder / part / WEIGHTS
    tensors = {name(n): t for n, t in load_file(place).items()}
    before = load_file(file) if file.exists() else {}
    save_file({**before, **tensors}, file)
    place.unlink()
    return file


def both(kind: str, tmp_path: Path, parts: dict[str, Callable[[str], str]], one: bool) -> Any:
    """What a model gives as a folder, and with some of its parts in files or in one file."""
    animal = ZOO[kind]
    folder = animal.write(tmp_path / "model")
    whole = array_of(through_node(animal, Bench(folder, tmp_path / "spool")))
    bench = Bench(folder, tmp_path / "spool")
    given = {}
    for part, name in parts.items():
        file = tmp_path / ("all.safetensors" if one else f"{part}.safetensors")
        bench.folders[part] = written(folder, part, file, name)
        given["vae" if part == "vae" else "denoiser"] = part
    model = nodes.load_pipeline(bench, "model", **given)
    node = getattr(nodes, f"pipeline_{animal.task}")
    return whole, array_of(node(bench, model, **{"seed": SEED, **animal.wish}))


@pytest.mark.parametrize(
    ("kind", "parts", "one"),
    [
        ("LTXPipeline", {"transformer": by_authors}, False),
        ("LTXPipeline", {"transformer": by_authors, "vae": "vae.{}".format}, True),
        ("PixArtSigmaPipeline", {"transformer": str, "vae": "first_stage_model.{}".format}, False),
        ("LatentConsistencyModelPipeline", {"unet": str}, False),
    ],
)
def test_a_part_from_a_file_gives_what_the_folder_gave(
    kind: str, parts: dict[str, Callable[[str], str]], one: bool, tmp_path: Path
) -> None:
    whole, parted = both(kind, tmp_path, parts, one)
    assert np.array_equal(whole, parted)


def test_a_gguf_in_the_authors_naming_comes_near_the_folder(tmp_path: Path) -> None:
    import gguf

    animal = ZOO["LTXPipeline"]
    folder = animal.write(tmp_path / "model")
    whole = array_of(through_node(animal, Bench(folder, tmp_path / "spool")))
    tensors = load_file(folder / "transformer" / WEIGHTS)
    (folder / "transformer" / WEIGHTS).unlink()
    bench = Bench(folder, tmp_path / "spool")
    bench.folders["file"] = tmp_path / "ltx-Q8_0.gguf"
    writer = gguf.GGUFWriter(str(bench.folders["file"]), "ltxv")
    for name, value in tensors.items():
        fits = value.ndim == 2 and value.shape[1] % 32 == 0 and name.endswith("weight")
        chosen = getattr(gguf.GGMLQuantizationType, "Q8_0" if fits else "F32")
        data = gguf.quants.quantize(value.numpy(), chosen)
        writer.add_tensor(by_authors(name).removeprefix("model.diffusion_model."), data,
                          raw_dtype=chosen)  # fmt: skip
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    model = nodes.load_pipeline(bench, "model", denoiser="file")
    made = array_of(nodes.pipeline_video(bench, model, **{"seed": SEED, **animal.wish}))
    assert 0 < np.abs(made - whole).mean() < 0.02


@pytest.fixture(scope="module")
def pixart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ZOO["PixArtSigmaPipeline"].write(tmp_path_factory.mktemp("model"))


def other_names(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"net.{i}.weight": t for i, t in enumerate(tensors.values())}


def a_part_of_them(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return dict(list(tensors.items())[:-3])


def other_shapes(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: torch.zeros(*t.shape, 2) for name, t in tensors.items()}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_names, "of this class diffusers reads safetensors in its own naming only"),
        (a_part_of_them, "lacks 3 weights of its transformer"),
        (other_shapes, "do not load as PixArtTransformer2DModel"),
    ],
)
def test_a_file_that_does_not_fit_is_a_sentence(
    change: Callable[..., dict[str, torch.Tensor]], said: str, pixart: Path, tmp_path: Path
) -> None:
    bench = Bench(pixart, tmp_path)
    bench.folders["file"] = tmp_path / "file.safetensors"
    save_file(change(load_file(pixart / "transformer" / WEIGHTS)), bench.folders["file"])
    model = nodes.load_pipeline(bench, "model", denoiser="file")
    with pytest.raises(UserError, match=said):
        nodes.pipeline_image(bench, model, **ZOO["PixArtSigmaPipeline"].wish)


def test_what_cannot_be_is_told_from_headers(pixart: Path, tmp_path: Path) -> None:
    bench = Bench(pixart, tmp_path)
    lora, audio = tmp_path / "lora.safetensors", tmp_path / "audio"
    save_file({f"lora_unet_down_blocks_{i}_attentions_0_to_q.lora_{way}.weight": torch.zeros(4, 4)
               for i in range(9) for way in ("down", "up")}, lora)  # fmt: skip
    shutil.copytree(pixart, audio)
    index = (audio / "model_index.json").read_text().replace('"transformer"', '"generator"')
    (audio / "model_index.json").write_text(index)
    bench.folders |= {"lora": lora, "audio": audio}
    for model, denoiser, said in (
        ("model", "lora", "is no transformer"),
        ("lora", "", "Name the model's folder"),
        ("lora", "lora", "Name the model's folder"),
        ("audio", "lora", "has no denoiser that a file could be for"),
    ):
        with pytest.raises(UserError, match=said):
            nodes.load_pipeline(bench, model, denoiser=denoiser)


def test_the_facts_know_the_files_and_so_does_the_identity(pixart: Path, tmp_path: Path) -> None:
    bench = Bench(tmp_path / "model", tmp_path)
    shutil.copytree(pixart, tmp_path / "model")
    bench.folders["file"] = written(tmp_path / "model", "transformer", tmp_path / "f.safetensors")

    def facts() -> Any:
        given = SimpleNamespace(lookup=bench, model="model", denoiser="file", vae="")
        return nodes.load_pipeline.hooks["facts"](given)

    before = facts()
    assert before.family == "pipeline:PixArtSigmaPipeline"
    named = nodes.load_pipeline(bench, "model", denoiser="file").identity
    tensors = load_file(bench.folders["file"])
    save_file({name: tensor + 1 for name, tensor in tensors.items()}, bench.folders["file"])
    assert facts().identity != before.identity
    assert nodes.load_pipeline(bench, "model", denoiser="file").identity != named
