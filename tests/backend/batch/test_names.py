"""Names of outputs: what is written out, what is left to the engine, and which jobs clash."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.batch.errors import BatchError
from backend.batch.names import Clashes, Saving, check_template, shown_name, written
from backend.batch.rows import Point, Value
from backend.media.names import fill

POINT = Point(
    7,
    3,
    (
        Value("prompt", "text.text", "multiline", "a red circle"),
        Value("photo", "photo.file", "file", "in/Hills {1}.jpg"),
        Value("radius", "loop/blur.radius", "number", 2.5),
        Value("sample.steps", "sample.steps", "integer", 20),
    ),
)
COLUMNS = {value.name: value.target for value in POINT.values} | {"empty": "loop/blur.sigma"}
PLACES = {"text.text", "photo.file", "sample.steps", "sample.cfg"}


@pytest.mark.parametrize(
    ("template", "left"),
    [
        ("{row}-{index:4}", "3-0007"),
        ("{prompt:8}-{counter:3}", "{text.text:8}-{counter:3}"),
        ("{photo}", "Hills {{1}}"),
        ("{radius}-{empty}", "2.5-_"),
        ("{sample.steps}-{sample.cfg}-{seed}", "{sample.steps}-{sample.cfg}-{seed}"),
        ("{{{row}}}/{node}", "{{3}}/{node}"),
    ],
)
def test_only_what_the_engine_knows_is_left_to_it(template, left):
    check_template(template, COLUMNS, PLACES)
    assert written(template, POINT, PLACES, COLUMNS) == left


def test_without_a_table_the_row_is_the_number_of_the_job():
    assert written("{row}", Point(7, 0, ()), (), {}) == "7"


@given(st.text(max_size=60))
def test_no_value_chooses_a_folder(text):
    point = Point(1, 1, (Value("p", "loop/n.p", "text", text),))
    name = fill(written("{p}", point, (), {"p": "loop/n.p"}), {})
    assert name.folders == ()
    assert not name.stem(1).startswith(".")


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{foo}", r"--name \{foo\}: \{foo\} is not known"),
        ("../{row}", "as a folder"),
        ("/{row}", "begins or ends with"),
        ("{row", "is no field"),
        ("{counter}/{counter}", r"\{counter\} may stand once"),
    ],
)
def test_a_template_that_cannot_be_is_a_sentence(template, why):
    with pytest.raises(BatchError, match=why):
        check_template(template, COLUMNS, PLACES)


def clash(one: Saving, two: Saving, *fields: dict) -> None:
    clashes = Clashes()
    for index, (saving, known) in enumerate(zip((one, two), fields, strict=True), 1):
        clashes.add(Point(index, 0, ()), [saving], known)


def test_two_jobs_that_would_write_one_file_are_told():
    keep = Saving("keep", "x-{a.b}", "replace", "save_image png")
    with pytest.raises(BatchError, match=r"Jobs 1 and 2 would both write x-A \(keep, whose"):
        clash(keep, keep, {"a.b": "a"}, {"a.b": "A"})
    clash(keep, keep, {"a.b": "a"}, {"a.b": "b"})
    clash(keep, Saving("keep", "x-{a.b}", "replace", "save_image jpeg"), {"a.b": 1}, {"a.b": 1})


@pytest.mark.parametrize("template", ["x-{counter}", "x-{seed}"])
def test_what_is_numbered_or_known_only_later_is_no_clash(template):
    keep = Saving("keep", template, "refuse")
    clash(keep, keep, {}, {})
    numbered = Saving("keep", "x", "number")
    clash(numbered, numbered, {}, {})


def test_a_name_that_a_value_spoils_is_told():
    with pytest.raises(BatchError, match="keep: The output name"):
        Clashes().add(POINT, [Saving("keep", "a/../b", "replace")], {})


def test_a_name_is_shown_as_far_as_it_is_known():
    known = {"node": "keep", "sample.cfg": 2.5}
    assert shown_name("{node}/{sample.cfg}-{counter:3}", known) == "keep/2.5-###"
    assert shown_name("{time}-{counter}x", known) == "{time}-#x"
    assert shown_name("a {{b}}", known) == "a {b}"
    with pytest.raises(BatchError, match="hidden name"):
        shown_name(".{node}", known)
