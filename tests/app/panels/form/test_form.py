"""App mode: the form of what a document shows, and Run in reach."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from app.document.edits.nodes import remove_nodes
from app.document.edits.params import expose
from app.panels.form.fields import shown_in
from app.panels.form.form import Form
from app.run.state import JobView
from backend.graph.diagnostics import diagnose

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def form(mount, sources, document, settle):
    document.edit("Show", lambda w: expose(w, "", "one", "steps", "How long", "Fine"))
    document.edit("Show", lambda w: expose(w, "", "one", "seed"))
    document.edit("Show", lambda w: expose(w, "", "one", "denoise", "How much", "Fine"))
    document.edit("Show", lambda w: expose(w, "", "two", "cfg"))
    made = mount(Form(sources), 1000, 640)
    made.show_document(document)
    settle()
    return made


def words(form):
    return [label.text() for label in form.findChildren(QLabel) if label.isVisible()]


def test_groups_stand_together_under_their_heading(form, document, sources):
    shown = shown_in(document.workflow, sources.spec_of)
    assert [each.name for each in shown] == ["steps", "denoise", "seed", "cfg"]
    said = words(form)
    assert "Scene" in said
    assert said.count("Fine") == 1
    assert {"How long", "How much", "Seed"} <= set(said)
    assert "CFG comes from a link in the graph." in said


def test_a_value_is_edited_where_it_stands(form, document):
    editor = form.fields["steps"].editor
    assert editor.accessibleName() == "How long"
    editor.begin()
    QTest.keyClicks(editor.line, "31")
    QTest.keyClick(editor.line, Qt.Key.Key_Return)
    assert document.workflow.graph.nodes["one"].params["steps"] == 31


def test_what_is_typed_is_kept_when_the_form_changes(form, document, settle):
    editor = form.fields["steps"].editor
    editor.begin()
    QTest.keyClicks(editor.line, "44")
    document.edit("Show", lambda w: expose(w, "", "one", "solver"))
    settle()
    assert document.workflow.graph.nodes["one"].params["steps"] == 44
    assert form.fields["steps"].editor.value == 44


def test_the_form_is_of_the_whole_document_whatever_level_is_looked_at(form, document, settle):
    document.level = "elsewhere"
    form.show_document(None)
    form.show_document(document)
    form.fields["steps"].editor.give(5)
    assert document.workflow.graph.nodes["one"].params["steps"] == 5


def test_what_is_not_there_any_more_is_said(form, document, sources, settle):
    document.edit("Remove", lambda w: remove_nodes(w, "", ("one",)))
    settle()
    if "steps" in document.workflow.expose:
        assert "How long is not in the graph any more." in words(form)
    else:
        assert "steps" not in form.fields


def test_what_is_wrong_stands_under_its_field(form, world, settle):
    world.problems["one"] = (diagnose("W203", "nodes.one.params.steps", "Too many steps."),)
    form.update_soon()
    settle()
    assert form.fields["steps"].words.text() == "Too many steps."
    assert form.fields["steps"].words.isVisible()


def test_run_asks_for_as_many_as_are_wanted(form):
    asked = []
    form.run.connect(asked.append)
    QTest.mouseClick(form.run_button, LEFT)
    form.count.give(3)
    QTest.mouseClick(form.run_button, LEFT)
    assert asked == [1, 3]


def test_a_job_shows_how_far_it_is_and_can_be_cancelled(form):
    cancelled = []
    form.cancel.connect(lambda: cancelled.append(True))
    form.show_job(JobView(12, "Scene", "running", progress=0.5, sentence="Sample, step 14 of 28"))
    assert form.state.text() == "Sample, step 14 of 28"
    assert form.bar.value() == 500
    QTest.mouseClick(form.cancel_button, LEFT)
    assert cancelled
    form.show_job(JobView(12, "Scene", "failed", error="Sample needs a model."))
    assert form.state.text() == "Sample needs a model."
    assert not form.bar.isVisible()
    assert not form.cancel_button.isVisible()


def test_an_empty_form_leads_to_the_graph(mount, sources, settle):
    form = mount(Form(sources), 800, 500)
    form.show_document(None)
    left = []
    form.left.connect(lambda: left.append(True))
    assert form.empty.isVisible()
    assert not form.run_button.isEnabled()
    form.empty.pressed.emit()
    assert left


def test_the_picture_stands_beside_it(form):
    picture = QLabel("picture")
    form.set_picture(picture)
    assert picture.isVisible()
    assert picture.mapTo(form, picture.rect().topLeft()).x() > 300
