"""The gallery as its user has it: looking, searching, keeping, deleting, opening graphs."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.panels.gallery.panel import GalleryPanel
from backend.media.apart import Decoder
from backend.media.images import ImageOptions, write_image
from backend.values import Image


@pytest.fixture(scope="module")
def decoder():
    made = Decoder()
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path):
    """Three pictures, the newest first: blue, green and red; and a file that is none."""
    root = tmp_path / "output"
    root.mkdir()
    for at, name in enumerate(["red", "green", "blue"]):
        pixels = np.zeros((1, 30, 40, 3), np.float32)
        pixels[..., at] = 1
        told = {"workflow": json.dumps({"weft": 1, "title": f"The {name} one"})}
        path = root / f"{name}-1.png"
        write_image(path, Image(pixels), ImageOptions(), told)
        os.utime(path, (1000 + at, 1000 + at))
    (root / "broken.png").write_bytes(b"no picture")
    os.utime(root / "broken.png", (1, 1))
    return root


@pytest.fixture
def panel(theme, mount, folder, decoder, tmp_path, spin):
    made = GalleryPanel(theme, folder, tmp_path / "kept.json", decoder)
    mount(made)
    spin(lambda: made.cells.outputs)
    yield made
    made.close_down()


def names(panel) -> list[str]:
    return [each.name for each in panel.cells.outputs]


def pick(panel, name: str, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    """Click on an output."""
    QApplication.processEvents()
    index = panel.cells.index(panel.cells.row_of(name))
    at = panel.grid.visualRect(index).center()
    QTest.mouseClick(panel.grid.viewport(), Qt.MouseButton.LeftButton, modifier, at)


def press(panel, key, modifier=Qt.KeyboardModifier.NoModifier) -> None:
    panel.grid.setFocus()
    QTest.keyClick(panel.grid, key, modifier)


def test_thumbnails_are_made_of_what_can_be_read(panel, spin):
    assert names(panel) == ["blue-1.png", "green-1.png", "red-1.png", "broken.png"]
    outputs = panel.cells.outputs
    spin(lambda: panel.thumbnails.get(outputs[0]) and panel.thumbnails.failed(outputs[3]))
    assert panel.thumbnails.get(outputs[0]).pixelColor(5, 5).name() == "#0000ff"
    panel.grab()


def test_a_click_shows_an_output_and_a_double_click_opens_its_graph(panel, spin, folder):
    looked, opened = [], []
    panel.looked.connect(looked.append)
    panel.open_graph.connect(lambda text, path: opened.append((json.loads(text)["title"], path)))
    pick(panel, "green-1.png")
    assert looked == [folder / "green-1.png"]
    index = panel.cells.index(1)
    at = panel.grid.visualRect(index).center()
    QTest.mouseDClick(panel.grid.viewport(), Qt.MouseButton.LeftButton, pos=at)
    spin(lambda: opened)
    assert opened == [("The green one", folder / "green-1.png")]


def test_enter_opens_the_graph_of_what_is_picked(panel, spin):
    opened = []
    panel.open_graph.connect(lambda text, path: opened.append(path.name))
    pick(panel, "red-1.png")
    press(panel, Qt.Key.Key_Return)
    spin(lambda: opened)
    assert opened == ["red-1.png"]


def test_a_file_without_a_graph_says_so(panel, spin):
    said = []
    panel.said.connect(said.append)
    pick(panel, "broken.png")
    press(panel, Qt.Key.Key_Return)
    spin(lambda: said)
    assert said[0].startswith("broken.png carries no graph")


def test_a_search_finds_what_files_tell(panel, spin):
    panel.search.setFocus()
    QTest.keyClicks(panel.search, "the red")
    spin(lambda: names(panel) == ["red-1.png"])
    assert panel.count.text() == "1 / 4"
    QTest.keyClicks(panel.search, " and purple")
    assert panel.pages.currentWidget() is panel.empty
    panel.search.clear()
    assert len(names(panel)) == 4


def test_keys_in_the_search_do_nothing_to_files(panel, spin):
    opened, answered = [], []
    panel.open_graph.connect(lambda text, path: opened.append(path))
    pick(panel, "red-1.png")
    panel.search.setFocus()
    QTest.keyClick(panel.search, Qt.Key.Key_Return)
    QTest.keyClicks(panel.search, "k")
    assert panel.search.text() == "k"
    panel._background.ask(lambda: True, answered.append)
    spin(lambda: answered)
    assert not opened
    panel.only_kept.trigger()
    assert names(panel) == []


def test_what_is_kept_is_not_deleted(panel, folder):
    said = []
    panel.said.connect(said.append)
    pick(panel, "blue-1.png")
    press(panel, Qt.Key.Key_K)
    press(panel, Qt.Key.Key_Delete)
    assert said == ["blue-1.png is kept. Press K to keep it no longer."]
    assert (folder / "blue-1.png").exists()
    panel.only_kept.trigger()
    assert names(panel) == ["blue-1.png"]
    pick(panel, "blue-1.png")
    press(panel, Qt.Key.Key_K)
    assert names(panel) == []


def test_deleted_files_are_put_back(panel, folder, spin):
    before = (folder / "red-1.png").read_bytes()
    pick(panel, "red-1.png")
    pick(panel, "broken.png", Qt.KeyboardModifier.ControlModifier)
    press(panel, Qt.Key.Key_Delete)
    assert names(panel) == ["blue-1.png", "green-1.png"]
    assert not (folder / "red-1.png").exists()
    assert panel.notice.isVisible()
    assert panel.notice.sentence.startswith("2 files are in")
    press(panel, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    spin(lambda: len(names(panel)) == 4)
    assert (folder / "red-1.png").read_bytes() == before
    assert panel.notice.isHidden()


def test_a_new_output_appears_by_itself(panel, folder, spin):
    write_image(folder / "new-1.png", Image(np.ones((1, 8, 8, 3))), ImageOptions())
    spin(lambda: len(names(panel)) > 4)
    assert names(panel) == ["new-1.png", "blue-1.png", "green-1.png", "red-1.png", "broken.png"]


def test_outputs_are_dragged_as_files(panel, folder):
    data = panel.cells.mimeData([panel.cells.index(0)])
    assert [Path(each.toLocalFile()) for each in data.urls()] == [folder / "blue-1.png"]


def test_a_file_that_is_dropped_in_opens_its_graph(panel, folder, spin):
    opened = []
    panel.open_graph.connect(lambda text, path: opened.append(path.name))
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(folder / "red-1.png"))])
    said = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier)  # fmt: skip
    QApplication.sendEvent(panel, QDragEnterEvent(QPoint(10, 10), *said))
    QApplication.sendEvent(panel, QDropEvent(QPointF(10, 10), *said))
    spin(lambda: opened)
    assert opened == ["red-1.png"]


def test_an_empty_folder_says_what_comes(panel, spin, tmp_path):
    panel.set_folder(tmp_path / "none")
    spin(lambda: not names(panel))
    assert panel.empty.accessibleName() == "Nothing here yet. What a run saves is shown here."
