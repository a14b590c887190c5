"""Listing the pictures of a folder."""

import os
from pathlib import Path

import pytest

from backend.media import folders
from backend.media.folders import check_total, list_images, natural
from backend.sdk import UserError
from tests.backend.media.picture_files import gradient, noise, pil_bytes, put


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    names = ["img10.png", "img2.png", "IMG1.PNG", "note.txt", ".hidden.png", "b.jpg", "c.TIFF"]
    for age, name in enumerate(names):
        put(tmp_path, b"", name)
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / "folder.png").mkdir()
    return tmp_path


def test_pictures_by_name_with_numbers_by_value(shots: Path) -> None:
    wanted = ["b.jpg", "c.TIFF", "IMG1.PNG", "img2.png", "img10.png"]
    assert list_images(shots, "*", "name") == wanted
    assert list_images(shots, "", "name") == wanted


def test_pictures_by_age(shots: Path) -> None:
    newest = ["img10.png", "img2.png", "IMG1.PNG", "b.jpg", "c.TIFF"]
    assert list_images(shots, "*", "newest") == newest
    assert list_images(shots, "*", "oldest") == newest[::-1]


def test_patterns_choose_and_case_does_not_count(shots: Path) -> None:
    assert list_images(shots, "img?.png", "name") == ["IMG1.PNG", "img2.png"]
    assert list_images(shots, "*.JPG; *.tiff", "name") == ["b.jpg", "c.TIFF"]
    assert list_images(shots, "*.txt", "name") == []


def test_a_pattern_cannot_blow_up(shots: Path) -> None:
    put(shots, b"", "a" * 100 + ".png")
    assert list_images(shots, "*a" * 40 + "*b.png", "name") == []


def test_digits_of_other_scripts_are_letters() -> None:
    assert natural("٣.png") != natural("3.png")
    assert sorted(["a²", "a10", "a9"], key=natural)[:2] == ["a9", "a10"]


def test_what_is_no_folder_is_a_sentence(shots: Path) -> None:
    with pytest.raises(UserError, match="is a file"):
        list_images(shots / "b.jpg", "*", "name")
    with pytest.raises(UserError, match="cannot be listed"):
        list_images(shots / "nil", "*", "name")


def test_a_folder_of_too_many_files(shots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST_ENTRIES", 3)
    with pytest.raises(UserError, match="more than 3 files"):
        list_images(shots, "*", "name")


def test_all_pictures_together_are_capped_by_their_headers(tmp_path: Path) -> None:
    small = put(tmp_path, pil_bytes(gradient(), "PNG"), "small.png")
    asked: list[int] = []
    check_total("shots", [small] * 3, lambda: asked.append(1))
    assert len(asked) == 3  # before each file
    huge = bytearray(pil_bytes(noise(1, 1, 3), "WEBP"))
    canvas = b"VP8X\x0a\0\0\0\0\0\0\0" + (16383).to_bytes(3, "little") * 2
    huge[12:12] = canvas
    huge[4:8] = (len(huge) - 8).to_bytes(4, "little")
    large = put(tmp_path, bytes(huge), "large.webp")
    with pytest.raises(UserError, match="pixels together"):
        check_total("shots", [large, small], lambda: None)
