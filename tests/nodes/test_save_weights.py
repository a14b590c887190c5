"""A saved denoiser opens again and makes the same pictures, with its LoRAs in its weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from backend.catalog.folder import ModelFolder, read_folder
from backend.catalog.pack import packs_folder, read_pack
from backend.catalog.source import open_files
from backend.diffusion.sample import sample
from backend.media.journal import TEMPORARY
from backend.media.outputs import OutputFolder
from backend.models.export import Merged, metadata_of
from backend.models.family import References, families, recognise, references
from backend.models.lora.adapter import lora_patch
from backend.models.patch import Stage, surround
from backend.models.pipelines.reference import PREFIX
from backend.sdk import Cancelled, Saved, UserError
from backend.values import Guider, Latent, Model, Noise, Patch, Schedule, Solver, Term
from nodes.save_weights import save_model_part
from tests.backend.catalog.headers import filled, safetensors
from tests.backend.models import tiny_wan
from tests.backend.models.test_bare import KINDS, Disk
from tests.backend.models.test_lora_families import FORMS, everywhere, written
from tests.backend.models.test_seams import far
from tests.nodes.fake_device import FakeDevice

PROVENANCE = {"workflow": {"nodes": ["ä"]}}


class Desk(FakeDevice):
    """A context that writes to an output folder."""

    def __init__(self, home: Path, cancel_after: int = -1) -> None:
        super().__init__({})
        self.home, self.cancel_after = home, cancel_after
        self.saved: list[Saved] = []

    def progress(self, done: float, total: float) -> None:
        super().progress(done, total)
        if done == self.cancel_after:
            raise Cancelled

    def save(
        self,
        name: str,
        suffix: str,
        write: Callable[[Path, Mapping[str, Any]], None],
        *,
        overwrite: str = "number",
    ) -> Saved:
        output = OutputFolder(self.home)
        found = output.save(name, suffix, lambda p: write(p, PROVENANCE), overwrite=overwrite)
        self.saved.append(found)
        return found


@pytest.fixture(scope="module", params=KINDS)
def disk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Disk:
    """A tiny model whose pack knows the names of diffusers too, as the shipped ones do."""
    made = Disk(tmp_path_factory.mktemp("disk"), KINDS[request.param])
    described = made.packs / "tiny" / "pack.json"
    said = json.loads(described.read_text())
    (file,) = (made.folder / made.kind.denoiser).glob("*.safetensors")
    shapes = {name: list(t.shape) for name, t in sorted(load_file(file).items())[-6:]}
    said["parts"][0]["forms"].append({"name": "diffusers", "shapes": shapes})
    described.write_text(json.dumps(said))
    return made


def opened(folder: ModelFolder) -> References:
    return references(folder, recognise(folder, families()))


def run(refs: References, ctx: FakeDevice) -> np.ndarray:
    family, model = families()[refs.model.family], refs.model

    def load(weights: Any) -> Any:
        return ctx.store.get(weights, "cpu")

    text = family.encode_text(refs.text, ["a red circle"], {}, load, "cpu")
    terms = (Term("positive", text),)
    stage = Stage(model, family.card, load, family.denoiser(model, load, "cpu"))
    return sample(
        stage.denoiser,
        Guider("none", {}, model, terms),
        Solver("euler"),
        Schedule("native", steps=3),
        Noise("gaussian", seed=1),
        Latent(np.zeros((1, 4, 16, 24)), refs.vae.space),
        around=surround(stage, terms),
    ).samples


@pytest.fixture
def ctx(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "out")


def with_lora(refs: References, ctx: FakeDevice, home: Path) -> References:
    """The model with two adapters on all of its layers."""
    net = ctx.load(refs.model)
    model = refs.model
    for number, (forms, strength) in enumerate(((FORMS, 0.4), (FORMS[1:3], -0.2))):
        path = written(home / f"{number}.safetensors", everywhere(net, number, forms)[0])
        model = model.with_(lora_patch(path, model.family, strength, 0, 1))
    return refs._replace(model=model)


def test_the_saved_file_makes_the_same_latents(disk: Disk, ctx: Desk, tmp_path: Path) -> None:
    plain = opened(read_folder(disk.folder))
    laid = with_lora(plain, ctx, tmp_path)
    truth = run(laid, ctx)
    assert far(truth, run(plain, ctx)) > 0.01
    assert save_model_part(ctx, laid.model, name="merged", precision="fp32") is laid.model
    file = ctx.home / "merged.safetensors"
    _, *others = disk.split(tmp_path)
    assert far(run(opened(disk.open(file, *others)), ctx), truth) < 1e-5

    copy = shutil.copytree(disk.folder, tmp_path / "copy")
    (weights,) = (copy / disk.kind.denoiser).glob("*.safetensors")
    shutil.copy(file, weights)
    assert far(run(opened(read_folder(copy)), ctx), truth) < 1e-5


@pytest.mark.parametrize(("precision", "dtype", "bound"), [
    ("bf16", torch.bfloat16, 0.1), ("fp16", torch.float16, 0.01),
])  # fmt: skip
def test_it_is_stored_in_the_precision_asked_for(
    disk: Disk, ctx: Desk, tmp_path: Path, precision: Any, dtype: torch.dtype, bound: float
) -> None:
    refs = opened(read_folder(disk.folder))
    save_model_part(ctx, refs.model, name="small", precision=precision)
    file = ctx.home / "small.safetensors"
    assert {tensor.dtype for tensor in load_file(file).values()} == {dtype}
    _, *others = disk.split(tmp_path)
    assert 0 < far(run(opened(disk.open(file, *others)), ctx), run(refs, ctx)) < bound


def test_the_file_tells_what_it_is(disk: Disk, ctx: Desk, tmp_path: Path) -> None:
    laid = with_lora(opened(read_folder(disk.folder)), ctx, tmp_path)
    save_model_part(ctx, laid.model, name="merged", title="Ink")
    with safe_open(ctx.home / "merged.safetensors", "pt") as file:
        said = file.metadata()
    assert (said["format"], said["modelspec.title"]) == ("pt", "Ink")
    assert json.loads(said["weft"]) == PROVENANCE
    assert [(m["name"], m["strength"]) for m in json.loads(said["weft.merged"])] == [
        ("0.safetensors", 0.4), ("1.safetensors", -0.2),
    ]  # fmt: skip
    assert "modelspec.architecture" not in said  # no published model is this small


@pytest.mark.parametrize(("pack", "name"), [
    ("sdxl-base", "stable-diffusion-xl-v1-base"), ("flux-dev", "flux-1-dev"), ("z-image", ""),
])  # fmt: skip
def test_known_models_are_called_as_the_standard_does(pack: str, name: str, tmp_path: Path) -> None:
    part = next(p for p in read_pack(packs_folder() / pack).parts if p.kind == "denoiser")
    path = safetensors(tmp_path / "net.safetensors", filled(part.forms[0]))
    source = open_files([path], pack).source
    model = Model(read_pack(packs_folder() / pack).family, part.part, "fast:1", source)
    said = metadata_of(model, Merged(None, {}, ()), "", "{}")
    assert said.get("modelspec.architecture", "") == name
    assert said["modelspec.title"] == "net"


def test_a_gguf_takes_a_lora_and_is_saved_with_it(ctx: Desk, tmp_path: Path) -> None:
    import gguf

    disk = Disk(tmp_path, KINDS["z_image"])
    path = tmp_path / "tiny-Q8_0.gguf"
    writer = gguf.GGUFWriter(str(path), "z_image")
    for name, value in disk.parts["transformer"].items():
        fits = value.ndim == 2 and value.shape[1] % 32 == 0 and name.endswith("weight")
        kind = gguf.GGMLQuantizationType["Q8_0" if fits else "F32"]
        writer.add_tensor(name, gguf.quants.quantize(value.numpy(), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    folder = opened(read_folder(disk.folder))
    plain = opened(disk.open(path, *disk.split(tmp_path)[1:]))
    patches = with_lora(folder, ctx, tmp_path).model.patches
    laid = plain._replace(model=replace(plain.model, patches=patches))
    before, truth = run(plain, ctx), run(laid, ctx)
    assert far(truth, before) > 0.01
    assert np.array_equal(run(plain, ctx), before)
    save_model_part(ctx, laid.model, name="whole", precision="fp32")
    (weights,) = (disk.folder / "transformer").glob("*.safetensors")
    shutil.copy(ctx.home / "whole.safetensors", weights)
    assert far(run(opened(read_folder(disk.folder)), ctx), truth) < 1e-4


def test_each_expert_is_saved_by_its_number(ctx: Desk, tmp_path: Path) -> None:
    folder = tiny_wan.write(tmp_path / "pair", boundary=0.8)
    model = opened(read_folder(folder)).model
    for number, part in ((1, "transformer"), (2, "transformer_2")):
        save_model_part(ctx, model, name=part, precision="fp32", expert=number)
        saved = load_file(ctx.home / f"{part}.safetensors")
        (weights,) = (folder / part).glob("*.safetensors")
        assert all(torch.equal(saved[name], t) for name, t in load_file(weights).items())
    with pytest.raises(UserError, match="has 2 networks"):
        save_model_part(ctx, model, expert=3)


def test_what_is_no_part_of_weights_is_refused_by_name(ctx: Desk, tmp_path: Path) -> None:
    disk = Disk(tmp_path, KINDS["z_image"])
    refs = opened(read_folder(disk.folder))
    laid = with_lora(refs, ctx, tmp_path).model
    late = replace(laid.patches[0], params={"begin": 0.5, "end": 1.0})
    for patch, said in (
        (late, r"0.safetensors is laid on for a part of the steps \(0.5 to 1\)"),
        (Patch("shared_attention", 1.0), "Shared attention|shared_attention"),
    ):
        with pytest.raises(UserError, match=said):
            save_model_part(ctx, refs.model.with_(patch))
    with pytest.raises(UserError, match="runs whole"):
        save_model_part(ctx, Model(PREFIX + "KolorsPipeline", "pipeline", "fast:1", "/x"))
    huge = dict(load_file(disk.folder / "transformer" / "diffusion_pytorch_model.safetensors"))
    name = next(n for n in huge if n.endswith("to_q.weight"))
    huge[name] = huge[name] + 1e6
    written(disk.folder / "transformer" / "diffusion_pytorch_model.safetensors", huge)
    with pytest.raises(UserError, match=r"to_q.weight has values that are too large"):
        save_model_part(ctx, opened(read_folder(disk.folder)).model, name="huge", precision="fp16")
    assert not [path for path in ctx.home.rglob("*") if path.is_file()]


def test_a_cancelled_save_leaves_nothing(tmp_path: Path) -> None:
    disk = Disk(tmp_path, KINDS["z_image"])
    ctx = Desk(tmp_path / "out", cancel_after=5)
    with pytest.raises(Cancelled):
        save_model_part(ctx, opened(read_folder(disk.folder)).model, name="half")
    assert not [path for path in ctx.home.rglob("*") if path.is_file()]
    assert TEMPORARY.fullmatch(".weft-0123456789abcdef.tmp.safetensors")  # cleaned after a kill
