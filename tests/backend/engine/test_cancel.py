"""Where a cancel comes in the middle of something: of a network, of a file's content, of a digest,
or of a step that has already saved something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.engine.cache import MemoryCache
from backend.engine.cancel import Cancel
from backend.engine.content import Contents
from backend.engine.desk import Outside
from backend.engine.engine import Engine
from backend.engine.events import Note, SavedFile, StepDone
from backend.engine.registry import NodeRegistry, scan_nodes
from backend.media.grants import Grants
from backend.media.outputs import OutputFolder
from backend.media.spool import Spool
from backend.memory.residency import go_on
from backend.models.family import families
from backend.models.loaders import loaders
from backend.models.stops import Hook, lay_stops
from backend.models.store import Store
from backend.plan.result import Result
from backend.sdk import Cancelled, Context, FilePath, Image, ModelRef, node
from backend.values import Weights
from backend.values.wire import digest
from tests.backend.engine.conftest import Bench, flow
from tests.benchmarks.cancel_sites import primer as primer_nodes
from tests.benchmarks.cancel_sites import sample

SAMPLING = primer_nodes(64, sample=sample(steps=3, seed=1))


class AfterChecks(Cancel):
    """Counts how often it is asked, and cancels at one of these times."""

    def __init__(self, last: int = 0) -> None:
        super().__init__()
        self.last, self.asked = last, 0

    def check(self) -> None:
        self.asked += 1
        if self.asked == self.last:
            self()
        super().check()


class Networks(Store):
    """A store that knows what it gave."""

    def __init__(self) -> None:
        super().__init__(families(), 2**33, loaders())
        self.given: list[Any] = []

    def get(self, weights: Weights, device: str, check: Callable[[], None] = go_on) -> Any:
        self.given.append(super().get(weights, device, check))
        return self.given[-1]

    def hooks(self) -> int:
        """How many hooks lie on the networks."""
        networks = [n for n in self.given if hasattr(n, "modules")]
        assert networks
        return sum(len(m._forward_pre_hooks) for n in networks for m in n.modules())


@pytest.fixture(scope="module")
def primer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Networks]]:
    folder = tmp_path_factory.mktemp("primer")
    networks = Networks()
    engine = Engine(
        scan_nodes(),
        grants=Grants(folder, (folder,)),
        output=OutputFolder(folder / "out"),
        store=networks,
        use_cache=False,
        threads=1,
    )
    yield engine, networks
    engine.close()


def lay_and_remove(network: Any) -> tuple[Hook, ...]:
    """The places at which a network stops."""
    laid = lay_stops(network, lambda: None)
    for hook in laid:
        hook.remove()
    return laid


def test_a_network_stops_between_its_blocks_and_is_as_before(
    primer: tuple[Engine, Networks],
) -> None:
    engine, networks = primer
    engine.run(flow(SAMPLING))  # waits for weights; how often that asks is left to chance
    whole = AfterChecks()
    first = engine.run(flow(SAMPLING), cancel=whole)
    assert first.status == "done", first.failures
    stops = max(len(lay_and_remove(n)) for n in networks.given if hasattr(n, "modules"))
    assert whole.asked > 3 * stops  # in each step before each of its blocks
    for last in (whole.asked // 3, whole.asked // 2, whole.asked - 8):
        cancel = AfterChecks(last)
        assert engine.run(flow(SAMPLING), cancel=cancel).status == "cancelled"
        assert cancel.asked == last  # nobody asked again, and so nobody went on
        assert networks.hooks() == 0
    again = engine.run(flow(SAMPLING))
    samples = [run.values["sample"]["latent"].samples for run in (first, again)]
    assert np.array_equal(*samples)
    assert networks.hooks() == 0


def test_a_step_that_fails_in_a_network_leaves_no_stops_behind(
    primer: tuple[Engine, Networks],
) -> None:
    class Broken(AfterChecks):
        def check(self) -> None:
            self.asked += 1
            if networks.given and networks.hooks():
                raise ValueError("odd thing")

    engine, networks = primer
    result = engine.run(flow(SAMPLING), cancel=Broken())
    assert result.status == "failed"
    assert networks.hooks() == 0


def large() -> Image:
    return Image(np.random.default_rng(0).random((1, 2000, 3000, 3), np.float32))


@node(category="Test", effect=True, lane="file")
def save_and_give(ctx: Context) -> Image:
    """Save a file, then give something large."""
    ctx.save("note", ".txt", lambda path, provenance: path.write_text("hello"))
    return large()


@node(category="Test", effect=True, lane="file")
def show_and_give(ctx: Context) -> Image:
    """Tell something, then give something large."""
    ctx.note("here it comes")
    return large()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(
        NodeRegistry([save_and_give, show_and_give]),
        grants=Grants(tmp_path, (tmp_path,)),
        output=OutputFolder(tmp_path / "out"),
        spool=Spool(tmp_path / "spool"),
    )
    yield made
    made.close()


def test_a_step_that_has_saved_its_file_is_remembered_although_cancelled(
    engine: Engine, tmp_path: Path
) -> None:
    """A file that was told must not be written again under another name."""
    nodes = {"x": {"type": "save_and_give"}}
    cancel, events = Cancel(), []

    def listen(event: Any) -> None:
        events.append(event)
        if isinstance(event, SavedFile):
            cancel()

    result = engine.run(flow(nodes), on_event=listen, cancel=cancel)
    assert [each.path for each in result.saved] == ["note.txt"]
    assert any(isinstance(event, StepDone) for event in events)
    again = engine.run(flow(nodes))
    assert (again.status, again.saved) == ("done", ())
    assert [each.path for each in again.kept] == ["note.txt"]
    assert [path.name for path in (tmp_path / "out").glob("*.txt")] == ["note.txt"]


def test_a_step_that_has_saved_nothing_ends_while_its_result_is_digested(engine: Engine) -> None:
    nodes = {"x": {"type": "show_and_give"}}
    whole, told = AfterChecks(), []

    def listen(event: Any) -> None:
        if isinstance(event, Note):  # all that the node itself asks comes before it
            told.append(whole.asked)

    assert engine.run(flow(nodes), on_event=listen, cancel=whole).status == "done"
    assert whole.asked > told[0]
    engine.cache.clear()
    cancel = AfterChecks(whole.asked)
    result = engine.run(flow(nodes), cancel=cancel)
    assert (result.status, result.values) == ("cancelled", {})


def test_a_digest_stops_where_it_is_told_to_and_says_the_same() -> None:
    asked: list[int] = []
    said = digest(large(), lambda: asked.append(1))
    assert said == digest(large())
    assert len(asked) >= large().pixels.nbytes // 2**24
    image = large()
    with pytest.raises(Cancelled):
        digest(image, AfterChecks(2).check)
    assert digest(image) == said


def test_the_content_of_a_large_file_stops_where_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / "large.bin"
    path.write_bytes(bytes(10 << 20))
    for place in (path, path.parent):
        counting = AfterChecks()
        said = Contents().digest(place, counting.check)
        assert counting.asked >= 10
        cancel = AfterChecks(5)
        with pytest.raises(Cancelled):
            Contents().digest(place, cancel.check)
        assert (cancel.asked, Contents().digest(place)) == (5, said)


@node(category="Test", lane="file")
def name_of(ctx: Context, file: FilePath = "", model: ModelRef = "") -> str:
    """Read nothing; what its parameters name is read for its key."""
    return file + model


def test_what_parameters_name_is_read_asking_again_and_again(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"1")
    (tmp_path / "large").write_bytes(bytes(10 << 20))

    def asked(**params: str) -> int:
        engine = Engine(
            NodeRegistry([name_of]),
            grants=Grants(tmp_path, (tmp_path,)),
            output=OutputFolder(tmp_path / "out"),
        )
        cancel = AfterChecks()
        result = engine.run(flow({"x": {"type": "name_of", "params": params}}), cancel=cancel)
        assert result.status == "done"
        engine.close()
        return cancel.asked

    least = asked(file="small")
    assert asked(file="large") >= least + 9
    assert asked(model="primer") >= least + 9  # it has more than 9 MiB


def test_what_parameters_name_is_not_even_looked_up_after_a_cancel(
    primer: tuple[Engine, Networks],
) -> None:
    cancel = Cancel()
    outside = Outside(primer[0]._facilities, Contents(), cancel, dict)
    assert outside.content("name", "{seed}")
    cancel()
    with pytest.raises(Cancelled):
        outside.content("name", "{node}")


def test_a_zone_whose_turns_are_all_remembered_ends_at_the_next(bench: Bench) -> None:
    cancel, turns = Cancel(), []
    body = {
        "nodes": {"t": {"type": "clip", "inputs": {"number": "$.x"}}},
        "outputs": {"x": "t.number"},
    }
    nodes = {
        "n": {"type": "number"},
        "loop": {
            "type": "repeat",
            "params": {"times": 5000},
            "body": body,
            "inputs": {"carry": {"x": "n.number"}},
        },
    }

    def listen(event: Any) -> None:
        if isinstance(event, StepDone) and event.turns:
            turns.append(event.cached)
            if len(turns) == 20:
                cancel()

    result = bench.run(nodes, cancel=cancel, on_event=listen)
    assert (result.status, len(turns)) == ("cancelled", 20)
    assert all(turns[1:])


def test_a_step_on_a_long_list_ends_before_all_its_calls_are_made_ready(
    new_bench: Callable[..., Bench],
) -> None:
    class Asked(MemoryCache):
        times = 0

        def get(self, key: str) -> Result | None:
            self.times += 1
            if self.times == 50:
                cancel()
            return super().get(key)

    cancel, cache = Cancel(), Asked(2**20)
    bench = new_bench(cache=cache)
    nodes = {
        "row": {"type": "row", "params": {"count": 5000}},
        "x": {"type": "clip", "inputs": {"number": "row.integers"}},
    }
    assert bench.run(nodes, cancel=cancel).status == "cancelled"
    assert cache.times == 50
    assert bench.calls["clip"] == 0


def test_what_waits_for_the_disk_before_a_step_is_told_of_a_cancel(
    new_bench: Callable[..., Bench],
) -> None:
    class Waiting(MemoryCache):
        def settle(self, stop: Callable[[], bool]) -> None:
            told.append(stop())
            cancel()
            told.append(stop())

    told: list[bool] = []
    cancel = Cancel()
    bench = new_bench(cache=Waiting(2**20))
    assert bench.run({"n": {"type": "number"}}, cancel=cancel).status in ("cancelled", "done")
    assert told == [False, True]
