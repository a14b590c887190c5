"""A batch between queue and manifest: each job once, whatever is killed and whenever."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.batch.carry import Again, Carrier, unlike
from backend.batch.manifest import Manifest
from backend.batch.rows import Point, Value
from backend.engine.queue.claims import Claims, reclaim
from backend.engine.queue.job import Draft, Ending
from backend.engine.queue.store import Queue
from backend.sdk import Saved

HEADER = {"event": "batch", "version": 1, "parts": {}, "draw": 5, "jobs": 4}
DOCUMENT = '{"weft": 1, "nodes": {}}'


def some(count: int) -> list[Point]:
    return [Point(n, n, (Value("a.b", "a.b", "integer", n),)) for n in range(1, count + 1)]


def drafts(chosen: Sequence[Point]) -> list[Draft]:
    return [Draft(DOCUMENT, "/", "/", title=f"job {point.index}") for point in chosen]


class Killed(BaseException):
    """Everything ends here."""


class Fuse:
    """Kills at the so many-th moment at which that can make a difference."""

    def __init__(self, moments: int) -> None:
        self.left = moments

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


class Brittle(Manifest):
    """A manifest whose program may be killed before, within and after a write."""

    fuse = Fuse(0)
    cut = 0

    def _write(self, data: bytes) -> None:
        self.fuse()
        try:
            self.fuse()
        except Killed:
            os.write(self._file, data[: self.cut % len(data)])
            raise
        super()._write(data)
        self.fuse()


class World:
    """A folder with a queue and a manifest, and what its jobs have done so far."""

    def __init__(self, folder: Path, count: int, bad: Sequence[int] = ()) -> None:
        self.folder, self.points, self.bad = folder, some(count), bad
        self.ran: Counter[int] = Counter()

    def life(self, fuse: Fuse, cut: int = 0, again: Again = Again()) -> None:  # noqa: B008
        """Go on with the batch as the command does, until it is done or killed."""
        Brittle.fuse, Brittle.cut = fuse, cut
        with Queue(self.folder / "queue.sqlite") as queue:
            reclaim(queue, 1000)
            with Brittle(self.folder / "m.jsonl") as manifest:
                if manifest.told.header is None:
                    manifest.append([HEADER])
                carrier = Carrier(queue, manifest, self.points, self.folder)
                carrier.record()
                carrier.enlist(carrier.left(again), self._drafts)
                self._work(queue, carrier, fuse)
                carrier.record()

    def _drafts(self, chosen: Sequence[Point]) -> list[Draft]:
        return drafts(chosen)

    def _work(self, queue: Queue, carrier: Carrier, fuse: Fuse) -> None:
        claims = Claims(queue, 1000, sorted(carrier.batches))
        try:
            while carrier.batches and (job := claims.take()) is not None:
                fuse()
                place = carrier.places[job.id]
                status = "failed" if place in self.bad else "done"
                saved = (Saved(f"{place}.png", "blake3:0"),) if status == "done" else ()
                (self.folder / f"{place}.png").write_text(f"{place}")
                claims.finish(job, Ending(status, outputs=saved))
                self.ran[place] += 1
                fuse()
                carrier.record(every=False)
        finally:
            claims.close()

    @property
    def ends(self) -> list[tuple[int, str]]:
        """The ends that the manifest tells, in order."""
        with Manifest(self.folder / "m.jsonl") as manifest:
            data = manifest.path.read_bytes()
        lines = [line for line in data.splitlines() if b'"event": "job"' in line]
        return [(line["index"], line["status"]) for line in map(json.loads, lines)]


def killed(world: World, moments: int, cut: int) -> bool:
    """Go on until everything is killed at a moment; false where all was done before."""
    try:
        world.life(Fuse(moments), cut)
    except Killed:
        return True
    return False


def check_once(world: World) -> None:
    """See that each job was queued, run and written down once."""
    world.life(Fuse(0))
    count = len(world.points)
    assert world.ran == dict.fromkeys(range(1, count + 1), 1)
    assert sorted(world.ends) == [(n, "done") for n in range(1, count + 1)]
    with Queue(world.folder / "queue.sqlite") as queue:
        assert len(queue.ended()) == count
        assert queue.jobs() == []


def test_killed_at_any_moment_each_job_is_queued_and_run_once(tmp_path):
    for moment in range(1, 100):
        (tmp_path / str(moment)).mkdir()
        world = World(tmp_path / str(moment), 2)
        if not killed(world, moment, 7 * moment):
            assert moment > 12
            return
        check_once(world)
    raise AssertionError("it never came to its end")


@settings(max_examples=30)
@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 400)), max_size=5),
)
def test_each_job_is_run_once_however_often_all_is_killed(count, kills):
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), count)
        for moment, cut in kills:
            killed(world, moment, cut)
        check_once(world)


def test_what_failed_runs_again_only_where_that_is_asked(tmp_path):
    world = World(tmp_path, 3, bad=[2])
    world.life(Fuse(0))
    world.life(Fuse(0))
    assert world.ran == {1: 1, 2: 1, 3: 1}
    world.bad = []
    world.life(Fuse(0), again=Again(failed=True))
    assert world.ran == {1: 1, 2: 2, 3: 1}
    assert world.ends == [(1, "done"), (2, "failed"), (3, "done"), (2, "done")]
    world.life(Fuse(0), again=Again(failed=True))
    assert world.ran == {1: 1, 2: 2, 3: 1}


def test_what_has_lost_its_files_runs_again(tmp_path):
    world = World(tmp_path, 3)
    world.life(Fuse(0))
    (tmp_path / "2.png").unlink()
    world.life(Fuse(0))
    assert world.ran == {1: 1, 2: 2, 3: 1}
    world.life(Fuse(0), again=Again(hashes=True))  # none of them has the bytes that were noted
    assert world.ran == {1: 2, 2: 3, 3: 2}


def test_a_queue_that_was_removed_is_filled_again(tmp_path):
    world = World(tmp_path, 3)
    with pytest.raises(Killed):
        world.life(Fuse(12))
    done = sum(world.ran.values())
    for file in tmp_path.glob("queue.sqlite*"):
        if file.is_file():
            file.unlink()
    world.life(Fuse(0))
    assert done >= 1
    assert sorted(index for index, _ in world.ends) == [1, 2, 3]


def test_jobs_that_are_held_wait_for_whoever_comes(tmp_path):
    with Queue(tmp_path / "queue.sqlite") as queue, Manifest(tmp_path / "m.jsonl") as manifest:
        other = queue.add([Draft(DOCUMENT, "/", "/", title="another")])[0]
        manifest.append([HEADER])
        carrier = Carrier(queue, manifest, some(3), tmp_path)
        carrier.enlist(some(3), drafts)
        carrier.hold()
        assert [job.id for job in queue.jobs() if not job.paused] == [other]
        claims = Claims(queue, 3, sorted(carrier.batches))
        assert claims.take() is None
        carrier.release()
        taken = claims.take()
        assert taken is not None
        assert taken.title == "job 1"  # and not the other one, which is before it
        assert carrier.left(Again(True, True)) == []
        claims.close()


def test_in_what_another_batch_differs_is_said():
    one = {"parts": {"the table": "a", "--sweep": "b", "--out": "x"}, "jobs": 3}
    assert unlike(one, one, some(3), []) == ""
    two = {"parts": {**one["parts"], "the table": "c", "--out": "y"}, "jobs": 2}
    said = unlike(one, two, some(3), [])
    assert said == "the table and --out (it has 2 jobs, and now there are 3)"
