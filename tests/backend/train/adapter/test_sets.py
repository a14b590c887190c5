"""Training sets: what a folder says, and a sentence for each that says nothing sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.catalog.errors import CatalogError
from backend.train.adapter.sets import Drawn, Example, read_set, write_set

GREY = np.full((8, 8, 3), 128, np.uint8)


def picture(path: Path) -> Path:
    Image.fromarray(GREY).save(path)
    return path


def with_words(folder: Path, name: str, words: str = "a cat") -> Path:
    (folder / name).with_suffix(".txt").write_text(words, "utf-8")
    return picture(folder / name)


def test_pictures_with_text_files_beside_them_are_a_set(tmp_path: Path) -> None:
    one = with_words(tmp_path, "a.png", "a cat\n on  a mat\n")
    beside = [picture(tmp_path / f"a.reference{k}.png") for k in (1, 2)]
    assert read_set(tmp_path) == (Example(one, "a cat on a mat", tuple(beside)),)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    drawn = [Drawn(GREY, "first", (GREY // 2,)), Drawn(GREY // 4, "second", (GREY,))]
    assert write_set(tmp_path, drawn) == 2
    found = read_set(tmp_path)
    assert [each.caption for each in found] == ["first", "second"]
    with Image.open(found[0].references[0]) as beside:
        assert np.array_equal(np.asarray(beside), GREY // 2)


def test_a_set_that_was_not_finished_is_none(tmp_path: Path) -> None:
    def broken() -> object:
        yield Drawn(GREY, "first")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_set(tmp_path, broken())  # type: ignore[arg-type]
    with pytest.raises(CatalogError, match=r"00000\.png in .* has no caption"):
        read_set(tmp_path)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("[1]", 'line 1 of .* names no "picture"'),
        ("{", "line 1 of .* is no JSON"),
        ('{"picture": 3}', 'names no "picture"'),
        ('{"picture": "a.png", "caption": 7}', '"caption" is a text'),
        ('{"picture": "a.png", "references": "a.png"}', '"references" a list'),
        ('{"picture": "../a.png"}', "lies outside of"),
        ('{"picture": "/etc/hostname"}', "lies outside of"),
        ('{"picture": "b.png"}', "there is no b.png"),
        ('{"picture": "a.png", "references": ["c.png"]}', "there is no c.png"),
    ],
)
def test_a_row_that_says_nothing_sound_is_named(tmp_path: Path, row: str, said: str) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "set.jsonl").write_text(row + "\n", "utf-8")
    with pytest.raises(CatalogError, match=said):
        read_set(tmp_path)


def test_a_folder_without_a_set_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="is no folder"):
        read_set(tmp_path / "no")
    with pytest.raises(CatalogError, match="has no pictures to learn from"):
        read_set(tmp_path)
    lone = tmp_path / "lone"
    lone.mkdir()
    with_words(lone, "a.png")
    picture(lone / "b.reference.png")
    with pytest.raises(CatalogError, match=r"b\.reference\.png in .*lone belongs to no picture"):
        read_set(lone)


def test_every_example_has_as_many_pictures_beside_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with_words(tmp_path, f"{name}.png")
    picture(tmp_path / "b.reference.png")
    with pytest.raises(CatalogError, match=r"b\.png has 1 pictures beside it, others have 0"):
        read_set(tmp_path)


def test_names_go_by_their_numbers_and_share_no_caption(tmp_path: Path) -> None:
    with_words(tmp_path, "a.png", "\ufeffa cat")
    for k in (10, 2, 1):
        picture(tmp_path / f"a.reference{k}.png")
    (found,) = read_set(tmp_path)
    assert found.caption == "a cat"
    assert [p.name[11:-4] for p in found.references] == ["1", "2", "10"]
    picture(tmp_path / "a.jpg")
    with pytest.raises(CatalogError, match=r"would share their caption"):
        read_set(tmp_path)


def test_a_table_may_hold_any_letters(tmp_path: Path) -> None:
    write_set(tmp_path, [Drawn(GREY, "one\u2028two\x85three")])
    text = (tmp_path / "set.jsonl").read_text("utf-8")
    (tmp_path / "set.jsonl").write_text("\ufeff" + text, "utf-8")
    assert read_set(tmp_path)[0].caption == "one\u2028two\x85three"


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "set"
    place.mkdir()
    picture(tmp_path / "outside.png")
    (place / "a.png").symlink_to(tmp_path / "outside.png")
    with pytest.raises(CatalogError, match="lies outside of"):
        read_set(place)
