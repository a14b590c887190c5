"""LoRA in every form that trainers write equals the same factors merged into the weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from backend.catalog.errors import CatalogError
from backend.catalog.folder import read_folder
from backend.models.family import families, references
from backend.models.flux import FAMILY
from backend.models.loaders import loaders
from backend.models.lora.adapter import lora_patch, text_patch
from backend.models.lora.text import text_patches
from backend.models.store import Store
from backend.values import Model, Patch
from tests.backend.models.test_seams import Bench, far

RANK, ALPHA = 3, 2.0
MODULES = (
    "transformer_blocks.0.attn.to_q",
    "transformer_blocks.1.ff.net.0.proj",
    "single_transformer_blocks.0.attn.to_v",
    "single_transformer_blocks.1.proj_mlp",
    "x_embedder",
)
Factors = dict[str, tuple[Tensor, Tensor]]


@pytest.fixture(scope="module")
def bench(flux_folder: Path) -> Bench:
    made = Bench(flux_folder)
    made.store = Store(families(), 2**30, loaders())
    return made


@pytest.fixture(scope="module")
def plain(bench: Bench) -> np.ndarray:
    return bench.run()


def factors(net: Any, modules: tuple[str, ...] = MODULES, seed: int = 0) -> Factors:
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name in modules:
        out, into = net.get_submodule(name).weight.shape
        down = torch.randn((RANK, into), generator=generator) / into**0.5
        up = torch.randn((out, RANK), generator=generator) * 0.5
        found[name] = (down, up)
    return found


def peft(given: Factors) -> dict[str, Tensor]:
    halves = {"lora_A": 0, "lora_B": 1}
    return {
        f"base_model.model.{name}.{half}.weight": pair[i]
        for name, pair in given.items()
        for half, i in halves.items()
    }


def diffusers(given: Factors) -> dict[str, Tensor]:
    return {k.replace("base_model.model", "transformer"): v for k, v in peft(given).items()}


def old_diffusers(given: Factors) -> dict[str, Tensor]:
    names = {"lora_A": "lora.down", "lora_B": "lora.up"}
    return {
        k.replace(half, name): v
        for k, v in diffusers(given).items()
        for half, name in names.items()
        if half in k
    }


def kohya(given: Factors) -> dict[str, Tensor]:
    found = {}
    for name, (down, up) in given.items():
        base = "lora_unet_" + name.replace(".", "_")
        found |= {f"{base}.lora_down.weight": down, f"{base}.lora_up.weight": up}
        found[f"{base}.alpha"] = torch.tensor(ALPHA)
    return found


FORMS: dict[str, tuple[Callable[[Factors], dict[str, Tensor]], float]] = {
    "PEFT": (peft, 1.0),
    "diffusers": (diffusers, 1.0),
    "old diffusers": (old_diffusers, 1.0),
    "kohya": (kohya, ALPHA / RANK),
}


def written(tmp_path: Path, tensors: dict[str, Tensor], name: str = "a.safetensors") -> Path:
    save_file({k: v.contiguous() for k, v in tensors.items()}, tmp_path / name)
    return tmp_path / name


def patch(path: Path, strength: float = 1.0, begin: float = 0.0, end: float = 1.0) -> Patch:
    return lora_patch(path, "flux", strength, begin, end)


def merged(bench: Bench, changes: list[tuple[str, Tensor]]) -> np.ndarray:
    """The run with differences added to the weights themselves, which are then put back."""
    net = bench.load(bench.refs.model)
    kept = {name: net.get_submodule(name).weight.clone() for name, _ in changes}
    with torch.no_grad():
        for name, change in changes:
            net.get_submodule(name).weight.add_(change)
        found = bench.run()
        for name, weight in kept.items():
            net.get_submodule(name).weight.copy_(weight)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_each_form_equals_merged_weights(
    bench: Bench, plain: np.ndarray, form: str, tmp_path: Path
) -> None:
    write, scale = FORMS[form]
    given = factors(bench.load(bench.refs.model))
    ours = bench.run((patch(written(tmp_path, write(given)), 0.7),))
    theirs = merged(bench, [(n, 0.7 * scale * up @ down) for n, (down, up) in given.items()])
    assert far(ours, theirs) < 1e-5
    assert far(ours, plain) > 0.01


def test_kohya_names_of_the_original_model_equal_merged_weights(
    bench: Bench, plain: np.ndarray, tmp_path: Path
) -> None:
    """Trainers on the original checkpoint change query, key and value as one matrix."""
    generator = torch.Generator().manual_seed(5)
    width = 32
    down = torch.randn((RANK, width), generator=generator) / width**0.5
    up = torch.randn((3 * width, RANK), generator=generator) * 0.5
    base = "lora_unet_double_blocks_0_img_attn_qkv"
    path = written(
        tmp_path,
        {
            f"{base}.lora_down.weight": down,
            f"{base}.lora_up.weight": up,
            f"{base}.alpha": torch.tensor(ALPHA),
        },
    )
    ours = bench.run((patch(path),))
    change = (up @ down * ALPHA / RANK).chunk(3)
    names = [f"transformer_blocks.0.attn.to_{n}" for n in "qkv"]
    theirs = merged(bench, list(zip(names, change, strict=True)))
    assert far(ours, theirs) < 1e-5
    assert far(ours, plain) > 0.01


def test_several_add_up_and_come_off_without_a_trace(
    bench: Bench, plain: np.ndarray, tmp_path: Path
) -> None:
    net = bench.load(bench.refs.model)
    first, second = factors(net), factors(net, MODULES[:2], seed=9)
    one = patch(written(tmp_path, peft(first), "one.safetensors"), 0.6)
    two = patch(written(tmp_path, diffusers(second), "two.safetensors"), -0.4)
    both = bench.run((one, two))
    changes = [(n, 0.6 * up @ down) for n, (down, up) in first.items()]
    changes += [(n, -0.4 * up @ down) for n, (down, up) in second.items()]
    assert far(both, merged(bench, changes)) < 1e-5
    assert far(both, bench.run((one,))) > 0.001
    assert np.array_equal(bench.run(), plain)


def test_strength_0_changes_no_bit(bench: Bench, plain: np.ndarray, tmp_path: Path) -> None:
    path = written(tmp_path, peft(factors(bench.load(bench.refs.model))))
    assert np.array_equal(bench.run((patch(path, 0.0),)), plain)


def test_a_range_of_steps(bench: Bench, plain: np.ndarray, tmp_path: Path) -> None:
    path = written(tmp_path, peft(factors(bench.load(bench.refs.model))))
    whole, late = bench.run((patch(path),)), bench.run((patch(path, begin=0.5),))
    early = bench.run((patch(path, end=0.5),))
    assert 0 < far(late, plain) < far(whole, plain)
    assert far(early, late) > 0.01


def test_text_encoders_take_theirs(bench: Bench, tmp_path: Path) -> None:
    text = bench.refs.text
    parts = {"text_encoder": "lora_te1_", "text_encoder_2": "text_encoder_2."}
    tensors: dict[str, Tensor] = {}
    changes: list[tuple[Any, Tensor]] = []
    for part, prefix in parts.items():
        net = bench.load(Model("flux", part, text.identity, text.source))
        wanted = next(
            n for n, m in net.named_modules() if n.endswith(("q_proj", "SelfAttention.q"))
        )
        ((name, (down, up)),) = factors(net, (wanted,)).items()
        flat = prefix.endswith("_")
        base = prefix + (name.replace(".", "_") if flat else name)
        ends = (".lora_down", ".lora_up") if flat else (".lora_A", ".lora_B")
        tensors |= {f"{base}{ends[0]}.weight": down, f"{base}{ends[1]}.weight": up}
        changes.append((net.get_submodule(name), 0.9 * up @ down))

    def encoded(encoder: Any) -> dict[str, np.ndarray]:
        with text_patches(encoder, FAMILY.card, bench.load):
            return dict(FAMILY.encode_text(encoder, ["a cat"], {}, bench.load, "cpu").tensors)

    before = encoded(text)
    ours = encoded(text.with_(text_patch(written(tmp_path, tensors), "flux", 0.9)))
    with torch.no_grad():
        for module, change in changes:
            module.weight.add_(change)
        theirs = encoded(text)
        for module, change in changes:
            module.weight.sub_(change)
    for name in ("sequence", "pooled"):
        assert far(ours[name], theirs[name]) < 1e-5
        assert far(ours[name], before[name]) > 0.001


def test_a_lora_for_another_model_is_refused(bench: Bench, tmp_path: Path) -> None:
    given = factors(bench.load(bench.refs.model))
    strange = {k.replace("transformer_blocks", "layers"): v for k, v in peft(given).items()}
    with pytest.raises(CatalogError, match="made for another model"):
        bench.run((patch(written(tmp_path, strange)),))
    wide = {k: torch.randn(v.shape[0], v.shape[1] * 2) if "lora_A" in k else v
            for k, v in peft(given).items()}  # fmt: skip
    with pytest.raises(CatalogError, match="does not fit"):
        bench.run((patch(written(tmp_path, wide)),))


def test_what_is_no_plain_lora_is_named(tmp_path: Path) -> None:
    block, other = torch.ones(4, 4), torch.ones(4, 4)
    for name, said in {
        "x.dora_scale": "DoRA", "x.oft_blocks": "OFT", "x.hada_t1": "Tucker LoHa",
        "x.hada_w1_a": "not whole", "x.lora_A.weight": "not whole", "x.weight": "no LoRA",
    }.items():  # fmt: skip
        with pytest.raises(CatalogError, match=said):
            patch(written(tmp_path, {name: block}))
    text = {"lora_te1_a.lora_down.weight": block, "lora_te1_a.lora_up.weight": other}
    with pytest.raises(CatalogError, match="LoRA on text"):
        patch(written(tmp_path, text))
    with pytest.raises(CatalogError, match="nothing for text"):
        text_patch(
            written(tmp_path, {"a.lora_A.weight": block, "a.lora_B.weight": other}), "flux", 1
        )


def test_a_pickle_with_another_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evil.safetensors"
    torch.save({"a": torch.ones(1)}, path)
    with pytest.raises(CatalogError, match="safetensors"):
        patch(path)


def test_the_reference_names_the_bytes_and_not_the_place(tmp_path: Path) -> None:
    tensors = {"a.lora_A.weight": torch.ones(2, 4), "a.lora_B.weight": torch.ones(4, 2)}
    one = patch(written(tmp_path, tensors, "one.safetensors"))
    two = patch(written(tmp_path, tensors, "two.safetensors"))
    from backend.values import digest

    assert digest(one) == digest(two)
    assert one.source != two.source


def test_references_of_a_folder_still_load(flux_folder: Path) -> None:
    refs = references(read_folder(flux_folder), FAMILY)
    assert Store(families(), 2**30, loaders()).get(refs.model, "cpu") is not None
