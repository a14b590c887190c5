"""The inspector shows what is selected and edits it, by mouse and by keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu

from app.carried import PARAMETER
from app.document.edits.params import set_param
from app.document.edits.place import lock, move_to
from app.panels.inspector.node_page import NodePage
from app.panels.inspector.rows import LinkedField
from app.panels.inspector.subject import common_params, subject_of
from app.run.state import NodeRun
from backend.graph.diagnostics import diagnose
from backend.graph.facts import facts_of

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def page(mount, sources, document, settle):
    made = mount(NodePage(sources), 480, 640)
    made.show_document(document)
    settle()
    return made


def test_nothing_selected_says_what_to_do(page):
    assert page.empty.isVisible()


def test_a_node_shows_its_parameters_in_order(page, document, specs, settle):
    document.select(("one",))
    settle()
    assert not page.empty.isVisible()
    assert list(page.rows) == [param.name for param in specs["sample"].params]
    assert page.header.accessibleName() == "First"
    assert page.rows["steps"].editor.value == 8


def test_an_edit_goes_into_the_document_and_undo_comes_back(page, document, settle):
    document.select(("one",))
    settle()
    editor = page.rows["steps"].editor
    editor.begin()
    QTest.keyClicks(editor.line, "12")
    QTest.keyClick(editor.line, Qt.Key.Key_Return)
    settle()
    assert document.workflow.graph.nodes["one"].params["steps"] == 12
    document.undo()
    settle()
    assert editor.value == 8
    assert page.rows["steps"].editor is editor, "values alone build nothing anew"


def test_what_is_typed_is_kept_when_another_node_is_picked(page, document, settle):
    document.select(("one",))
    settle()
    editor = page.rows["steps"].editor
    editor.begin()
    QTest.keyClicks(editor.line, "33")
    document.select(("two",))
    settle()
    assert document.workflow.graph.nodes["one"].params["steps"] == 33
    assert document.workflow.graph.nodes["two"].params["steps"] == 9
    assert page.rows["steps"].editor.value == 9


def test_several_nodes_show_what_they_share(page, document, settle):
    document.select(("one", "two"), "one")
    settle()
    assert page.header.accessibleName() == "2 nodes"
    editor = page.rows["steps"].editor
    assert editor.mixed
    editor.give(20)
    settle()
    nodes = document.workflow.graph.nodes
    assert nodes["one"].params["steps"] == nodes["two"].params["steps"] == 20
    document.select(("one", "mix"), "one")
    settle()
    assert list(page.rows) == []


def test_shared_parameters_have_the_narrowest_limits(specs):
    from dataclasses import replace

    sample = specs["sample"]
    steps = sample.param("steps")
    narrow = replace(sample, params=(replace(steps, minimum=5, maximum=10),))
    (shared,) = common_params([sample, narrow])
    assert (shared.minimum, shared.maximum) == (5, 10)
    assert common_params([sample, None]) == ()


def test_a_linked_parameter_says_from_where_and_goes_there(page, document, settle):
    document.select(("two",))
    settle()
    field = page.rows["cfg"].editor
    assert isinstance(field, LinkedField)
    assert field.words() == "From Number · 2.0"
    assert page.rows["cfg"].outline.joined
    QTest.mouseClick(field, LEFT)
    assert document.selection == {"number"}


def test_delete_takes_the_link_off(page, document, settle):
    document.select(("two",))
    settle()
    page.rows["cfg"].editor.setFocus()
    QTest.keyClick(page.rows["cfg"].editor, Qt.Key.Key_Delete)
    settle()
    assert "cfg" not in document.workflow.graph.nodes["two"].inputs
    assert not isinstance(page.rows["cfg"].editor, LinkedField)


def test_an_outline_carries_its_parameter(page, document, settle):
    document.select(("one",))
    settle()
    assert bytes(page.rows["steps"].outline.mime().data(PARAMETER).data()) == b"one\nsteps"


def test_what_is_wrong_with_a_value_stands_under_it(page, document, world, settle):
    world.problems["one"] = (
        diagnose("W203", "nodes.one.params.steps", "steps is 8000, but must be at most 1000."),
        diagnose("W301", "nodes.one.inputs.positive", "Sample needs a Conditioning.", "Link one."),
    )
    document.select(("one",))
    settle()
    row = page.rows["steps"]
    assert row.words.isVisible()
    assert row.words.text() == "steps is 8000, but must be at most 1000."
    assert page.problems.text() == "Sample needs a Conditioning. Link one."
    world.problems.clear()
    page.update_soon()
    settle()
    assert not row.words.isVisible()
    assert not page.problems.isVisible()


def test_a_strange_node_says_what_is_missing(page, document, settle):
    document.select(("strange",))
    settle()
    assert page.problems.text() == "The node type not_there is not installed."


def test_what_is_known_names_inputs_outputs_and_the_run(page, document, world, settle):
    world.facts["empty"] = {"latent": facts_of("Latent", width=64, height=48)}
    world.facts["one"] = {"latent": facts_of("Latent", width=64)}
    world.runs["one"] = NodeRun("done", seconds=3.2, peak=1_900_000_000)
    document.select(("one",))
    settle()
    said = [(fact.about, fact.words) for fact in page.known.facts]
    assert said == [
        ("Latent", "Latent 64 48"), ("Gives", "Latent 64"), ("Took", "3.2 s"), ("Peak", "1.9 GB")
    ]  # fmt: skip
    assert page.header.accessibleDescription() == "Done in 3.2 s"


def test_the_header_follows_the_run(page, document, world, settle):
    world.runs["one"] = NodeRun("running", 17, 28)
    document.select(("one",))
    settle()
    assert page.header.accessibleDescription() == "Step 17 of 28"


def test_lists_that_meet_can_be_told_how(page, document, world, settle):
    document.select(("one",))
    settle()
    assert "" not in page.rows
    world.facts["empty"] = {"latent": facts_of("Latent").listed(3)}
    document.select(("two",))
    settle()
    document.select(("one",))
    settle()
    row = page.rows[""]
    assert row.name.text() == "Lists meet by"
    row.editor.give("product")
    assert document.workflow.graph.nodes["one"].each == "product"


def test_a_title_is_given_in_place(page, document, settle):
    document.select(("one",))
    settle()
    QTest.mouseDClick(page.header, LEFT)
    line = page.header.focusWidget()
    QTest.keyClicks(line, "Draft")
    QTest.keyClick(line, Qt.Key.Key_Return)
    settle()
    assert document.workflow.graph.nodes["one"].title == "Draft"
    assert page.header.accessibleName() == "Draft"


def menu_of(page, name):
    row = page.rows[name]
    QTest.mouseClick(row, Qt.MouseButton.RightButton, pos=row.name.geometry().center())
    (menu,) = [menu for menu in page.findChildren(QMenu) if menu.isVisible()]
    return menu, {action.text(): action for action in menu.actions() if action.text()}


def test_the_menu_shows_a_value_in_the_form_and_resets_it(page, document, settle):
    document.select(("one",))
    settle()
    menu, actions = menu_of(page, "steps")
    actions["Show it in the form"].trigger()
    menu.close()
    settle()
    (shown,) = document.workflow.expose.values()
    assert (shown.node, shown.param, shown.label) == ("one", "steps", "Steps")
    menu, actions = menu_of(page, "steps")
    assert "Take it out of the form" in actions
    actions["Reset to its default"].trigger()
    menu.close()
    assert "steps" not in document.workflow.graph.nodes["one"].params


def test_a_locked_node_is_only_shown(page, document, settle):
    document.edit("Place", lambda w: move_to(w, "", {"one": (0, 0)}))
    document.edit("Lock", lambda w: lock(w, "", ("one",), True))
    document.select(("one",))
    settle()
    assert not page.rows["steps"].editor.isEnabled()


def test_a_hidden_page_builds_nothing_until_it_is_seen(page, document, settle):
    page.hide()
    document.select(("one",))
    settle()
    assert page.rows == {}
    page.show()
    assert "steps" in page.rows


def test_a_parameter_is_brought_into_view_and_edited(page, document, settle):
    page.resize(480, 140)
    document.select(("one",))
    settle()
    assert page.begin("denoise")
    assert page.rows["denoise"].editor.line is not None
    assert not page.begin("nothing")


def test_a_document_that_is_closed_is_let_go(page, document, settle):
    document.select(("one",))
    settle()
    page.show_document(None)
    settle()
    assert page.empty.isVisible()
    document.edit("Set", lambda w: set_param(w, "", "one", "steps", 3))
    settle()


def test_nodes_in_zones_and_subgraphs_are_subjects(sources):
    from app.document.session import Session
    from app.open_document import OpenDocument
    from backend.graph.format import parse

    text = """{"weft": 1, "nodes": {"loop": {"type": "repeat", "body": {"nodes": {
      "inner": {"type": "sample"}}}}, "use": {"type": "subgraph:s"}},
      "subgraphs": {"s": {"nodes": {"deep": {"type": "sample"}},
        "params": {"steps": {"node": "deep", "param": "steps"}}}}}"""
    document = OpenDocument(Session(parse(text, "a test")))
    document.select(("loop/inner",))
    assert subject_of(document, sources.spec_of).spec.type == "sample"
    document.select(("use",))
    assert [row.param.name for row in subject_of(document, sources.spec_of).rows] == ["steps"]
    document.enter("s")
    document.select(("deep",))
    assert subject_of(document, sources.spec_of).spec.type == "sample"
    document.select(("gone",))
    assert subject_of(document, sources.spec_of) is None
