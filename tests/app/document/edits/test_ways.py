"""Reroutes and named links: how links are drawn, never what is linked."""

from __future__ import annotations

import pytest

from app.document.edits.common import EditError
from app.document.edits.connect import disconnect
from app.document.edits.ways import (
    Dot,
    add_reroute,
    branch,
    connect_by_name,
    dots_of,
    draw_links,
    move_reroute,
    name_links,
    names_of,
    remove_reroute,
)
from app.document.level import Link
from backend.graph.check import check
from backend.graph.format import dump, parse

TEXT = """{
  "weft": 1,
  "nodes": {
    "photo": {"type": "load_image", "version": 1},
    "soft": {"type": "blur", "version": 1, "inputs": {"image": "photo.image"}},
    "save": {"type": "save_image", "version": 1, "inputs": {"image": "photo.image"}},
    "other": {"type": "save_image", "version": 1}
  }
}"""
TO_SOFT = Link("photo", "image", "soft", "image")
TO_SAVE = Link("photo", "image", "save", "image")
TO_OTHER = Link("photo", "image", "other", "image")


@pytest.fixture
def document():
    return parse(TEXT, "here")


def test_links_of_one_output_share_a_reroute(document, spec_of, sound) -> None:
    made = add_reroute(document, "", TO_SOFT, (100, 50))
    made = add_reroute(made, "", TO_SOFT, (200, 50))
    made = sound(branch(made, "", Dot("photo.image", 100, 50), TO_OTHER, spec_of))
    dots = dots_of(made.layout)
    assert [len(ways) for ways in dots.values()] == [2, 1]
    made = move_reroute(made, "", Dot("photo.image", 100, 50), (120, 60))
    assert [(p.x, p.y) for way in made.layout.ways for p in way.via] == [
        (120, 60),
        (200, 50),
        (120, 60),
    ]
    made = move_reroute(made, "", Dot("photo.image", 120, 60), (200, 50))
    assert [len(way.via) for way in made.layout.ways] == [1, 1]
    made = remove_reroute(made, "", Dot("photo.image", 200, 50))
    assert made.layout == document.layout
    with pytest.raises(KeyError):
        remove_reroute(made, "", Dot("photo.image", 0, 0))
    with pytest.raises(KeyError):
        add_reroute(made, "", TO_OTHER._replace(target="soft", input="radius"), (0, 0))


def test_an_output_is_linked_by_its_name(document, spec_of, wires, sound) -> None:
    made = sound(name_links(document, "", "photo", "image", "Picture"))
    assert names_of(made.layout) == {"Picture": "photo.image"}
    assert len(made.layout.ways) == 2
    made = sound(connect_by_name(made, "", "Picture", "other", "image", spec_of))
    assert "photo.image > other.image" in wires(made)
    assert len(made.layout.ways) == 3
    made = name_links(made, "", "photo", "image", "Photo")
    assert names_of(made.layout) == {"Photo": "photo.image"}
    assert draw_links(made, "", "Photo").layout == document.layout
    with pytest.raises(EditError, match="Nothing is linked"):
        name_links(made, "", "photo", "mask")
    with pytest.raises(EditError, match="No link is called X"):
        connect_by_name(made, "", "X", "other", "image", spec_of)


def test_a_way_goes_with_its_link(document) -> None:
    made = name_links(add_reroute(document, "", TO_SOFT, (1, 2)), "", "photo", "image")
    made = disconnect(made, "", [TO_SOFT])
    assert [way.target for way in made.layout.ways] == ["save.image"]


def test_drawing_changes_no_run_and_an_older_reader_keeps_it(document, registry) -> None:
    made = name_links(add_reroute(document, "", TO_SOFT, (1, 2)), "", "photo", "image")
    assert check(made, registry).flat == check(document, registry).flat
    assert {d.code for d in check(made, registry).diagnostics} == {
        d.code for d in check(document, registry).diagnostics
    }
    assert parse(dump(made), "again") == made
    # To one who knows no ways they are an unknown field, which files keep.
    older = dump(made).replace('"ways"', '"later_ways"')
    assert dump(parse(older, "older")) == older
