"""The file of the queue: made once, lifted to newer versions with a backup, never trusted."""

import gzip
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from backend.engine.queue import database
from backend.engine.queue.database import STEPS, Database
from backend.engine.queue.errors import QueueError
from backend.engine.queue.store import Queue

ROOT = Path(__file__).resolve().parents[4]
OLD = Path(__file__).with_name("queue-1.sqlite.gz")
"""A queue as version 1 wrote it, with one job that was cancelled and one that waits."""


def old_queue(folder: Path) -> Path:
    path = folder / "queue.sqlite"
    path.write_bytes(gzip.decompress(OLD.read_bytes()))
    return path


def add_a_column(db: sqlite3.Connection) -> None:
    db.execute("ALTER TABLE jobs ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'")


def break_down(db: sqlite3.Connection) -> None:
    db.execute("UPDATE jobs SET title = 'spoiled'")
    raise sqlite3.OperationalError("no more")


def test_an_older_queue_opens_with_all_that_is_in_it(tmp_path):
    with Queue(old_queue(tmp_path)) as queue:
        assert [(job.id, job.title) for job in queue.jobs()] == [(2, "waits")]
        (ended,) = queue.ended()
        assert (ended.id, ended.state, ended.seeds) == (1, "cancelled", {"n.seed": 7})
        assert '"seed": 7' in queue.document(1)


def test_a_migration_keeps_a_backup_and_every_row(tmp_path):
    path = old_queue(tmp_path)
    database = Database(path, (*STEPS, add_a_column))
    assert [row["colour"] for row in database.read("SELECT colour FROM jobs")] == ["red", "red"]
    database.close()
    backup = tmp_path / "queue.sqlite.1.backup"
    with Queue(backup) as queue:  # a whole queue of the old version
        assert [job.id for job in queue.jobs()] == [2]
    assert not list(tmp_path.glob("*.tmp"))


def test_a_migration_that_fails_changes_nothing(tmp_path):
    path = old_queue(tmp_path)
    with pytest.raises(QueueError, match="no more"):
        Database(path, (*STEPS, add_a_column, break_down))
    with Queue(path) as queue:
        assert [job.title for job in queue.jobs()] == ["waits"]


def test_a_queue_of_a_newer_weft_is_left_alone(tmp_path):
    path = old_queue(tmp_path)
    Database(path, (*STEPS, add_a_column)).close()
    before = path.read_bytes()
    with pytest.raises(QueueError, match=r"made by a newer Weft \(version 2, this one knows 1\)"):
        Queue(path)
    assert path.read_bytes() == before


def test_a_queue_that_another_program_lifts_meanwhile_is_not_written_any_more(tmp_path):
    path = old_queue(tmp_path)
    with Queue(path) as queue:
        Database(path, (*STEPS, add_a_column)).close()
        with pytest.raises(QueueError, match="another version of Weft"):
            queue.cancel([2])


def test_what_is_no_database_is_a_sentence(tmp_path):
    path = tmp_path / "queue.sqlite"
    path.write_bytes(b"not a database, but long enough to be one" * 100)
    with pytest.raises(QueueError, match=r"queue\.sqlite is broken .* Move that file away"):
        Queue(path)
    with pytest.raises(QueueError, match="cannot be used"):
        Queue(tmp_path / "queue.sqlite" / "below")


def test_a_database_that_is_torn_is_a_sentence(tmp_path):
    path = old_queue(tmp_path)
    data = bytearray(path.read_bytes())
    for at in range(4096, len(data), 64):
        data[at : at + 16] = b"\xff" * 16
    path.write_bytes(data)

    def use():
        with Queue(path) as queue:
            queue.document(1)
            queue.cancel()

    with pytest.raises(QueueError):
        use()


def test_programs_that_begin_at_once_make_one_queue(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from backend.engine.queue.database import Database\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "database = Database(Path(sys.argv[1]))\n"
        "with database.changes() as db:\n"
        "    db.execute('INSERT INTO facts VALUES (?, 1)', (sys.argv[2],))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "queue.sqlite")]
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen([*command, str(n)], cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        for n in range(4)
    ]
    for each in started:
        assert each.stdout.readline() == "ready\n"
    for each in started:
        each.stdin.write("go\n")
        each.stdin.flush()
    assert [each.communicate()[0] or each.returncode for each in started] == [0, 0, 0, 0]
    database = Database(tmp_path / "queue.sqlite")
    assert len(database.read("SELECT * FROM facts")) == 4
    database.close()


def test_a_file_that_another_brings_into_its_mode_is_waited_for(tmp_path, monkeypatch):
    path = tmp_path / "queue.sqlite"
    Database(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA journal_mode = DELETE")
    other.execute("BEGIN IMMEDIATE")
    waits = []

    def wait(seconds):
        waits.append(seconds)
        other.execute("COMMIT")

    clock = SimpleNamespace(monotonic=time.monotonic, sleep=wait)
    monkeypatch.setattr(database, "time", clock)
    opened = Database(path)
    assert len(waits) == 1
    assert opened.read("PRAGMA journal_mode")[0][0] == "wal"
    opened.close()
    other.close()
