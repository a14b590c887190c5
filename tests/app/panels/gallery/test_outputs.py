"""The files of an output folder: which are listed, found by a search, and kept."""

import json
import os

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.panels.gallery.outputs import Kept, matches, outputs_in, words_in
from backend.media.images import ImageOptions, write_image
from backend.values import Image


def test_outputs_are_listed_newest_first_without_what_is_hidden(tmp_path):
    for at, name in enumerate(["old.png", "sub/new.png", "words.txt"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (100 + at, 100 + at))
    for name in ["old.png.weft.json", ".hidden.png", ".weft-trash/gone.png"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "link.png").symlink_to(tmp_path / "old.png")
    assert [each.name for each in outputs_in(tmp_path)] == ["words.txt", "sub/new.png", "old.png"]
    assert [each.is_picture for each in outputs_in(tmp_path)] == [False, True, True]
    assert outputs_in(tmp_path / "none") == ()


def test_a_search_looks_into_prompts_seeds_and_models(tmp_path):
    workflow = {
        "weft": 1, "title": "Harbour",
        "nodes": {"encode": {"type": "text.encode", "params": {"text": "A Red Circle", "n": 3}}},
    }  # fmt: skip
    told = {
        "workflow": json.dumps(workflow),
        "seeds": {"seed": 4127},
        "models": [{"name": "primer", "hash": "x"}],
    }
    write_image(tmp_path / "a.png", Image(np.zeros((1, 4, 4, 3))), ImageOptions(), told)
    words = words_in(tmp_path / "a.png")
    assert matches("red 4127", "a.png", words)
    assert matches("HARBOUR primer a.p", "a.png", words)
    assert not matches("blue", "a.png", words)
    assert "text.encode" not in words


def test_a_file_that_tells_nothing_has_no_words(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert words_in(tmp_path / "a.png") == ""
    assert words_in(tmp_path / "none.png") == ""


def test_what_is_kept_is_remembered(tmp_path):
    kept = Kept(tmp_path / "state" / "kept.json")
    kept.mark(["a.png", "sub/b.png"], True)
    kept.mark(["a.png"], False)
    again = Kept(tmp_path / "state" / "kept.json")
    assert "sub/b.png" in again
    assert "a.png" not in again
    assert [each.name for each in (tmp_path / "state").iterdir()] == ["kept.json"]


@given(st.binary(max_size=60))
def test_a_broken_list_keeps_nothing(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("kept") / "kept.json"
    path.write_bytes(b"{" + content)
    assert len(Kept(path)) == 0
