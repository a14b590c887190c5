"""Output name templates, and that no value of a field can leave the output folder."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.media.names import fields_of, fill, harmless
from backend.sdk import UserError
from backend.values.filenames import is_reserved

FIELDS = {"node": "save", "seed": 7, "sample.cfg": 3.5, "prompt.text": "a red/blue *circle*"}


def test_fields_counter_and_folders() -> None:
    name = fill("portraits/{node}-{counter:4}-{seed:3}", FIELDS)
    assert name.folders == ("portraits",)
    assert name.stem(12) == "save-0012-007"


def test_a_name_without_counter_is_numbered_behind() -> None:
    name = fill("{node}", FIELDS)
    assert [name.stem(1), name.stem(2)] == ["save", "save-2"]


def test_parameters_of_nodes_and_widths_of_text() -> None:
    assert fill("{sample.cfg}", FIELDS).stem(1) == "3.5"
    assert fill("{prompt.text:5}", FIELDS).stem(1) == "a red"
    assert fill("{prompt.text}", FIELDS).stem(1) == "a red_blue _circle_"


def test_braces_can_be_written() -> None:
    assert fill("{{{node}}}", FIELDS).stem(1) == "{save}"
    assert fields_of("{{x}}/{node}-{seed}{node}") == ("node", "seed")


@pytest.mark.parametrize(
    ("template", "word"),
    [
        ("{nil}", "not known here"),
        ("{node", "no field"),
        ("node}", "no field"),
        ("{}", "no field"),
        ("{a.b.c}", "no field"),
        ("{node:0}", "width"),
        ("{node!r}", "no field"),
        ("{node.__class__}", "not known"),
        ("../{node}", "as a folder"),
        ("/tmp/{node}", "begins or ends"),
        ("a//b", "begins or ends"),
        ("a/", "begins or ends"),
        ("", "is empty"),
        (".hidden", "hidden"),
        ("a/.git/x", "hidden"),
        ("a\\b", "character"),
        ("c:x", "character"),
        ("a\nb", "control"),
        ("nul", "Windows"),
        ("com{counter}", "Windows"),
        ("a ./b", "ends with a dot"),
        ("{counter}/x", "may stand once"),
        ("{counter}{counter}", "may stand once"),
        ("x" * 201, "too long"),
        ("é" * 101, "too long"),
        ("x" * 1001, "1000"),
    ],
)
def test_names_that_are_refused(template: str, word: str) -> None:
    with pytest.raises(UserError, match=word):
        fill(template, FIELDS)


def test_a_number_of_any_length_is_a_sentence() -> None:
    with pytest.raises(UserError, match="too long"):
        fill("{big}", {"big": 9**9999})


def test_long_values_are_shortened_and_long_literals_refused() -> None:
    name = fill("{a}-{b}-{counter:3}", {"a": "画" * 80, "b": "x" * 80})
    assert len(name.stem(1).encode()) <= 200
    assert name.stem(1).startswith("画" * 20)
    assert name.stem(1).endswith("-001")
    assert len(fill("{a}{counter:80}", {"a": "画" * 50}).stem(1).encode()) <= 200


def test_a_value_that_windows_takes_for_a_device_is_changed() -> None:
    assert [harmless(value) for value in ("con", "NUL.txt", "console")] == [
        "_con",
        "_NUL.txt",
        "console",
    ]
    assert fill("{a}", {"a": "aux"}).stem(1) == "_aux"


@given(st.text(max_size=200))
def test_no_value_can_choose_a_folder(value: str) -> None:
    piece = harmless(value)
    path = PurePosixPath(piece)
    assert path.parts == (piece,)
    assert not piece.startswith(".")
    assert not is_reserved(piece)
    assert not set(piece) & set('<>:"/\\|?*\0')
    piece.encode()


@given(st.text(max_size=60), st.text(max_size=60), st.booleans())
def test_a_filled_template_stays_one_file_in_its_folder(a: str, b: str, counted: bool) -> None:
    template = "out/{a}-{b}" + ("-{counter}" if counted else "")
    name = fill(template, {"a": a, "b": b})
    assert name.folders == ("out",)
    assert "/" not in name.stem(1)
    assert name.stem(1) not in ("", ".", "..")
    assert name.stem(1) != name.stem(2)
    assert len(name.stem(1).encode()) <= 200


@given(st.text(max_size=40))
def test_any_template_gives_a_safe_name_or_a_sentence(template: str) -> None:
    try:
        name = fill(template, FIELDS)
    except UserError:
        return
    for part in (*name.folders, name.stem(1)):
        assert part not in ("", ".", "..")
        assert "/" not in part
        assert not part.startswith(".")
