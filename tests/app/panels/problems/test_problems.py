"""Problems: where they are, what stands first, where a click leads, and what a button does."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from app.panels.problems import ProblemsPanel, failures_of, place_of, problems_of
from app.panels.problems.panel import Counts
from app.panels.problems.problem import Place
from backend.engine.registry import NodeRegistry
from backend.graph.check import check
from backend.graph.diagnostics import diagnose
from backend.graph.format import parse
from tests.backend.graph.conftest import make_types

BROKEN = """{"weft": 1, "nodes": {
  "x": {"type": "sparkle.glow"},
  "loop": {"type": "repeat", "body": {"nodes": {"y": {"type": "nothing"}}, "outputs": {}}},
  "s": {"type": "subgraph:Detail"}},
  "subgraphs": {"Detail": {"nodes": {"z": {"type": "nothing.either"}}}}}"""


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("nodes.blur", Place("", "blur")),
        ("nodes.blur.params.radius", Place("", "blur", "radius")),
        ("nodes.save.inputs.image", Place("", "save", "image")),
        ("nodes.loop.body.nodes.b.inputs.image", Place("", "loop/b", "image")),
        ("nodes.a.body.nodes.b.body.nodes.c", Place("", "a/b/c")),
        ("nodes.loop.body", Place("", "loop")),
        ("nodes.s.each", Place("", "s")),
        ("subgraphs.Detail.nodes.b.params.x", Place("Detail", "b", "x")),
        ("subgraphs.Detail", Place("Detail")),
        ("expose.0", Place()),
    ],
)
def test_a_diagnostic_says_where_its_node_is(place, found):
    assert place_of(place) == found


def test_the_places_of_a_real_check_lead_to_nodes():
    workflow = parse(BROKEN, "broken")
    told = check(workflow, NodeRegistry(make_types()), None).diagnostics
    places = {problem.place for problem in problems_of(told) if problem.code == "W101"}
    assert places == {Place("", "x"), Place("", "loop/y"), Place("Detail", "z")}


def test_errors_stand_first_and_what_is_said_twice_once():
    note = diagnose("W402", "nodes.a", "Masks is not used. Decompose makes 4 masks.")
    error = diagnose("W305", "nodes.b.inputs.image", "It takes an image.", "Put Decode between.")
    first, second = problems_of([note, error, note], lambda d: "Insert" if d is error else "")
    assert (first.level, first.title, first.reason) == (
        "error", "It takes an image.", "Put Decode between.",
    )  # fmt: skip
    assert (first.fix, second.fix) == ("Insert", "")
    assert (second.title, second.reason) == ("Masks is not used.", "Decompose makes 4 masks.")


def test_a_long_sentence_is_cut_at_a_colon_rather_than_in_a_word():
    said = "load: There is no model 'nothing-like-it': the built-in models are primer, and " * 2
    (problem,) = problems_of([diagnose("W601", "nodes.load", said)])
    assert problem.title == "Load: There is no model 'nothing-like-it'."
    assert problem.reason.startswith("The built-in models are primer")


@pytest.fixture
def panel(theme, mount):
    made = mount(ProblemsPanel(theme))
    made.show_problems(
        problems_of(
            [
                diagnose("W305", "nodes.loop.body.nodes.save.inputs.image", "It takes an image."),
                diagnose("W505", "nodes.loop.body", "It gives nothing."),
                diagnose("W402", "nodes.a", "It is not used."),
            ],
            lambda one: "Insert Decode" if one.code == "W305" else "",
        )
    )
    return made


def test_a_click_goes_there_and_the_button_fixes(panel):
    gone, fixed = [], []
    panel.go.connect(gone.append)
    panel.fix.connect(fixed.append)
    view = panel.list
    QTest.mouseClick(
        view.viewport(),
        Qt.MouseButton.LeftButton,
        pos=view.visualRect(view.cards.index(1)).center(),
    )
    key = view.cards.card(0).key
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.button_rect(key).center())
    assert [problem.place for problem in gone] == [Place("", "loop")]
    assert [problem.code for problem in fixed] == ["W305"]
    assert fixed[0].place == Place("", "loop/save", "image")


def test_counts_are_told_when_they_change(panel):
    told = []
    panel.counted.connect(told.append)
    assert panel.counts == Counts(1, 1, 1)
    assert panel.counts.words == "1 problem, 1 warning, 1 note"
    panel.show_problems(list(panel._problems.values()))
    panel.show_problems([])
    assert told == [Counts()]
    assert Counts().words == ""


def test_notes_can_be_hidden_and_no_problems_is_good_news(panel):
    panel.tools[0].trigger()
    assert [card.icon for card in panel.list.cards.cards] == ["circle-alert", "triangle-alert"]
    panel.show_problems([])
    assert panel._empty.accessibleName() == "No problems. The graph can run."


def test_all_are_copied_with_their_codes(panel):
    panel.copy()
    first = QGuiApplication.clipboard().text().splitlines()[0]
    assert first == "W305 error: It takes an image."


def test_a_failed_run_is_a_problem_of_its_node():
    (problem,) = failures_of({Place("", "save"): ("Save image", "The disk is full.")})
    assert problem.title == "Save image failed in the last run."
    assert (problem.level, problem.reason) == ("error", "The disk is full.")
