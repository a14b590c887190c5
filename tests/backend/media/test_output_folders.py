"""Whole folders as outputs: all of their files, or nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from backend.media.outputs import OutputFolder
from backend.sdk import Cancelled, UserError

ROOT = Path(__file__).parents[3]


def three(folder: Path) -> None:
    for name in ("1.png", "2.png", "3.png"):
        (folder / name).write_bytes(name.encode())


@pytest.fixture
def out(tmp_path: Path) -> OutputFolder:
    return OutputFolder(tmp_path / "out")


def names(out: OutputFolder) -> list[str]:
    return sorted(p.relative_to(out.root).as_posix() for p in out.root.rglob("*") if p.is_file())


def test_a_folder_gets_its_name_and_is_reported_with_its_hash(out: OutputFolder) -> None:
    saved = out.save_folder("shots/{counter:3}", three)
    assert saved.path == "shots/001"
    assert names(out) == ["shots/001/1.png", "shots/001/2.png", "shots/001/3.png"]
    assert out.holds(saved)
    assert out.save_folder("shots/{counter:3}", three).hash == saved.hash


@pytest.mark.parametrize("harm", ["change", "remove", "add", "rename"])
def test_a_folder_that_was_touched_is_not_held(harm: str, out: OutputFolder) -> None:
    saved = out.save_folder("x", three)
    file = out.root / "x" / "1.png"
    acts: dict[str, Callable[[], object]] = {
        "change": lambda: file.write_bytes(b"other"),
        "remove": file.unlink,
        "add": lambda: file.with_name("4.png").write_bytes(b""),
        "rename": lambda: file.rename(file.with_name("0.png")),
    }
    acts[harm]()
    assert not out.holds(saved)


def test_a_taken_name_is_numbered_or_refused(out: OutputFolder) -> None:
    assert out.save_folder("x", three).path == "x"
    assert out.save_folder("x", three).path == "x-2"
    with pytest.raises(UserError, match="already in the output folder"):
        out.save_folder("x", three, overwrite="refuse")
    with pytest.raises(UserError, match="number or refuse"):
        out.save_folder("x", three, overwrite="replace")
    (out.root / "y").write_bytes(b"a file")
    assert out.save_folder("y", three).path == "y-2"
    assert (out.root / "y").read_bytes() == b"a file"


@pytest.mark.parametrize("error", [Cancelled, OSError(28, "full"), UserError("no")])
def test_what_fails_half_way_leaves_nothing(error: BaseException, out: OutputFolder) -> None:
    def fail(folder: Path) -> None:
        three(folder)
        raise error

    with pytest.raises((Cancelled, UserError)):
        out.save_folder("deep/x", fail)
    assert not out.root.exists()


def test_a_link_in_the_folder_is_refused(out: OutputFolder, tmp_path: Path) -> None:
    def link(folder: Path) -> None:
        (folder / "1.png").symlink_to(tmp_path)

    with pytest.raises(UserError, match="could not be saved"):
        out.save_folder("x", link)
    assert not out.root.exists()


def test_many_at_once_never_meet(out: OutputFolder) -> None:
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: out.save_folder("x", three), range(24)))
    assert len({saved.path for saved in done}) == 24
    assert all(map(out.holds, done))


KILLED = """
import os, signal, sys
from pathlib import Path
from backend.media.outputs import OutputFolder
def write(folder):
    (folder / "1.png").write_bytes(b"begun")
    os.kill(os.getpid(), signal.SIGKILL)
OutputFolder(Path(sys.argv[1])).save_folder("x", write)
"""


def test_what_a_killed_writer_left_is_removed_by_the_next(out: OutputFolder) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(out.root)], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert len(names(out)) == 2  # the picture, and the record of the intent
    out.save_folder("y", three)
    assert names(out) == ["y/1.png", "y/2.png", "y/3.png"]
    assert sorted(os.listdir(out.root)) == ["y"]
