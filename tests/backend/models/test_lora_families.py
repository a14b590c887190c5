"""Adapters on every layer of every family, in all forms at once, equal merged weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from backend.diffusion.sample import sample
from backend.models.experts import assemble
from backend.models.family import families, part_of
from backend.models.loaders import loaders
from backend.models.lora.adapter import lora_patch, text_patch
from backend.models.lora.text import text_patches
from backend.models.patch import surround
from backend.models.store import Store
from backend.values import Guider, Latent, Model, Noise, Schedule, Solver, TextEncoder
from tests.backend.models import (
    tiny_chroma,
    tiny_flux2,
    tiny_lumina2,
    tiny_pixart,
    tiny_qwen,
    tiny_sana,
    tiny_sd3,
    tiny_sd15,
    tiny_sdxl,
    tiny_wan,
    tiny_z_image,
)
from tests.backend.models.test_seams import STEPS, Bench, far

RANK, ALPHA = 2, 1.5
WRITERS: dict[str, Callable[[Path], Path]] = {
    "sdxl": tiny_sdxl.write,
    "sd15": tiny_sd15.write,
    "z_image": tiny_z_image.write,
    "wan": tiny_wan.write,
    "chroma": tiny_chroma.write,
    "lumina2": tiny_lumina2.write,
    "flux2_klein": tiny_flux2.write,
    "sd3": tiny_sd3.write,
    "qwen_image": tiny_qwen.write,
    "sana": tiny_sana.write,
    "pixart": tiny_pixart.write,
}

Drawn = tuple[dict[str, Tensor], Tensor]
"""The tensors of one module by their endings, and the difference that they stand for."""


def made(folder: Path) -> Bench:
    bench = Bench(folder)
    bench.store = Store(families(), 2**30, loaders())
    return bench


@pytest.fixture(scope="module", params=WRITERS)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return made(WRITERS[request.param](tmp_path_factory.mktemp("model") / "model"))


@pytest.fixture(scope="module")
def plain(bench: Bench) -> np.ndarray:
    return bench.run()


LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def layers(net: Any) -> dict[str, nn.Module]:
    return {name: module for name, module in net.named_modules() if isinstance(module, LAYERS)}


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape) * 0.3 / max(1, np.prod(shape[1:])) ** 0.5


def low_rank(shape: tuple[int, ...], ends: tuple[str, str], alpha: float | None) -> Drawn:
    kernel = shape[2:]
    down, up = drawn(RANK, *shape[1:]), drawn(shape[0], RANK, *[1] * len(kernel))
    found = {f".{ends[0]}.weight": down, f".{ends[1]}.weight": up}
    if alpha is not None:
        found[".alpha"] = torch.tensor(alpha)
    scale = 1.0 if alpha is None else alpha / RANK
    return found, scale * (up.flatten(1) @ down.flatten(1)).view(shape)


def peft(shape: tuple[int, ...]) -> Drawn:
    return low_rank(shape, ("lora_A", "lora_B"), None)


def kohya(shape: tuple[int, ...]) -> Drawn:
    return low_rank(shape, ("lora_down", "lora_up"), ALPHA)


def old_diffusers(shape: tuple[int, ...]) -> Drawn:
    return low_rank(shape, ("lora.down", "lora.up"), None)


def loha(shape: tuple[int, ...]) -> Drawn:
    flat = int(np.prod(shape[1:]))
    a1, a2 = (drawn(shape[0], RANK) * 3 for _ in "12")
    b1, b2 = (drawn(RANK, flat) for _ in "12")
    names = {".hada_w1_a": a1, ".hada_w1_b": b1, ".hada_w2_a": a2, ".hada_w2_b": b2}
    change = torch.mul(a1 @ b1, a2 @ b2) * ALPHA / RANK
    return {**names, ".alpha": torch.tensor(ALPHA)}, change.view(shape)


def lokr(shape: tuple[int, ...]) -> Drawn:
    """The first factor is a small matrix, the second one a product; entry by entry as defined."""
    a = 2 if shape[0] % 2 == 0 else 1
    b = 2 if shape[1] % 2 == 0 else 1
    rows, columns, kernel = shape[0] // a, shape[1] // b, shape[2:]
    w1, w2_a = torch.randn(a, b), drawn(rows, RANK)
    w2_b = drawn(RANK, columns * int(np.prod(kernel)))
    w2 = (w2_a @ w2_b).view(rows, columns, *kernel)
    change = torch.zeros(shape)
    for i in range(a):
        for j in range(b):
            part = change[i * rows : (i + 1) * rows, j * columns : (j + 1) * columns]
            part += w1[i, j] * w2 * ALPHA / RANK
    names = {".lokr_w1": w1, ".lokr_w2_a": w2_a, ".lokr_w2_b": w2_b}
    return {**names, ".alpha": torch.tensor(ALPHA)}, change


def whole_lokr(shape: tuple[int, ...]) -> Drawn:
    """Two whole factors, whose alpha says nothing."""
    w1, w2 = torch.randn(1, 1), drawn(*shape)
    return {".lokr_w1": w1, ".lokr_w2": w2, ".alpha": torch.tensor(9.0)}, w1[0, 0] * w2


FORMS: tuple[tuple[str, Callable[[tuple[int, ...]], Drawn]], ...] = (
    ("base_model.model.", peft),
    ("transformer.", peft),
    ("diffusion_model.", peft),
    ("lora_unet_", kohya),
    ("lora_unet_", loha),
    ("lycoris_", lokr),
    ("transformer.", old_diffusers),
    ("lora_unet_", whole_lokr),
)


def everywhere(net: Any, seed: int, forms: Any = FORMS) -> tuple[dict[str, Tensor], Any]:
    """An adapter on all layers, each in the next form, and the difference to each weight."""
    torch.manual_seed(seed)
    tensors: dict[str, Tensor] = {}
    changes: dict[str, Tensor] = {}
    for number, (name, module) in enumerate(layers(net).items()):
        prefix, draw = forms[number % len(forms)]
        found, changes[name] = draw(tuple(module.weight.shape))
        base = prefix + (name.replace(".", "_") if prefix.endswith("_") else name)
        tensors |= {base + ending: tensor for ending, tensor in found.items()}
    return tensors, changes


def written(path: Path, tensors: dict[str, Tensor]) -> Path:
    save_file({k: v.contiguous() for k, v in tensors.items()}, path)
    return path


def merged(net: Any, changes: dict[str, Tensor], run: Callable[[], Any]) -> Any:
    """A run with differences added to the weights themselves, which are then put back."""
    kept = {name: layers(net)[name].weight.clone() for name in changes}
    with torch.no_grad():
        for name, change in changes.items():
            layers(net)[name].weight.add_(change)
        found = run()
        for name, weight in kept.items():
            layers(net)[name].weight.copy_(weight)
    return found


def test_all_forms_on_all_layers_equal_merged_weights(
    bench: Bench, plain: np.ndarray, tmp_path: Path, record_property: Any
) -> None:
    net, name = bench.load(bench.refs.model), bench.family.card.name
    first, changes = everywhere(net, 1)
    second, more = everywhere(net, 2, FORMS[1:3])
    one = lora_patch(written(tmp_path / "1.safetensors", first), name, 0.4, 0, 1)
    two = lora_patch(written(tmp_path / "2.safetensors", second), name, -0.2, 0, 1)
    late = lora_patch(tmp_path / "1.safetensors", name, 0.4, 0.5, 1)
    both = {n: 0.4 * changes[n] - 0.2 * more[n] for n in changes}
    ours, theirs = bench.run((one, two)), merged(net, both, bench.run)
    record_property("lora", far(ours, theirs))
    assert far(ours, theirs) < 1e-5
    assert far(ours, plain) > 0.01
    assert 0 < far(bench.run((late,)), plain) < far(bench.run((one,)), plain)
    assert np.array_equal(bench.run(), plain)


def test_whole_differences_of_weights_biases_and_norms_equal_merged_weights(
    bench: Bench, plain: np.ndarray, tmp_path: Path
) -> None:
    """As distillations have them beside low-rank factors of the same layers."""
    net, name = bench.load(bench.refs.model), bench.family.card.name
    torch.manual_seed(11)
    tensors, changes, kinds = {}, {}, set()
    for number, (module, layer) in enumerate(net.named_modules()):
        norms = type(layer).__name__.endswith("Norm")
        weight, bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
        if weight is None or not (norms or isinstance(layer, LAYERS)):
            continue
        kinds.add("norm" if norms else "layer")
        change = torch.zeros(weight.shape)
        if not norms and number % 3:
            found, change = peft(tuple(weight.shape))
            tensors |= {f"diffusion_model.{module}{end}": part for end, part in found.items()}
        if norms or number % 2:
            whole = drawn(*weight.shape) * (0.3 if norms else 1.0)
            tensors[f"diffusion_model.{module}.diff"], change = whole, change + whole
        changes[f"{module}.weight"] = change
        if bias is not None:
            tensors[f"diffusion_model.{module}.diff_b"] = shift = drawn(*bias.shape)
            changes[f"{module}.bias"] = shift
    path = written(tmp_path / "a.safetensors", tensors)
    ours = bench.run((lora_patch(path, name, 0.4, 0, 1),))
    kept = {key: net.get_parameter(key).clone() for key in changes}
    with torch.no_grad():
        for key, change in changes.items():
            net.get_parameter(key).add_(0.4 * change)
        theirs = bench.run()
        for key, value in kept.items():
            net.get_parameter(key).copy_(value)
    assert "norm" in kinds or name.startswith("pixart")  # whose norms have no weights
    assert far(ours, theirs) < 1e-5
    assert far(ours, plain) > 0.01
    assert np.array_equal(bench.run(), plain)


def test_strength_0_changes_no_bit(bench: Bench, plain: np.ndarray, tmp_path: Path) -> None:
    net, name = bench.load(bench.refs.model), bench.family.card.name
    path = written(tmp_path / "a.safetensors", everywhere(net, 1)[0])
    assert np.array_equal(bench.run((lora_patch(path, name, 0.0, 0, 1),)), plain)


def test_both_experts_of_a_wan_take_it(tmp_path: Path) -> None:
    bench = made(tiny_wan.write(tmp_path / "pair", boundary=0.8))
    model, name = bench.refs.model, bench.family.card.name
    nets = [bench.load(part_of(model, part)) for part in ("transformer", "transformer_2")]
    tensors, changes = everywhere(nets[0], 3)
    path = written(tmp_path / "a.safetensors", tensors)

    def run(used: Model) -> np.ndarray:
        terms = bench.terms()
        denoiser, around = assemble(used, bench.load, "cpu", lambda stage: surround(stage, terms))
        guider = Guider("cfg", {"cfg": 3.0}, used, terms)
        return sample(
            denoiser, guider, Solver("euler"), Schedule("native", steps=STEPS),
            Noise("gaussian", seed=1), Latent(np.zeros(bench.shape), "any"), around=around,
        ).samples  # fmt: skip

    plain = run(model)
    ours = run(model.with_(lora_patch(path, name, 0.5, 0, 1)))
    half = {n: 0.5 * change for n, change in changes.items()}
    theirs = merged(nets[0], half, lambda: merged(nets[1], half, lambda: run(model)))
    assert far(ours, theirs) < 1e-5
    one = merged(nets[0], half, lambda: run(model))
    assert min(far(ours, one), far(one, plain)) > 0.001
    assert np.array_equal(run(model), plain)


@pytest.mark.parametrize("family", ["sdxl", "sd15"])
def test_text_encoders_of_stable_diffusion_take_theirs(family: str, tmp_path: Path) -> None:
    bench = made(WRITERS[family](tmp_path / "model"))
    text = bench.refs.text
    prefixes = {"text_encoder": "lora_te1_" if family == "sdxl" else "lora_te_"}
    if family == "sdxl":
        prefixes["text_encoder_2"] = "lora_te2_"
    tensors: dict[str, Tensor] = {}
    changes: list[tuple[Any, dict[str, Tensor]]] = []
    for part, prefix in prefixes.items():
        net = bench.load(part_of(text, part))
        outer = "" if any(n.startswith("text_model.") for n in layers(net)) else "text_model_"
        given, change = everywhere(net, 5, [(prefix + outer, kohya)])
        kept = {n for n in change if n.endswith(("_proj", "fc1", "fc2"))}  # what trainers change
        flat = tuple(n.replace(".", "_") for n in kept)
        tensors |= {k: v for k, v in given.items() if k.split(".")[0].endswith(flat)}
        changes.append((net, {n: 0.8 * change[n] for n in kept}))

    def encoded(encoder: TextEncoder) -> dict[str, np.ndarray]:
        with text_patches(encoder, bench.family.card, bench.load):
            found = bench.family.encode_text(encoder, ["a red circle"], {}, bench.load, "cpu")
        return {k: v for k, v in found.tensors.items() if k != "mask"}

    before = encoded(text)
    path = written(tmp_path / "a.safetensors", tensors)
    ours = encoded(text.with_(text_patch(path, family, 0.8)))

    def all_merged(left: list[Any]) -> Any:
        if not left:
            return encoded(text)
        return merged(*left[0], lambda: all_merged(left[1:]))

    theirs = all_merged(changes)
    for name, value in theirs.items():
        assert far(ours[name], value) < 1e-5
        assert far(ours[name], before[name]) > 0.001
    assert all(np.array_equal(encoded(text)[name], before[name]) for name in before)
