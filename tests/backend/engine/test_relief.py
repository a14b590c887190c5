"""Memory that runs out in the middle of a step: what is tried, what is told, what is remembered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from backend.engine.cache import MemoryCache
from backend.engine.engine import Engine
from backend.engine.events import Note, Progress
from backend.engine.numerics import Numerics
from backend.engine.registry import scan_nodes
from backend.engine.relief import LADDER
from backend.media.grants import Grants
from backend.media.outputs import OutputFolder
from backend.models.store import Store
from backend.sdk import Context, node
from tests.backend.engine.conftest import Bench, flow
from tests.benchmarks.cancel_sites import primer, sample

TOLD = [rung.sentence for rung in LADDER]


def add_node(bench: Bench, enough: Callable[[Context, int], bool], save: bool = False) -> None:
    """A node type ``big`` that runs out of memory unless ``enough``."""

    @node(category="Test")
    def big(ctx: Context) -> float:
        """Need much memory."""
        bench.calls["big"] += 1
        if save:
            ctx.save("early", ".txt", lambda path, _: write(path))
        if not enough(ctx, bench.calls["big"]):
            raise MemoryError
        return float(bench.calls["big"])

    bench.types = [each for each in bench.types if each.spec.type != "big"] + [big]
    bench.engine = bench.new_engine()


def write(path: Path, told: Any = "early") -> None:
    path.write_text(json.dumps(told))


def notes(bench: Bench) -> list[str]:
    return [event.text for event in bench.events if isinstance(event, Note)]


BIG = {"big": {"type": "big"}}


def test_what_fits_once_others_let_go_is_done_and_kept(bench: Bench) -> None:
    add_node(bench, lambda ctx, calls: calls > 1)
    assert bench.run(BIG).status == "done"
    assert notes(bench) == TOLD[:1]
    assert bench.run(BIG).status == "done"
    assert bench.cached == {"big"}


def test_a_node_is_asked_to_be_frugal_last_and_that_result_is_not_kept(bench: Bench) -> None:
    add_node(bench, lambda ctx, calls: ctx.frugal)
    assert bench.run(BIG).status == "done"
    assert notes(bench) == TOLD
    assert bench.run(BIG).status == "done"
    assert bench.ran == {"big"}


def test_files_say_which_steps_were_frugal(bench: Bench) -> None:
    add_node(bench, lambda ctx, calls: ctx.frugal)
    nodes = {
        **BIG,
        "words": {"type": "text", "params": {"text": "made"}},
        "keep": {"type": "keep", "inputs": {"after": "big.number", "text": "words.text"}},
    }

    @node(category="Test", effect=True)
    def keep(ctx: Context, after: float, text: str) -> None:
        """Save a text."""
        ctx.save("kept", ".json", lambda path, told: write(path, dict(told)))

    bench.types = [*bench.types, keep]
    bench.engine = bench.new_engine()
    assert bench.run(nodes).status == "done"
    (file,) = (bench.folder / "out").glob("kept*.json")
    assert json.loads(file.read_text())["frugal"] == ["big"]


def test_what_never_fits_fails_in_words_and_the_next_run_is_none_the_worse(bench: Bench) -> None:
    add_node(bench, lambda ctx, calls: False)
    result = bench.run(BIG)
    assert result.status == "failed"
    assert "ran out of memory" in result.failures["big"].sentence
    assert bench.calls["big"] == 1 + len(LADDER)
    assert bench.value({"n": {"type": "number", "params": {"value": 2.0}}}, "n") == 2.0


def test_a_step_that_has_saved_a_file_is_not_made_again(bench: Bench) -> None:
    add_node(bench, lambda ctx, calls: False, save=True)
    assert bench.run(BIG).status == "failed"
    assert bench.calls["big"] == 1
    assert [each.name for each in (bench.folder / "out").iterdir()] == ["early.txt"]


def test_values_in_memory_are_let_go_of_and_are_made_again(bench: Bench) -> None:
    cache = MemoryCache(2**20)
    number = {"n": {"type": "number", "params": {"value": 3.0}}}
    add_node(bench, lambda ctx, calls: calls > 1)
    engine = bench.new_engine(cache=cache)
    bench.run(number, engine)
    assert len(cache) == 1
    bench.run(BIG, engine)
    assert len(cache) == 1  # only what was made since
    bench.run(number, engine)
    assert bench.ran == {"n"}


class Small(TorchDispatchMode):
    """A device on which no tensor may take more than ``most`` bytes."""

    most = 2**62

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor) and made.numel() * made.element_size() > self.most:
            raise torch.OutOfMemoryError("no room on this device")
        return made


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Small:
    """The mode in which the device's thread computes."""
    mode = Small()

    def begin(self: Numerics) -> None:
        torch.set_num_threads(1)
        mode.__enter__()  # for as long as the thread lives

    monkeypatch.setattr(Numerics, "begin_device", begin)
    return mode


def test_a_picture_too_large_for_the_device_is_decoded_in_tiles(
    tmp_path: Path, small: Small
) -> None:
    engine = Engine(
        scan_nodes(), grants=Grants(tmp_path), output=OutputFolder(tmp_path), use_cache=False
    )
    nodes = {
        **primer(512, sample=sample(1, 1)),
        "decode": {
            "type": "vae_decode",
            "inputs": {"vae": "model.vae", "latent": "sample.latent"},
        },
    }
    whole = engine.run(flow(nodes), only=["decode"])
    assert whole.status == "done", whole.failures
    small.most = 512 * 512 * 16 * 4
    said: list[Any] = []
    tiled = engine.run(flow(nodes), only=["decode"], on_event=said.append)
    small.most = 2**62
    engine.close()
    assert tiled.status == "done", tiled.failures
    assert [e.text for e in said if isinstance(e, Note) and e.step == "decode"] == TOLD
    pixels = [run.values["decode"]["image"].pixels for run in (whole, tiled)]
    error = float(np.mean((pixels[0] - pixels[1]) ** 2))
    assert 0 < error < 1e-4  # tiles round otherwise, and look the same


def largest(small: Small, run: Callable[[], Any]) -> int:
    """The bytes of the largest tensor of a run."""
    sizes: list[int] = []

    class Seen(int):
        def __lt__(self, size: int) -> bool:  # asked as ``size > most``
            sizes.append(size)
            return False

    small.most = Seen(0)
    assert run().status == "done"
    small.most = 2**62
    return max(sizes)


@pytest.mark.parametrize("shared", [False, True])
def test_pictures_that_do_not_fit_together_are_made_one_by_one(
    tmp_path: Path, small: Small, shared: bool
) -> None:
    """Unless a patch looks from one to another: then that is said, and they are not made."""
    engine = Engine(
        scan_nodes(), grants=Grants(tmp_path), output=OutputFolder(tmp_path), use_cache=False
    )

    def nodes(count: int) -> dict[str, Any]:
        made = primer(128, sample=sample(2, 1))
        made["empty"]["params"]["count"] = count
        if shared:
            made["share"] = {"type": "share_attention", "inputs": {"model": "model.model"}}
            made["sample"]["inputs"]["model"] = "share.model"
        return made

    one, whole = (largest(small, lambda n=n: engine.run(flow(nodes(n)))) for n in (1, 4))
    assert whole > 2 * one
    wanted = engine.run(flow(nodes(4))).values["sample"]["latent"].samples
    small.most = (one + whole) // 2
    said: list[Any] = []
    apart = engine.run(flow(nodes(4)), on_event=said.append)
    small.most = 2**62
    engine.close()
    notes = [e.text for e in said if isinstance(e, Note) and e.step == "sample"]
    if shared:
        assert apart.status == "failed"
        assert "ran out of memory" in apart.failures["sample"].sentence
        assert notes[:-1] == TOLD
        assert "Shared attention looks from one to another" in notes[-1]
        return
    assert apart.status == "done", apart.failures
    assert notes == TOLD
    done = [(e.done, e.total) for e in said if isinstance(e, Progress) and e.step == "sample"]
    assert done[-2:] == [(1, 2), (2, 2)]  # steps of all pictures
    samples = apart.values["sample"]["latent"].samples
    assert np.abs(samples - wanted).max() < 1e-4


def test_a_failure_says_what_was_loaded(tmp_path: Path, small: Small) -> None:
    engine = Engine(
        scan_nodes(), grants=Grants(tmp_path), output=OutputFolder(tmp_path), use_cache=False
    )
    first = engine.run(flow(primer(64, sample=sample(1, 1))))
    small.most = 20_000
    failed = engine.run(flow(primer(64, sample=sample(1, 1))))
    small.most = 2**62
    again = engine.run(flow(primer(64, sample=sample(1, 1))))
    engine.close()
    assert failed.status == "failed"
    for why in failed.failures.values():
        assert "ran out of memory" in why.sentence
        loaded = r"Loaded were the .*text_encoder of this flux model \(378 KiB"
        assert re.search(loaded, why.sentence)
    assert again.status == "done"
    samples = [run.values["sample"]["latent"].samples for run in (first, again)]
    assert np.array_equal(*samples)


def test_a_fault_while_memory_is_freed_ends_the_step_and_not_the_engine(
    tmp_path: Path, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(
        scan_nodes(), grants=Grants(tmp_path), output=OutputFolder(tmp_path), use_cache=False
    )

    def broken(self: Store) -> None:
        raise RuntimeError("nothing can be let go of")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "clear", broken)
        small.most = 20_000
        failed = engine.run(flow(primer(64, sample=sample(1, 1))))
        small.most = 2**62
    again = engine.run(flow(primer(64, sample=sample(1, 1))))
    engine.close()
    assert failed.status == "failed"
    assert again.status == "done"
