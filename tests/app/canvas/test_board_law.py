"""A board that has followed a document edit by edit shows what one shows that opens it now."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QRectF

from app.canvas.board import Board
from app.canvas.measure import rows_of
from app.document.edits.common import EditError
from app.document.edits.kinds import output_end
from app.document.edits.place import move_to
from app.document.level import graph_of, layout_of, put_layout, walk
from app.document.session import Session
from backend.graph.document import Graph, Node, Placement, Ref, Workflow
from tests.app.canvas.bench import chain
from tests.app.document.edits.test_laws import Hand

WHOLE = QRectF(-1e6, -1e6, 2e6, 2e6)
Reading = Callable[[Board], dict[str, Any]]


def without_places(board: Board) -> dict[str, Any]:
    """What a board shows, without where."""
    nodes = {
        path: (view.shape if not view.zone else None, view.title, view.hue_type, view.spec,
               view.placement, view.node, view.zone, view.above, view.outs)
        for path, view in board.nodes.items()
    }  # fmt: skip
    links = {
        link: (view.type, view.many, view.via, view.name) for link, view in board.links.items()
    }
    leaving = {
        (path, name): frozenset(board.links_from(path, name))
        for path, view in board.nodes.items()
        for name in view.outs
    }
    parts = {"frames": board.frames, "notes": board.notes, "zones": [v.path for v in board.zones]}
    return {"order": list(board.nodes), "nodes": nodes, "links": links, "leaving": leaving, **parts}


def with_places(board: Board) -> dict[str, Any]:
    """What a board shows, and where: painted, and found by the pointer."""
    places = {
        path: (view.x, view.y, view.shape, board._index.box(path))
        for path, view in board.nodes.items()
    }
    curves = {
        link: (view.start, view.end, tuple(round(v, 6) for v in board._link_index.box(link)))
        for link, view in board.links.items()  # as near as Qt compares points
    }
    return {
        **without_places(board),
        "places": places,
        "curves": curves,
        "found": [view.path for view in board.nodes_in(WHOLE)],
        "found links": {view.link for view in board.links_in(WHOLE)},
    }


def all_placed(workflow, level):
    """The document with a place in its layout for every node."""
    layout = layout_of(workflow, level)
    paths = [path for path, _ in walk(graph_of(workflow, level))]
    loose = {p: (40.0 * n, 24.0 * n) for n, p in enumerate(paths) if p not in layout.nodes}
    workflow = move_to(workflow, level, loose) if loose else workflow
    layout = layout_of(workflow, level)
    if level and "$" not in layout.nodes:
        ends = {"$": Placement(-400, 0), "$out": Placement(900, 0)}
        workflow = put_layout(workflow, level, replace(layout, nodes={**layout.nodes, **ends}))
    return workflow


class Follow:
    """A session, and for every level a board which follows its edits."""

    def __init__(self, hand: Hand, read: Reading) -> None:
        self.session, self.hand, self.read = Session(), hand, read
        self.boards: dict[str, Board] = {}

    def edit(self) -> None:
        with suppress(EditError):
            self.session.edit("Edit", self._change)

    def step(self, back: bool) -> None:
        (self.session.undo if back else self.session.redo)()

    def _change(self, workflow):
        workflow = self.hand.edit(workflow)
        if self.read is with_places:
            for level in ("", *workflow.subgraphs):
                workflow = all_placed(workflow, level)
        return workflow

    def differences(self) -> list[tuple[object, ...]]:
        """All boards follow: what they show otherwise than new ones, and links that are not of the
        type of their output."""
        found: list[tuple[object, ...]] = []
        workflow = self.session.workflow
        levels = {"", *workflow.subgraphs}
        for level in self.boards.keys() - levels:
            del self.boards[level]
        for level in levels:
            fresh = Board(self.hand.spec_of)
            fresh.open(workflow, level)
            board = self.boards.setdefault(level, fresh)
            board.sync(workflow)
            here, there = self.read(board), self.read(fresh)
            found += [
                (level, part, here[part], there[part]) for part in here if here[part] != there[part]
            ]
            for link, view in board.links.items():
                end = output_end(workflow, level, link.source, link.output, self.hand.spec_of)
                if view.type != end.type:
                    found.append((level, link, view.type, end.type))
        return found


@settings(max_examples=60)
@given(st.data())
def test_following_any_edits_shows_what_opening_shows(book, data):
    follow = Follow(Hand(data.draw, book.specs, book.spec_of), with_places)
    assert follow.differences() == []
    for _ in range(data.draw(st.integers(1, 20))):
        follow.edit()
        assert follow.differences() == []
    for _ in range(data.draw(st.integers(0, 6))):
        follow.step(back=data.draw(st.booleans()))
        assert follow.differences() == []


class Throw(Hand):
    """Chooses evenly, so that large documents come about."""

    def __init__(self, book, dice: Random) -> None:
        super().__init__(lambda _: dice.randint(0, 3), book.specs, book.spec_of)
        self.dice = dice

    def one(self, options):
        options = list(options)
        return self.dice.choice(options) if options else None


@pytest.mark.parametrize("read", [with_places, without_places])
@pytest.mark.parametrize("seed", range(40))
def test_following_long_ways_of_edits(book, seed, read):
    dice = Random(seed)
    follow = Follow(Throw(book, dice), read)
    assert follow.differences() == []
    for _ in range(60):
        follow.edit()
        assert follow.differences() == []
    for _ in range(20):
        follow.step(back=dice.random() < 0.6)
        assert follow.differences() == []


def test_a_zone_that_becomes_another_node_leaves_no_link_behind(book):
    """An empty zone gives a value from outside; then a node of its name stands there."""
    paper = Node("solid_image")
    zone = Node("repeat", body=Graph({}, {"image": Ref("paper", "image")}))
    before = Workflow(Graph({"paper": paper, "loop": zone}))
    after = Workflow(Graph({"paper": paper, "loop": Node("blur")}))
    board = Board(book.spec_of)
    board.open(before, "")
    assert board.nodes["paper"].outs == {"image": 1}
    board.sync(after)
    assert board.nodes["paper"].outs == {}
    assert not board.zones


def test_rows_of_another_height_show_what_opening_with_them_shows(book):
    board, roomy = Board(book.spec_of), rows_of("roomy")
    board.open(chain(), "")
    before = board.nodes["blur"].shape.height
    board.set_rows(roomy)
    fresh = Board(book.spec_of, roomy)
    fresh.open(chain(), "")
    assert with_places(board) == with_places(fresh)
    assert board.nodes["blur"].shape.height > before
