"""The search palette: by Tab, Space, double click and a pulled link; fuzzy; Enter takes."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolTip

from backend.graph.document import Node
from tests.app.canvas.bench import LEFT, NONE, chain, laid_out, zoned
from tests.app.shell.desktop import CTRL, SHIFT


def rows(desktop):
    """The rows that are listed."""
    listed = desktop.palette.list
    return [listed.item(n).data(Qt.ItemDataRole.UserRole) for n in range(listed.count())]


def types(desktop) -> list[str]:
    return [node.type for node in desktop.document.workflow.graph.nodes.values()]


@pytest.mark.parametrize("way", ["tab", "space", "double click", "shift+a"])
def test_it_opens_in_four_ways_and_enter_adds(desktop, way):
    here = desktop.bench
    here.move(300, 200)
    if way == "tab":
        here.key(Qt.Key.Key_Tab)
    elif way == "space":
        here.key(Qt.Key.Key_Space)
    elif way == "double click":
        here.double_click(300, 200)
    else:
        here.key(Qt.Key.Key_A, SHIFT)
    assert desktop.palette.isVisible()
    assert QApplication.focusWidget() is desktop.palette.field
    desktop.type("gaus")
    desktop.key(Qt.Key.Key_Return)
    assert types(desktop) == ["blur"]
    assert not desktop.palette.isVisible()
    assert desktop.window.canvas.hasFocus()
    (path,) = desktop.document.selection
    place = here.placement(path)
    assert (place.x, place.y) == (304, 200)


def test_it_is_fuzzy_over_names_aliases_and_help(desktop):
    desktop.bench.key(Qt.Key.Key_Tab)
    for typed, wanted in (
        ("svimg", "Save image"), ("gaussian", "Blur"), ("unmultiplied nonsense zzz", None),
    ):  # fmt: skip
        desktop.palette.field.clear()
        desktop.type(typed)
        offered = desktop.offered()
        assert (offered == []) if wanted is None else (wanted in offered[:3]), typed
    desktop.key(Qt.Key.Key_Return)
    assert desktop.palette.isVisible()
    assert types(desktop) == []


def test_the_arrows_choose_another_row(desktop):
    desktop.bench.key(Qt.Key.Key_Tab)
    desktop.type("image")
    first, second = desktop.offered()[:2]
    desktop.key(Qt.Key.Key_Down)
    desktop.key(Qt.Key.Key_Return)
    specs = desktop.window.services.book.specs
    (kind,) = types(desktop)
    assert specs[kind].title == second != first


def test_a_click_on_a_row_takes_it(desktop):
    desktop.bench.key(Qt.Key.Key_Tab)
    desktop.type("blur")
    rows = desktop.palette.list
    spot = rows.visualItemRect(rows.item(0)).center()
    QTest.mouseClick(rows.viewport(), LEFT, NONE, spot)
    assert len(types(desktop)) == 1


def test_escape_goes_back_to_the_canvas(desktop):
    desktop.bench.key(Qt.Key.Key_Tab)
    desktop.type("blur")
    desktop.key(Qt.Key.Key_Escape)
    assert not desktop.palette.isVisible()
    assert desktop.window.canvas.hasFocus()
    assert types(desktop) == []


def test_a_click_beside_closes_it(desktop):
    desktop.bench.move(100, 100)
    desktop.bench.key(Qt.Key.Key_Tab)
    spot = desktop.window.canvas.rect().bottomRight()
    QTest.mouseClick(desktop.window.canvas, LEFT, NONE, spot - spot / 20)
    QApplication.processEvents()
    assert not desktop.palette.isVisible()
    assert types(desktop) == []


def test_a_node_added_before_is_offered_first(desktop):
    for typed in ("resize", "blur"):
        desktop.bench.key(Qt.Key.Key_Tab)
        desktop.type(typed)
        desktop.key(Qt.Key.Key_Return)
    desktop.bench.key(Qt.Key.Key_Tab)
    assert desktop.offered()[:2] == ["Blur", "Resize"]


def test_every_offer_shows_the_sockets_of_its_type(desktop):
    desktop.bench.key(Qt.Key.Key_Tab)
    specs = desktop.window.services.book.specs
    for key, offer in desktop.palette.offers.items():
        if key in specs:
            assert offer.inputs == tuple(s.type for s in specs[key].inputs[:6])
            assert offer.outputs == tuple(s.type for s in specs[key].outputs[:6])
    desktop.palette.grab()


def test_a_link_dropped_on_nothing_offers_what_fits_and_links_it(desktop):
    here = desktop.open(laid_out({"paper": Node("solid_image")}, {"paper": (80, 80)}))
    here.drag(here.socket("paper", "out", "image"), (504, 304))
    assert desktop.palette.isVisible()
    specs = desktop.window.services.book.specs
    for kind in desktop.palette.offers:
        assert specs[kind].inputs or specs[kind].params, kind
    assert "load_image" not in desktop.palette.offers
    desktop.type("blur")
    desktop.key(Qt.Key.Key_Return)
    assert here.wires() == {"paper.image > blur.image"}
    assert here.document.session.history.at == 1
    x, y = here.socket("blur", "in", "image")
    assert (x, y) == (504, 304)


def test_a_link_pulled_backwards_offers_what_gives_it(desktop):
    here = desktop.open(laid_out({"save": Node("save_image")}, {"save": (600, 80)}))
    here.drag(here.socket("save", "in", "image"), (300, 300))
    assert "solid_image" in desktop.palette.offers
    assert "shape_mask" in desktop.palette.offers or "load_image" in desktop.palette.offers
    desktop.type("solid")
    desktop.key(Qt.Key.Key_Return)
    assert here.wires() == {"solid_image.image > save.image"}


def test_a_node_added_over_a_zone_lies_in_it(desktop):
    here = desktop.open(zoned())
    zone = here.canvas.board.nodes["loop"].rect
    here.double_click(zone.left() + 20, zone.bottom() - 8)
    desktop.type("resize")
    desktop.key(Qt.Key.Key_Return)
    assert list(here.node("loop").body.nodes) == ["blur", "resize"]
    assert here.selection == {"loop/resize"}


def test_find_goes_to_a_node(desktop):
    words = Node("text", title="Sky", params={"value": "a red circle"})
    nodes = {f"n{i}": Node("blur") for i in range(30)} | {"words": words}
    here = desktop.open(laid_out(nodes, {path: (80 + 300 * i, 80) for i, path in enumerate(nodes)}))
    for typed in ("sky", "circle", "words"):
        here.look()
        here.document.select([])
        desktop.key(Qt.Key.Key_F, CTRL)
        desktop.type(typed)
        assert desktop.offered()[0] == "Sky"
        desktop.key(Qt.Key.Key_Return)
        assert here.selection == {"words"}
        assert here.canvas.visible().contains(here.canvas.board.nodes["words"].rect)


def test_commands_are_found_by_name_and_done(desktop):
    here = desktop.open(laid_out({"blur": Node("blur")}, {"blur": (80, 80)}))
    here.click(*here.on("blur"))
    desktop.key(Qt.Key.Key_P, CTRL | SHIFT)
    assert desktop.palette.isVisible()
    desktop.type("mute")
    assert desktop.offered()[0] == "Mute"
    desktop.key(Qt.Key.Key_Return)
    assert here.node("blur").mode == "mute"


def test_a_command_that_cannot_be_done_is_shown_and_not_taken(desktop):
    desktop.key(Qt.Key.Key_P, CTRL | SHIFT)
    desktop.type("mute")
    assert not desktop.palette.offers["command:node.mute"].enabled
    desktop.key(Qt.Key.Key_Return)
    assert desktop.palette.isVisible()


def test_replacing_keeps_links_and_values(desktop):
    here = desktop.open(chain())
    here.click(*here.on("blur"))
    desktop.key(Qt.Key.Key_S, SHIFT)
    desktop.type("resize")
    desktop.key(Qt.Key.Key_Return)
    assert here.node("blur").type == "resize"
    assert here.wires() == {"paper.image > blur.image", "blur.image > save.image"}
    assert here.canvas.board.nodes["blur"].title == "Resize"


def test_what_begins_so_stands_under_best(desktop):
    desktop.bench.key(Qt.Key.Key_Tab)
    desktop.type("image")
    told = [(row.heading, row.letters[:5] == (0, 1, 2, 3, 4)) for row in rows(desktop)]
    assert told[0] == ("Best", True)
    also = next(n for n, (heading, _) in enumerate(told) if heading == "Also")
    assert all(begins for _, begins in told[:also])
    assert not any(begins for _, begins in told[also:])
    desktop.palette.field.setText("gaussian")  # one group needs no heading
    assert {row.heading for row in rows(desktop)} == {""}


def test_f1_tells_all_that_is_known_of_the_row(desktop):
    desktop.bench.key(Qt.Key.Key_Tab)
    desktop.type("blur")
    desktop.key(Qt.Key.Key_F1)
    assert QToolTip.text() == desktop.palette.offers[rows(desktop)[0].key].help
    assert "\n" in QToolTip.text()
    desktop.key(Qt.Key.Key_Escape)
    assert not desktop.palette.isVisible()


def test_commands_show_their_keys_as_caps(desktop):
    desktop.key(Qt.Key.Key_P, CTRL | SHIFT)
    shown = {offer.entry.title: offer.keys for offer in desktop.palette.offers.values()}
    assert shown["Commands"] == ("Ctrl", "Shift", "P")
    assert shown["Zoom in"] == ("Ctrl", "+")
    assert shown["Light or dark"] == ()
    assert "do it" in desktop.palette.keys.accessibleName()


@pytest.mark.parametrize("text", [1.0, 1.5])
def test_no_row_of_the_palette_is_cut(desktop, text):
    desktop.window.services.desk.put("studio.text", text)
    try:
        desktop.bench.key(Qt.Key.Key_Tab)
        listed = desktop.palette.list
        row = desktop.palette.rows.height()
        assert row == round(48 * text)
        assert listed.viewport().height() % row < 4
        assert listed.viewport().height() >= 4 * row
    finally:
        desktop.key(Qt.Key.Key_Escape)
        desktop.window.services.desk.put("studio.text", 1.0)
