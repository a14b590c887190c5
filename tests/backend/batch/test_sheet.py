"""Contact sheets: every picture in its cell, lines below, pages where there are many."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from backend.batch import sheet
from backend.batch.errors import BatchError
from backend.batch.sheet import Shown, captions, pages, write_sheet


def picture(path, size, color):
    Image.new("RGB", size, color).save(path)
    return path


def nothing() -> None:
    """No wish to stop."""


def test_pictures_stand_in_order_each_in_a_cell(tmp_path):
    red = picture(tmp_path / "r.png", (600, 300), "#ff0000")
    blue = picture(tmp_path / "b.jpg", (20, 40), "#0000ff")
    shown = [Shown(red, ("x 1",)), Shown(blue, ("x 2",)), Shown(tmp_path / "gone.png", ("x 3",))]
    (file,) = write_sheet(tmp_path / "new" / "s.png", shown, nothing)
    pixels = np.asarray(Image.open(file)).astype(int)
    width, height = 256 + 10 + 256, 2 * (128 + 17) + 10
    assert pixels.shape == (height, width, 3)
    assert pixels[64, 128].tolist() == [255, 0, 0]
    assert np.abs(pixels[64, 256 + 10 + 128] - [0, 0, 255]).max() < 4
    assert pixels[10, 256 + 10 + 128].tolist() == [255, 255, 255]
    assert pixels[128:145, :256].min() < 100  # a caption
    assert pixels[155 + 64, 20:236].min() < 100  # what is wrong with the third
    assert not list((tmp_path / "new").glob(".*"))


def test_a_picture_of_16_bits_or_with_alpha_lies_on_white(tmp_path):
    Image.fromarray(np.full((8, 8), 65535 // 2, np.uint16)).save(tmp_path / "deep.png")
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    shown = [Shown(tmp_path / "deep.png", ()), Shown(tmp_path / "clear.png", ())]
    (file,) = write_sheet(tmp_path / "s.png", shown, nothing)
    pixels = np.asarray(Image.open(file)).astype(int)
    assert abs(pixels[64, 64, 0] - 127) < 3
    assert pixels[64, 128 + 10 + 64].tolist() == [255, 255, 255]


def test_many_pictures_take_several_pages(tmp_path, monkeypatch):
    monkeypatch.setattr(sheet, "PER_PAGE", 4)
    monkeypatch.setattr(sheet, "MOST", 9)
    one = picture(tmp_path / "r.png", (8, 8), "#ff0000")
    files = write_sheet(tmp_path / "s.png", [Shown(one, ())] * 20, nothing)
    assert [file.name for file in files] == ["s.png", "s-2.png", "s-3.png"]
    assert [Image.open(file).width for file in files] == [4 * 138 - 10, 4 * 138 - 10, 128]
    assert files == pages(tmp_path / "s.png", 20)


def test_a_page_that_cannot_be_written_is_a_sentence(tmp_path):
    one = picture(tmp_path / "r.png", (8, 8), "#ff0000")
    with pytest.raises(BatchError, match="cannot be written"):
        write_sheet(one / "s.png", [Shown(one, ())], nothing)


def test_a_caption_says_what_differs_in_short():
    values = {"sample.cfg": 1.5, "prompt": "a\nb", "other.cfg": 2, "x.y": True, "z.z": 1}
    assert captions(values, ["prompt", "x.y"]) == ("prompt a b", "y True")
    assert captions(values, ["sample.cfg", "other.cfg"]) == ("sample.cfg 1.5", "other.cfg 2")
    assert captions(values, list(values)) == (
        "sample.cfg 1.5", "prompt a b", "other.cfg 2, y True, z 1",
    )  # fmt: skip
    assert captions({}, ["prompt"]) == ()
