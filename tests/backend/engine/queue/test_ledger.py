"""The ledger: an output of a job that is begun again is written once."""

import pytest

from backend.engine.queue.claims import Claims
from backend.engine.queue.ledger import Ledger
from backend.media.outputs import OutputFolder, sidecar_of
from backend.sdk import Saved, UserError


class Attempt:
    """A job that is run, as the host sees it."""

    def __init__(self, shop) -> None:
        shop.add()
        self.claims = Claims(shop.queue)
        self.job = self.claims.take()
        self.ledger = Ledger(shop.queue.path, self.job.ticket)
        self.output = OutputFolder(shop.out)
        self.wrote = 0

    def save(self, text: str, ordinal: int = 0, name: str = "x", overwrite: str = "number"):
        def write(path):
            self.wrote += 1
            path.write_text(text)

        slot = self.ledger.slot(self.output.root, "keep", (2, 1), None, ordinal)
        return self.output.save(name, ".txt", write, overwrite=overwrite, slot=slot)

    def again(self, shop) -> "Attempt":
        """The next attempt at the same job, after this one was killed."""
        self.ledger.close()
        self.claims.close()
        with shop.queue.database.changes() as db:
            db.execute("UPDATE jobs SET state = 'queued' WHERE id = ?", (self.job.id,))
        new = object.__new__(Attempt)
        new.claims = Claims(shop.queue)
        new.job = new.claims.take()
        new.ledger = Ledger(shop.queue.path, new.job.ticket)
        new.output = OutputFolder(shop.out)
        new.wrote = 0
        return new


@pytest.fixture
def attempt(shop):
    made = Attempt(shop)
    yield made
    made.ledger.close()


def test_what_stands_as_noted_is_not_written_again(shop, attempt):
    first = [attempt.save("one"), attempt.save("two", ordinal=1)]
    second = attempt.again(shop)
    assert [second.save("one"), second.save("two", ordinal=1)] == first
    assert second.wrote == 0
    assert shop.files() == {"x.txt": "one", "x-2.txt": "two"}


@pytest.mark.parametrize("overwrite", ["number", "refuse", "replace"])
def test_the_second_attempt_finds_its_file_however_names_are_chosen(shop, attempt, overwrite):
    saved = attempt.save("one", overwrite=overwrite)
    second = attempt.again(shop)
    assert second.save("one", overwrite=overwrite) == saved
    assert shop.files() == {"x.txt": "one"}


def test_what_was_noted_and_never_put_there_is_written(shop, attempt):
    slot = attempt.ledger.slot(attempt.output.root, "keep", (2, 1), None, 0)
    assert slot.note(Saved("x.txt", "blake3:00"), own=True)
    second = attempt.again(shop)
    assert second.save("one").path == "x.txt"
    assert second.wrote == 1


def test_a_file_that_somebody_changed_or_removed_is_written_anew(shop, attempt):
    attempt.save("one")
    (shop.out / "x.txt").write_text("mine")
    second = attempt.again(shop)
    assert second.save("one").path == "x-2.txt"
    (shop.out / "x-2.txt").unlink()
    assert second.again(shop).save("one").path == "x-2.txt"
    assert shop.files() == {"x.txt": "mine", "x-2.txt": "one"}


def test_places_in_the_graph_are_apart(shop, attempt):
    root = attempt.output.root
    places = [("a", (), None, 0), ("a", (), None, 1), ("a", (), 0, 0), ("a", (1,), None, 0),
              ("a", (1, 1), None, 0), ("b", (), None, 0)]  # fmt: skip
    slots = [attempt.ledger.slot(root, *place) for place in places]
    for n, slot in enumerate(slots):
        assert slot.noted() is None
        slot.note(Saved(f"{n}.txt", f"blake3:{n}"), own=True)
    assert [slot.noted().path for slot in slots] == [f"{n}.txt" for n in range(len(slots))]
    assert attempt.ledger.slot(root / "else", *places[0]).noted() is None


def test_a_name_that_another_job_is_about_to_use_is_left_to_it(shop, attempt):
    other = Attempt(shop)
    slot = other.ledger.slot(other.output.root, "keep", (), None, 0)
    slot.note(Saved("x.txt", "blake3:00"), own=True)  # and then it was killed
    assert attempt.save("one").path == "x-2.txt"
    assert attempt.save("two", ordinal=1, overwrite="replace").path == "x.txt"
    other.ledger.close()


def test_a_host_whose_job_was_given_to_another_writes_nothing(shop, attempt):
    old = Ledger(shop.queue.path, attempt.job.ticket)
    second = attempt.again(shop)
    slot = old.slot(second.output.root, "keep", (), None, 0)
    with pytest.raises(UserError, match="not run by this process any more"):
        second.output.save("x", ".txt", lambda path: path.write_text("late"), slot=slot)
    assert not list(shop.out.rglob("*"))
    second.save("one")
    old.close()


def test_without_a_ledger_nothing_is_different(shop):
    output = OutputFolder(shop.out)
    names = [output.save("x", ".txt", lambda path: path.write_text("same")).path for _ in range(2)]
    assert names == ["x.txt", "x-2.txt"]


def test_a_replaced_file_never_stands_beside_the_sidecar_of_the_old_one(shop, attempt, monkeypatch):
    def with_sidecar(path):
        path.write_text("old")
        sidecar_of(path).write_text("of the old one")

    attempt.output.save("x", ".txt", with_sidecar)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("backend.media.outputs.os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        attempt.save("new", overwrite="replace")
    assert shop.files() == {"x.txt": "old"}
