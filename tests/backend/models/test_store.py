from __future__ import annotations

import json
import shutil
import threading
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder, read_folder
from backend.memory import copying
from backend.memory.copying import ByStream
from backend.models.family import families, part_of, references
from backend.models.flux import FAMILY
from backend.models.store import Coming, Store, component_bytes
from backend.values import Model, Patch


@pytest.fixture
def model(flux_folder: Path) -> Model:
    return references(read_folder(flux_folder), FAMILY).model


class Counting:
    """The Flux family, counting what it loads; each part is a block of a thousand bytes."""

    card = FAMILY.card

    def __init__(self) -> None:
        self.loads: list[str] = []

    def load_part(self, folder: ModelFolder, part: str, device: str, dtype: str) -> Any:
        self.loads.append(part)
        return Block()


class Block:
    def parameters(self) -> list[Any]:
        return [self]

    def buffers(self) -> list[Any]:
        return []

    def numel(self) -> int:
        return 250

    def element_size(self) -> int:
        return 4


def test_a_component_is_loaded_once(model: Model) -> None:
    family = Counting()
    store = Store({"flux": family}, 10_000)
    first = store.get(model, "cpu")
    assert store.get(replace(model, source=model.source), "cpu") is first
    store.get(part_of(model, "vae"), "cpu")
    assert family.loads == ["transformer", "vae"]
    assert store.nbytes == 2000
    assert component_bytes({"shift": 3}) == 0


def test_the_one_used_longest_ago_goes_first(model: Model) -> None:
    family = Counting()
    store = Store({"flux": family}, 2000)
    for part in ("transformer", "vae", "transformer", "text_encoder", "transformer"):
        store.get(part_of(model, part), "cpu")
    assert family.loads == ["transformer", "vae", "text_encoder"]
    assert store.nbytes == 2000
    store.get(part_of(model, "vae"), "cpu")
    assert family.loads[-1] == "vae"
    store.clear()
    assert store.nbytes == 0


def test_one_component_stays_even_above_the_budget(model: Model) -> None:
    store = Store({"flux": Counting()}, 10)
    held = store.get(model, "cpu")
    assert store.get(model, "cpu") is held


def test_devices_and_identities_are_kept_apart(model: Model) -> None:
    family = Counting()
    store = Store({"flux": family}, 10_000)
    held = [
        store.get(model, "cpu"),
        store.get(model, "cuda:0"),
        store.get(replace(model, identity="fast:other"), "cpu"),
    ]
    assert len({id(h) for h in held}) == 3


def test_references_that_differ_in_patches_share_the_weights(model: Model) -> None:
    family = Counting()
    store = Store({"flux": family}, 10_000)
    assert store.get(model.with_(Patch("shared_attention")), "cpu") is store.get(model, "cpu")
    assert family.loads == ["transformer"]


def test_many_threads_load_once(model: Model) -> None:
    family = Counting()
    store = Store({"flux": family}, 10_000)
    got: list[Any] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        got.append(store.get(model, "cpu"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert family.loads == ["transformer"]
    assert len({id(g) for g in got}) == 1


def test_what_cannot_be_loaded_is_explained(model: Model, tmp_path: Path) -> None:
    store = Store(families(), 2**30)
    with pytest.raises(CatalogError, match="no component 'unet'"):
        store.get(part_of(model, "unet"), "cpu")
    with pytest.raises(CatalogError, match="is no folder"):
        store.get(replace(model, source=str(tmp_path / "gone")), "cpu")
    with pytest.raises(CatalogError, match="no model family"):
        store.get(replace(model, family="unheard"), "cpu")
    assert store.nbytes == 0


def broken(flux_folder: Path, tmp_path: Path, name: str, **changes: Any) -> Model:
    copy = shutil.copytree(flux_folder, tmp_path / "copy")
    config = copy / name
    config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))
    return references(read_folder(copy), FAMILY).model


def test_weights_that_do_not_fit_their_config_are_refused(
    flux_folder: Path, tmp_path: Path
) -> None:
    more = broken(flux_folder, tmp_path, "transformer/config.json", num_layers=3)
    with pytest.raises(CatalogError, match=r"lacks .* of the weights"):
        Store(families(), 2**30).get(more, "cpu")


def test_weights_of_another_width_are_refused(flux_folder: Path, tmp_path: Path) -> None:
    wide = broken(flux_folder, tmp_path, "transformer/config.json", joint_attention_dim=48)
    with pytest.raises(CatalogError, match="transformer"):
        Store(families(), 2**30).get(wide, "cpu")


def test_a_foreign_tokenizer_class_is_not_looked_up(flux_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(flux_folder, tmp_path / "copy")
    index = json.loads((copy / "model_index.json").read_text())
    index["tokenizer"] = ["evil", "OwnTokenizer"]
    (copy / "model_index.json").write_text(json.dumps(index))
    text = references(read_folder(copy), FAMILY).text
    with pytest.raises(CatalogError, match="'OwnTokenizer'"):
        Store(families(), 2**30).get(part_of(text, "tokenizer"), "cpu")


def test_modules_come_ready_to_run(model: Model) -> None:
    store = Store(families(), 2**30)
    net = store.get(model, "cpu")
    assert not net.training
    assert not any(p.requires_grad for p in net.parameters())
    assert {str(p.dtype) for p in net.parameters()} == {"torch.float32"}
    assert store.nbytes == component_bytes(net) > 0


class Prompt:
    """What ``ByStream`` asks of torch.cuda, on the CPU, where all is done at once."""

    def Stream(self, device: Any = None) -> Prompt:
        return self

    def current_stream(self, device: Any = None) -> Prompt:
        return self

    def stream(self, stream: Prompt) -> nullcontext[None]:
        return nullcontext()

    def wait_event(self, event: Prompt) -> None:
        """It is passed already."""

    def record(self, stream: Prompt) -> None:
        """It is passed already."""

    def query(self) -> bool:
        return True

    def synchronize(self) -> None:
        """It is passed already."""


def pinned_by(nbytes: int) -> torch.Tensor:
    return torch.empty(nbytes, dtype=torch.uint8)


def step(store: Store, model: Model) -> torch.Tensor:
    """What a step of three passes gives."""
    generator = torch.Generator().manual_seed(0)
    store.expect([Coming(model, 3)], [], "cpu")
    net = store.get(model, "cpu")
    given = {
        "hidden_states": torch.randn(1, 4, net.config.in_channels, generator=generator),
        "encoder_hidden_states": torch.randn(
            1, 3, net.config.joint_attention_dim, generator=generator
        ),
        "pooled_projections": torch.randn(1, net.config.pooled_projection_dim, generator=generator),
        "timestep": torch.tensor([0.5]),
        "guidance": torch.tensor([3.5]),
        "img_ids": torch.zeros(4, 3),
        "txt_ids": torch.zeros(3, 3),
    }
    with torch.no_grad():
        made = torch.cat([net(**given, return_dict=False)[0] for _ in range(3)])
    store.leave()
    return made


def test_weights_wait_in_host_memory_for_a_device_with_memory_of_its_own(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Prompt()

    def copier(where: torch.device, host: int = 0) -> ByStream:
        return ByStream(where, device, Prompt, host, pinned_by, lambda tensor, stream: None)

    monkeypatch.setattr(copying, "copier_for", copier)
    whole = Store(families(), 2**30)
    true = step(whole, model)
    (network,) = whole.residency._room.networks.values()
    budget = (network.least + network.nbytes) // 2
    read = {}
    for host in (2**30, 0):
        store = Store(families(), budget, host=host)
        assert all(torch.equal(step(store, model), true) for _ in range(3))
        read[host], _ = store.read
        waiting = [n for title, n in store.resident().items() if "in host memory" in title]
        assert sum(waiting) == store.residency.copies.held
        assert bool(waiting) == bool(host)
        store.clear()
        assert not store.resident()
        store.close()
    assert read[2**30] == whole.read[0] < read[0] / 2


def test_where_the_device_computes_in_host_memory_nothing_waits_beside_it(model: Model) -> None:
    whole = Store(families(), 2**30)
    step(whole, model)
    (network,) = whole.residency._room.networks.values()
    store = Store(families(), (network.least + network.nbytes) // 2, host=2**40)
    step(store, model)
    assert not [title for title in store.resident() if "in host memory" in title]
    assert store.read[0] > whole.read[0]
