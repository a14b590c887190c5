"""Boxes as people type them: JSON, or a file with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.graph.spec import Param
from backend.graph.typed import Untypable, read_value

BOXES = Param("boxes", "boxes", ())
JSON = '[{"box": [0.1, 0.2, 0.3, 0.4], "caption": "a cat"}]'


def test_boxes_are_json_or_a_file_with_it(tmp_path: Path) -> None:
    wanted = [{"box": [0.1, 0.2, 0.3, 0.4], "caption": "a cat"}]
    assert read_value(BOXES, JSON, "l.boxes") == wanted
    (tmp_path / "b.json").write_text("\ufeff" + JSON, "utf-8")
    assert read_value(BOXES, f"@{tmp_path / 'b.json'}", "l.boxes") == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a cat", "'a cat' is no JSON"),
        ('[{"box": [2, 2, 1, 1]}]', "it has box 1 outside of the picture"),
        ("@/nowhere/b.json", "b.json cannot be read"),
        ("@/", "cannot be read"),
    ],
)
def test_what_is_no_box_is_told(text: str, said: str) -> None:
    with pytest.raises(Untypable, match=said):
        read_value(BOXES, text, "l.boxes")
