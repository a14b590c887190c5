"""One path for every change: what is undone is as it was, what is saved is what is seen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.document.backups import keep, versions
from app.document.recovery import Recovery, forget, recoverable
from app.document.session import Session
from backend.graph.document import Node, Workflow
from backend.graph.format import FormatError, dump, load, save

ROOT = Path(__file__).resolve().parents[3]


def adding(name: str):
    return lambda workflow: workflow.with_node(name, Node("text"))


def setting(value: str):
    return lambda workflow: workflow.with_param("a", "value", value)


def test_an_edit_is_told_with_before_and_after() -> None:
    session, heard = Session(), []
    session.listen(lambda before, after: heard.append((before, after)))
    before = session.workflow
    assert session.edit("Add a", adding("a"))
    assert heard == [(before, session.workflow)]
    assert not session.edit("Nothing", lambda workflow: workflow)
    assert len(heard) == 1


def test_what_a_change_raises_leaves_the_document_as_it_was() -> None:
    session = Session()
    before = session.workflow
    with pytest.raises(KeyError):
        session.edit("Set", setting("x"))
    assert session.workflow is before
    assert not session.history.can_undo


def test_a_listener_may_not_edit() -> None:
    session = Session()
    session.listen(lambda before, after: session.edit("Again", adding("b")) and None)
    with pytest.raises(RuntimeError):
        session.edit("Add a", adding("a"))


def test_edits_of_one_drag_are_undone_as_one() -> None:
    session = Session(adding("a")(Workflow()))
    for value in "abc":
        session.edit("Set value", setting(value), merge="a.value")
    session.seal()
    session.edit("Set value", setting("d"), merge="a.value")
    assert len(session.history.states) == 3
    session.undo()
    assert session.workflow.graph.nodes["a"].params["value"] == "c"
    session.undo()
    assert "value" not in session.workflow.graph.nodes["a"].params


edits = st.lists(
    st.one_of(
        st.sampled_from("abcdef").map(lambda n: ("edit", n)),
        st.just(("undo", "")),
        st.just(("redo", "")),
        st.integers(0, 8).map(lambda n: ("go", n)),
    ),
    max_size=40,
)


@given(edits)
def test_undo_to_the_start_gives_the_first_bytes(steps: list) -> None:
    """A model of the history: a list of texts and a place in it."""
    session = Session()
    texts, at = [session.text()], 0
    for kind, given_ in steps:
        if kind == "edit":
            if session.edit("Add", adding(given_ + str(len(texts)))):
                texts, at = [*texts[: at + 1], session.text()], at + 1
        elif kind == "undo":
            assert session.undo() == (at > 0)
            at = max(0, at - 1)
        elif kind == "redo":
            assert session.redo() == (at + 1 < len(texts))
            at = min(len(texts) - 1, at + 1)
        elif given_ < len(texts):
            session.go(given_)
            at = given_
        assert session.text() == texts[at]
    while session.undo():
        pass
    assert session.text() == texts[0]


def test_saving_and_undoing_tell_whether_the_file_is_another(tmp_path: Path) -> None:
    session = Session()
    session.edit("Add a", adding("a"))
    assert session.is_changed
    session.save(tmp_path / "a.weft.json")
    assert not session.is_changed
    assert load(tmp_path / "a.weft.json") == session.workflow
    session.edit("Add b", adding("b"))
    assert session.is_changed
    session.undo()
    assert not session.is_changed


def test_a_document_without_a_file_must_be_given_one() -> None:
    with pytest.raises(FormatError, match="Choose one"):
        Session().save()


def test_a_change_from_outside_is_seen_and_a_touch_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.weft.json"
    save(adding("a")(Workflow()), path)
    session = Session.open(path)
    os.utime(path, (1, 1))
    assert not session.changed_outside()
    save(adding("b")(Workflow()), path)
    assert session.changed_outside()
    session.save()
    assert not session.changed_outside()
    path.unlink()
    assert session.changed_outside()


def test_older_versions_are_kept(tmp_path: Path) -> None:
    path, folder = tmp_path / "my flow.weft.json", tmp_path / "backups"
    session = Session(path=path)
    for number in range(14):
        session.edit("Add", adding(f"n{number}"))
        session.save(backups=folder)
    kept = versions(path, folder)
    assert len(kept) == 10
    assert load(kept[0]) == session.history.states[-2].workflow
    session.save(backups=folder)
    assert load(versions(path, folder)[0]) == session.workflow
    session.save(backups=folder)
    assert len(versions(path, folder)) == 10  # the same twice is kept once


def test_files_of_one_name_keep_versions_apart(tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "a.weft.json").write_text(place)
        keep(tmp_path / place / "a.weft.json", tmp_path / "backups")
    (version,) = versions(tmp_path / "one" / "a.weft.json", tmp_path / "backups")
    assert version.read_text() == "one"


def test_a_backup_that_cannot_be_made_does_not_stop_the_saving(tmp_path: Path) -> None:
    (tmp_path / "backups").write_text("a file is in the way")
    session = Session(path=tmp_path / "a.weft.json")
    for name in "ab":
        session.edit("Add", adding(name))
        session.save(backups=tmp_path / "backups")
    assert load(tmp_path / "a.weft.json") == session.workflow


CRASH = """
import os, signal, sys
from pathlib import Path
from app.document.recovery import Recovery
from app.document.session import Session
from backend.graph.document import Node
session = Session(path=Path("/somewhere/a.weft.json"))
recovery = Recovery(Path(sys.argv[1]))
session.edit("Add a", lambda w: w.with_node("a", Node("text")))
recovery.write(session.workflow, session.path)
print("written", flush=True)
sys.stdin.read() if sys.argv[2] == "live" else os.kill(os.getpid(), signal.SIGKILL)
"""


def child(folder: Path, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CRASH, str(folder), how],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_killed_session_leaves_its_document(tmp_path: Path) -> None:
    dead = child(tmp_path, "die")
    dead.wait()
    dead.communicate()
    assert dead.returncode == -signal.SIGKILL
    (found,) = recoverable(tmp_path)
    assert set(found.workflow.graph.nodes) == {"a"}
    assert found.path == Path("/somewhere/a.weft.json")
    forget(found)
    assert list(recoverable(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_the_document_of_a_living_session_is_its_own(tmp_path: Path) -> None:
    living = child(tmp_path, "live")
    assert living.stdout is not None
    assert living.stdout.readline() == "written\n"
    assert list(recoverable(tmp_path)) == []
    living.communicate("")
    assert len(list(recoverable(tmp_path))) == 1


def test_what_is_saved_needs_no_recovery(tmp_path: Path) -> None:
    recovery = Recovery(tmp_path / "new" / "folder")
    recovery.write(Workflow(), None)
    recovery.write(adding("a")(Workflow()), None)
    recovery.clear()
    assert list((tmp_path / "new" / "folder").iterdir()) == []
    recovery.write(Workflow(), None)  # and again
    assert recovery.file.is_file()
    recovery.clear()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"path": 5}', '{"path": null, "text": "{"}'])
def test_a_damaged_recovery_file_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.recovery.json").write_text(text)
    assert list(recoverable(tmp_path)) == []
    assert (tmp_path / "x.recovery.json").read_text() == text


def test_unknown_nodes_survive_edits_and_undo(tmp_path: Path) -> None:
    strange = Workflow().with_node("s", Node("strange", extra={"kept": [1, 2]}))
    session = Session(strange)
    session.edit("Add", adding("a"))
    session.edit("Title", lambda w: replace(w, title="x"))
    assert dump(session.workflow).count("kept") == 1
