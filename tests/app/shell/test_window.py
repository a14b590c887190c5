"""The window around the graph: tools, map, keys of the user, facts on sockets, menus, forms."""

from __future__ import annotations

import time

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QToolButton, QWidget

from app.shell.menus import canvas_menu
from backend.graph.document import Node, Ref
from tests.app.canvas.bench import LEFT, NONE, RIGHT, chain, laid_out
from tests.app.shell.desktop import CTRL

Key = Qt.Key


@pytest.fixture
def row(desktop):
    """A paper, a blur and a file."""
    return desktop.open(chain())


def test_view_keys(row, desktop):
    row.look(3000, 3000)
    desktop.key(Key.Key_Home)
    assert all(row.canvas.visible().contains(v.rect) for v in row.canvas.board.nodes.values())
    row.look()
    row.click(*row.on("save"))
    desktop.key(Key.Key_Period)
    middle = row.canvas.visible().center() - row.canvas.board.nodes["save"].rect.center()
    assert middle.manhattanLength() < 3
    before = row.canvas.camera.zoom
    desktop.key(Key.Key_Minus, CTRL)
    assert row.canvas.camera.zoom < before
    desktop.key(Key.Key_Plus, CTRL)
    assert row.canvas.camera.zoom == pytest.approx(before)
    row.look(0, 0, 2.0)
    desktop.key(Key.Key_1, CTRL)
    assert row.canvas.camera.zoom == 1.0


def test_tools_by_keys_and_by_their_buttons(row, desktop):
    desktop.key(Key.Key_3)
    assert row.canvas.tool == "cut"
    row.drag((344, 100), (344, 160))
    assert row.wires() == {"blur.image > save.image"}
    desktop.key(Key.Key_2)
    assert row.canvas.tool == "lasso"
    buttons = desktop.window.tools.findChildren(QToolButton)
    desktop.click(buttons[0])
    assert row.canvas.tool == "select"
    assert buttons[0].isChecked()


def test_each_document_has_the_tool_that_the_bar_shows(row, desktop):
    desktop.key(Key.Key_3)
    other = desktop.open(chain())
    (shown,) = [b for b in desktop.window.tools.findChildren(QToolButton) if b.isChecked()]
    assert other.canvas.tool == "cut"
    assert shown.accessibleName() == desktop.window.commands.action("tool.cut").text()
    desktop.key(Key.Key_1)


def test_a_click_on_the_map_of_the_window_goes_there(row, desktop):
    map_ = desktop.window.desk.minimap
    assert map_.isVisible()
    row.look(-3000, -3000)
    spot = map_._camera().to_screen(row.canvas.board.nodes["save"].rect.center()).toPoint()
    QTest.mouseClick(map_, LEFT, NONE, spot)
    assert row.canvas.visible().intersects(row.canvas.board.nodes["save"].rect)


def test_the_user_gives_a_command_other_keys(row, desktop):
    desk = desktop.window.services.desk
    desk.put("studio.shortcuts", ["node.mute=K"])
    try:
        row.click(*row.on("blur"))
        desktop.key(Key.Key_M)
        assert row.node("blur").mode == "on"
        desktop.key(Key.Key_K)
        assert row.node("blur").mode == "mute"
    finally:
        desk.put("studio.shortcuts", [])
    desktop.key(Key.Key_M)
    assert row.node("blur").mode == "on"


def test_no_two_commands_have_the_same_keys(desktop):
    seen: dict[str, str] = {}
    for id in desktop.window.commands.deeds:
        keys = desktop.window.commands.action(id).shortcut().toString()
        if keys:
            assert keys not in seen, f"{keys} is of {seen.get(keys)} and {id}"
            seen[keys] = id


def test_letters_typed_into_a_value_are_no_commands(row, desktop):
    row.double_click(*row.on("blur"))
    desktop.type("mbhlp")
    row.tap(Key.Key_Return)
    assert row.node("blur").title == "mbhlp"
    assert row.node("blur").mode == "on"
    assert set(row.workflow.graph.nodes) == {"paper", "blur", "save"}


def test_delete_in_a_text_deletes_a_letter_and_no_node(row, desktop):
    row.double_click(*row.on("blur"))
    desktop.type("Soft")
    row.tap(Key.Key_Home)
    row.tap(Key.Key_Delete)
    row.tap(Key.Key_Return)
    assert row.node("blur").title == "oft"


def test_facts_are_shown_on_sockets(desktop, spin):
    nodes = {
        "paper": Node("solid_image", params={"width": 512, "height": 384}),
        "blur": Node("blur", inputs={"image": Ref("paper", "image")}),
    }
    row = desktop.open(laid_out(nodes, {"paper": (80, 80), "blur": (400, 80)}))

    def fact() -> str:
        socket = row.canvas.board.nodes["blur"].shape.socket("out", "image")
        return socket.fact

    spin(fact, 60)
    assert fact() == "512 x 384"
    row.document.edit("Grow", lambda w: set_width(w))
    spin(lambda: fact() != "512 x 384", 60)
    assert fact() == "640 x 384"


def set_width(workflow):
    from app.document.edits.params import set_param

    return set_param(workflow, "", "paper", "width", 640)


def test_a_problem_is_counted_and_a_click_on_it_goes_to_its_node(desktop, spin):
    window = desktop.window
    row = desktop.open(laid_out({"blur": Node("blur")}, {"blur": (80, 80)}))
    panel = window.said_pane.show_tab("Problems")
    spin(lambda: panel.list.cards.cards, 60)
    assert window.problems_line.accessibleName() == "1 problem, 1 warning"
    row.look(5000, 5000)
    panel.list.opened.emit(panel.list.cards.cards[0].key)
    assert row.selection == {"blur"}
    assert row.canvas.visible().contains(row.canvas.board.nodes["blur"].rect)


def titles(menu: QMenu) -> list[str]:
    return [action.text() for action in menu.actions() if not action.isSeparator()]


def test_the_menu_of_a_node_a_link_and_the_canvas(row, desktop):
    from PySide6.QtCore import QPointF

    spot = QPointF(*row.on("blur"))
    assert {"Mute", "Rename", "Delete"} <= set(titles(canvas_menu(desktop.window, spot)))
    x, y = row.middle_of("paper", "blur")
    row.click(x, y)
    menu = canvas_menu(desktop.window, QPointF(x, y))
    assert {"Reroute", "Delete", "Name the link, or draw it"} <= set(titles(menu))
    next(a for a in menu.actions() if a.text() == "Reroute").trigger()
    assert len(row.workflow.layout.ways) == 1
    assert {"Add a node", "Paste"} <= set(titles(canvas_menu(desktop.window, QPointF(900, 600))))


def test_a_right_click_opens_the_menu_there(row, desktop):
    row.click(*row.on("blur"), RIGHT)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    assert "Mute" in titles(menu)
    menu.close()


def test_the_next_pane_gets_the_keyboard(row, desktop):
    desktop.key(Key.Key_F6)
    assert not desktop.window.canvas.hasFocus()
    for _ in range(8):
        desktop.key(Key.Key_F6)
        if desktop.window.canvas.hasFocus():
            break
    assert desktop.window.canvas.hasFocus()


def test_the_form_shows_and_leads_back(row, desktop):
    desktop.key(Key.Key_E, CTRL)
    assert desktop.window.pages.currentIndex() == 1
    desktop.key(Key.Key_E, CTRL)
    assert desktop.window.pages.currentIndex() == 0
    assert desktop.window.canvas.hasFocus()


def test_the_form_follows_the_document_that_is_looked_at(row, desktop):
    window, documents = desktop.window, desktop.window.services.documents
    other = documents.open_workflow(chain())
    desktop.key(Key.Key_E, CTRL)
    form = window.pages.widget(1)
    assert form._document is other
    documents.close(other)
    assert form._document is desktop.document is not None
    desktop.key(Key.Key_E, CTRL)
    documents.close(desktop.document)
    desktop.see()
    desktop.key(Key.Key_E, CTRL)
    assert form._document is desktop.document
    desktop.key(Key.Key_E, CTRL)


def test_settings_are_one_window_which_is_gone_when_it_is_closed(desktop):
    def shown() -> list[QWidget]:
        return [w for w in QApplication.topLevelWidgets() if w.windowTitle() == "Settings"]

    desktop.key(Key.Key_Comma, CTRL)
    desktop.window.commands.do("edit.settings")
    (found,) = shown()
    assert found.isVisible()
    found.close()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert shown() == []
    desktop.window.activateWindow()


def test_the_theme_is_turned_round_quickly(row, desktop):
    before = desktop.window.services.theme.colours.dark
    begin = time.perf_counter()
    desktop.window.commands.do("view.theme")
    took = time.perf_counter() - begin
    print(f"theme {1000 * took:.0f} ms")
    assert desktop.window.services.theme.colours.dark != before
    assert took < 3
    desktop.window.commands.do("view.theme")


def test_closing_the_window_asks_for_what_is_not_saved(row, desktop, monkeypatch):
    from PySide6.QtWidgets import QMessageBox

    row.click(*row.on("blur"))
    desktop.key(Key.Key_M)
    asked = []

    def cancel(box: QMessageBox) -> int:
        asked.append(box.text())
        return int(QMessageBox.StandardButton.Cancel)

    monkeypatch.setattr(QMessageBox, "exec", cancel)
    desktop.window.close()
    assert asked
    assert desktop.window.isVisible()
    assert row.document in list(desktop.window.services.documents)
