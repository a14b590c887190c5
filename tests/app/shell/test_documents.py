"""Never losing work: saving, autosave, recovery, changes by others, closing; tabs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.document.edits.nodes import set_title
from app.shell.documents import AUTOSAVE, Documents
from backend.graph.format import FormatError, dump, load, save
from tests.app.canvas.bench import LEFT, NONE, chain
from tests.app.shell.desktop import CTRL

Key = Qt.Key


@pytest.fixture
def documents(application, tmp_path):
    """The documents of a session of their own."""
    made = Documents(tmp_path / "data")
    made.sentences = []
    made.said.connect(made.sentences.append)
    return made


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "row.weft.json"
    save(chain(), path)
    return path


def rename(title: str):
    return lambda workflow: set_title(workflow, "", "blur", title)


def test_a_file_is_opened_once(documents, file):
    one = documents.open(file)
    documents.new()
    assert documents.open(file) is one
    assert documents.current is one
    assert len(documents) == 2


@pytest.mark.parametrize(
    ("text", "title", "said"),
    [
        ("{", "scene_001", "The graph of scene_001 cannot be opened. At 1:2 it was damaged, or"
         " changed by hand: expecting property name enclosed in double quotes."),
        ('{"weft": 1, "nodes": []}', "Job 12", "The graph of Job 12 cannot be opened. At nodes it"
         " was damaged, or changed by hand: expected an object, found a list."),
        ('{"weft": 99}', "", "This graph was made by a newer Weft (format 99, this one reads 1);"
         " update Weft."),
    ],
)  # fmt: skip
def test_a_graph_without_a_file_that_cannot_be_read_gets_a_sentence(documents, text, title, said):
    with pytest.raises(FormatError) as caught:
        documents.open_text(text, title)
    assert caught.value.sentence == said


def test_saving_writes_the_file_and_keeps_what_was_there(documents, file, tmp_path):
    before = file.read_bytes()
    document = documents.open(file)
    document.edit("Rename", rename("Soft"))
    assert documents.unsaved() == [document]
    assert documents.save(document)
    assert documents.unsaved() == []
    assert load(file).graph.nodes["blur"].title == "Soft"
    kept = [p.read_bytes() for p in (tmp_path / "data" / "backups").rglob("*") if p.is_file()]
    assert before in kept


def test_what_is_saved_and_read_is_the_same_to_the_byte(documents, file):
    document = documents.open(file)
    document.edit("Rename", rename("Soft"))
    documents.save(document)
    assert dump(load(file)) == dump(document.workflow)


def test_a_place_that_cannot_be_written_is_a_sentence_and_harms_nothing(documents, file, tmp_path):
    document = documents.open(file)
    document.edit("Rename", rename("Soft"))
    assert not documents.save(document, tmp_path / "no" / "folder" / "row.weft.json")
    assert len(documents.sentences) == 1
    assert document.session.is_changed
    assert load(file).graph.nodes["blur"].title == ""


def test_an_edit_is_in_the_recovery_file_seconds_later(documents, file, tmp_path, spin):
    document = documents.open(file)
    document.edit("Rename", rename("Soft"))
    assert AUTOSAVE <= 3000
    documents._timers[document.id].setInterval(1)
    documents._timers[document.id].start()
    spin(lambda: list((tmp_path / "data" / "recovery").glob("*.recovery.json")))


def test_what_a_dead_session_left_is_brought_back(documents, file, tmp_path):
    text = dump(set_title(chain(), "", "blur", "Soft"))
    die_with(tmp_path / "data" / "recovery", text, file)
    (back,) = documents.recover()
    assert back.workflow.graph.nodes["blur"].title == "Soft"
    assert back.session.path == file
    assert back.session.is_changed
    back.undo()
    assert back.workflow.graph.nodes["blur"].title == ""
    assert documents.recover() == []


def test_what_a_dead_session_left_of_a_new_graph_is_brought_back(documents, tmp_path):
    die_with(tmp_path / "data" / "recovery", dump(chain()), None)
    (back,) = documents.recover()
    assert back.session.path is None
    assert set(back.workflow.graph.nodes) == {"paper", "blur", "save"}
    assert documents.unsaved() == [back]


def die_with(folder: Path, text: str, path: Path | None) -> None:
    """Another process keeps a document and ends without a word."""
    import subprocess
    import sys

    code = (
        "import os, sys; from pathlib import Path; from app.document.recovery import Recovery; "
        "from backend.graph.format import parse; "
        "Recovery(Path(sys.argv[1])).write(parse(sys.argv[2], 'x'), "
        "Path(sys.argv[3]) if sys.argv[3] else None); os._exit(9)"
    )
    here = Path(__file__).parents[3]
    told = [str(folder), text, str(path or "")]
    done = subprocess.run([sys.executable, "-c", code, *told], cwd=here, check=False)
    assert done.returncode == 9


def test_a_living_session_is_not_recovered(documents, file, tmp_path):
    document = documents.open(file)
    document.edit("Rename", rename("Soft"))
    documents.keep_all()
    other = Documents(tmp_path / "data")
    assert other.recover() == []


def test_saving_and_closing_take_the_recovery_file_away(documents, file, tmp_path):
    folder = tmp_path / "data" / "recovery"
    document = documents.open(file)
    document.edit("Rename", rename("Soft"))
    documents.keep_all()
    assert len(list(folder.glob("*.recovery.json"))) == 1
    documents.save(document)
    assert list(folder.iterdir()) == []
    document.edit("Rename", rename("Softer"))
    documents.keep_all()
    documents.close(document)
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told_once(documents, file, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "recovery").write_text("a file is in the way")
    document = documents.open(file)
    for title in ("Soft", "Softer"):
        document.edit("Rename", rename(title))
        documents.keep_all()
    assert len(documents.sentences) == 1
    assert "Save it by hand" in documents.sentences[0]


def test_a_change_by_another_program_is_seen_and_read_and_undone(documents, file):
    document = documents.open(file)
    seen = []
    documents.changed_outside.connect(seen.append)
    documents.look_outside()
    assert seen == []
    save(set_title(chain(), "", "blur", "Theirs"), file)
    documents.look_outside()
    assert seen == [document]
    documents.read_again(document)
    assert document.workflow.graph.nodes["blur"].title == "Theirs"
    assert not document.session.is_changed
    document.undo()
    assert document.workflow.graph.nodes["blur"].title == ""
    assert document.session.is_changed
    seen.clear()
    documents.look_outside()
    assert seen == []


def test_a_broken_change_by_another_program_leaves_what_is_here(documents, file):
    document = documents.open(file)
    file.write_text("{")
    documents.read_again(document)
    assert set(document.workflow.graph.nodes) == {"paper", "blur", "save"}
    assert len(documents.sentences) == 1
    assert document.session.is_changed  # what is seen stands in no file


def test_a_file_that_is_removed_is_told_once_and_its_graph_is_not_saved(documents, file, tmp_path):
    document = documents.open(file)
    told = []
    documents.changed_outside.connect(told.append)
    file.unlink()
    documents.look_outside()
    documents.look_outside()
    assert told == []
    (said,) = documents.sentences
    assert said.startswith("row.weft.json was removed or renamed by another program.")
    assert documents.unsaved() == [document]
    assert list((tmp_path / "data" / "recovery").glob("*.recovery.json"))
    save(set_title(chain(), "", "blur", "Theirs"), file)  # it is back, and is another
    documents.look_outside()
    assert told == [document]
    assert documents.save(document)
    assert not document.session.is_changed


def test_tabs_are_made_chosen_and_closed(desktop):
    bar, documents = desktop.window.documents_bar, desktop.window.services.documents
    first = desktop.document
    count = bar.tabs.count()
    desktop.key(Key.Key_N, CTRL)
    second = desktop.document
    assert second is not first
    assert bar.tabs.count() == count + 1
    index = bar._documents.index(first)
    QTest.mouseClick(bar.tabs, LEFT, NONE, bar.tabs.tabRect(index).center())
    assert desktop.document is first
    assert desktop.window.canvas.document is first
    documents.look_at(second)
    desktop.key(Key.Key_W, CTRL)
    assert second not in list(documents)
    assert bar.tabs.count() == count


def test_each_tab_keeps_its_own_view_selection_and_history(desktop):
    one = desktop.open(chain())
    one.look(100, 50, 0.8)
    one.document.select(["blur"])
    two = desktop.open(chain())
    two.click(*two.on("save"))
    desktop.key(Key.Key_Delete)
    desktop.window.services.documents.look_at(one.document)
    assert desktop.window.canvas.camera.zoom == 0.8
    assert desktop.document.selection == {"blur"}
    assert "save" in desktop.document.workflow.graph.nodes
    desktop.window.canvas.setFocus()
    desktop.key(Key.Key_Z, CTRL)
    assert "save" not in two.workflow.graph.nodes


def test_a_tab_says_whether_it_is_saved(desktop, file):
    desktop.window.files.open(file)
    here = desktop.see()
    bar = desktop.window.documents_bar
    index = bar._documents.index(here.document)
    assert bar.tabs.tabText(index) == "row"
    here.document.edit("Rename", rename("Soft"))
    assert "•" in bar.tabs.tabText(index)
    assert desktop.window.isWindowModified()
    desktop.key(Key.Key_S, CTRL)
    assert bar.tabs.tabText(index) == "row"
    assert not desktop.window.isWindowModified()
    assert load(file).graph.nodes["blur"].title == "Soft"


@pytest.mark.parametrize(("answer", "closed", "saved"), [
    ("Save", True, True), ("Discard", True, False), ("Cancel", False, False),
])  # fmt: skip
def test_closing_what_is_not_saved_asks(desktop, file, monkeypatch, answer, closed, saved):
    from PySide6.QtWidgets import QMessageBox

    document = desktop.window.files.open(file)
    document.edit("Rename", rename("Soft"))
    buttons = QMessageBox.StandardButton
    monkeypatch.setattr(QMessageBox, "exec", lambda box: int(getattr(buttons, answer)))
    desktop.see()
    desktop.key(Key.Key_W, CTRL)
    assert (document not in list(desktop.window.services.documents)) == closed
    assert (load(file).graph.nodes["blur"].title == "Soft") == saved
    if not closed:
        document.session.agree()


def test_a_change_outside_is_read_when_nothing_here_is_lost_by_it(desktop, file):
    document = desktop.window.files.open(file)
    save(set_title(chain(), "", "blur", "Theirs"), file)
    desktop.window.services.documents.look_outside()
    assert document.workflow.graph.nodes["blur"].title == "Theirs"
    assert "read again" in desktop.said[-1]
    document.edit("Rename", rename("Mine"))
    save(set_title(chain(), "", "blur", "Theirs again"), file)
    desktop.window.services.documents.look_outside()
    assert document.workflow.graph.nodes["blur"].title == "Mine"
    assert "Another program" in desktop.said[-1]
    document.session.agree()
    file.write_text("{")
    desktop.window.services.documents.look_outside()
    assert desktop.said[-1].startswith("row.weft.json:1:2:")
    assert document.session.is_changed
    document.session.agree()


def test_a_broken_file_is_a_sentence(desktop, tmp_path):
    path = tmp_path / "broken.weft.json"
    path.write_text("{")
    assert desktop.window.files.open(path) is None
    assert len(desktop.said) == 1


def drop(desktop, *paths: Path, at: tuple[float, float] = (304, 200)) -> None:
    """Drop files on the window, at a place of the canvas."""
    data, copy = QMimeData(), Qt.DropAction.CopyAction
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    canvas, window = desktop.window.canvas, desktop.window
    spot = canvas.mapTo(window, canvas.camera.to_screen(QPointF(*at)))
    enter = QDragEnterEvent(spot.toPoint(), copy, data, LEFT, NONE)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(window, QDropEvent(spot, copy, data, LEFT, NONE))
    QApplication.processEvents()


def test_a_dropped_workflow_is_opened(desktop, file):
    drop(desktop, file)
    assert desktop.document.session.path == file


def picture(path: Path) -> Path:
    from PySide6.QtGui import QImage

    image = QImage(8, 6, QImage.Format.Format_RGB32)
    image.fill(0x336699)
    image.save(str(path))
    return path


def test_a_dropped_picture_becomes_a_node_that_may_read_it(desktop, tmp_path):
    path = picture(tmp_path / "photo.png")
    drop(desktop, path)
    (node,) = desktop.document.workflow.graph.nodes.values()
    assert node.type == "load_image"
    assert node.params["file"] == str(path)
    place = desktop.bench.placement("load_image")
    assert (place.x, place.y) == (304, 200)
    assert path in desktop.window.services.grants_of(desktop.document)


def test_pictures_dropped_together_lie_beside_each_other(desktop, tmp_path):
    drop(desktop, *(picture(tmp_path / f"{name}.png") for name in "abc"))
    places = desktop.document.workflow.layout.nodes.values()
    assert len({(place.x, place.y) for place in places}) == 3


def test_a_pasted_picture_becomes_a_node(desktop, tmp_path):
    from PySide6.QtGui import QImage

    QApplication.clipboard().setImage(QImage(str(picture(tmp_path / "photo.png"))))
    desktop.see()
    desktop.key(Key.Key_V, CTRL)
    (node,) = desktop.document.workflow.graph.nodes.values()
    assert node.type == "load_image"
    assert Path(node.params["file"]).is_file()


def test_a_picture_that_carries_its_graph_opens_it(desktop, tmp_path):
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("weft", json.dumps({"workflow": dump(chain())}))
    path = tmp_path / "made.png"
    Image.new("RGB", (8, 6)).save(path, pnginfo=info)
    before = desktop.document
    drop(desktop, path)
    assert desktop.document is not before
    assert desktop.document.name == "made"
    assert set(desktop.document.workflow.graph.nodes) == {"paper", "blur", "save"}
