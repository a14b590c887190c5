"""The viewer as its user has it: values, batches, comparison, files, by mouse and by keys."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QBuffer, QIODevice, Qt
from PySide6.QtGui import QGuiApplication, QImage, QTextOption
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.viewer.picture import LUMINANCE
from app.viewer.subject import Subject
from app.viewer.view import Compare
from backend.media.images import ImageOptions, read_image, write_image
from backend.values import Color, Conditioning, Image, Latent, Mask


def image(*shape: int, value: float | None = None) -> Image:
    if value is not None:
        return Image(np.full(shape, value, np.float32))
    return Image(np.random.default_rng(3).random(shape, np.float32))


def choose(button, words: str) -> None:
    """Pick an entry of a button's menu."""
    (action,) = [each for each in button.menu().actions() if each.text() == words]
    assert action.isEnabled()
    action.trigger()


@pytest.fixture
def saved(tmp_path) -> Path:
    """An output that carries how it was made."""
    told = {
        "workflow": json.dumps({"weft": 1, "title": "A scene"}),
        "node": "save",
        "seeds": {"seed": 4127},
        "models": [{"name": "primer", "hash": "blake3:1"}],
        "made": "2026-01-02T03:04:05Z",
        "seconds": 1.25,
    }
    path = tmp_path / "scene-1.png"
    write_image(path, image(1, 12, 20, 3), ImageOptions(), told)
    return path


def test_a_picture_is_named_and_told(panel):
    panel.look_at(Subject(image(1, 30, 40, 4), "Decode · image", "Image"))
    assert panel.bar.subject.text() == "Decode · image"
    assert panel.stage.footer.words == "40 x 30 · RGBA straight · sRGB"
    assert panel.bar.zoom.text().startswith("Fit ")
    assert panel.stage.view.accessibleName().startswith("Picture, Decode · image, 40 x 30")


@pytest.mark.parametrize(
    ("value", "view"),
    [
        ("a red circle", "text"),
        (Conditioning("t5", {"pooled": np.zeros((1, 768))}), "table"),
        ([1.0, 2.0, 0.5], "plot"),
        (4.25, "figure"),
        (Color(1, 0, 0), "figure"),
        (Mask(np.zeros((1, 8, 8))), "stage"),
        (Latent(np.ones((1, 4, 8, 8)), "flux-1"), "stage"),
        (None, "stage"),
    ],
)
def test_each_value_has_its_view(panel, value, view):
    panel.look_at(Subject(image(1, 4, 4, 3)))
    panel.look_at(Subject(value, "Some · output"))
    assert panel.stack.currentWidget() is getattr(panel, view)
    panel.grab()
    is_picture = view == "stage" and value is not None
    assert panel.bar.probe.isVisible() is is_picture
    assert panel.commands.save.isEnabled() is is_picture


def test_a_text_without_spaces_is_shown_at_once(panel):
    begun = time.monotonic()
    panel.look_at(Subject("x" * 1_000_000, "Letters", "Text"))
    panel.grab()
    assert len(panel.text.toPlainText()) == 1_000_000
    panel.look_at(Subject("a red circle", "Words", "Text"))
    assert time.monotonic() - begun < 10  # and not a minute
    assert panel.text.wordWrapMode() is QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere


def test_numbers_are_a_curve_or_a_table(panel):
    panel.look_at(Subject([1.0, 2.0, 0.5], "Numbers"))
    QTest.keyClick(panel.plot, Qt.Key.Key_Right)
    QTest.keyClick(panel.plot, Qt.Key.Key_Right)
    assert panel.plot.at == 1
    assert panel.plot.accessibleDescription() == "2: 2"
    panel.plot.setFocus()
    QTest.keyClick(panel.plot, Qt.Key.Key_T)
    assert panel.stack.currentWidget() is panel.table
    assert panel.table.model().index(2, 1).data() == "0.5"


def test_a_pixel_is_read_with_its_own_numbers_and_its_colour(panel):
    pixels = np.zeros((1, 10, 10, 4), np.float32)
    pixels[0, 3, 7] = (0.87, 0.32, 0.26, 1)
    panel.look_at(Subject(Image(pixels)))
    QTest.mouseClick(panel.bar.probe, Qt.MouseButton.LeftButton)
    panel.stage.view.set_pin((7, 3))
    assert panel.stage.footer.figures == "x 7  y 3  ·  0.87  0.32  0.26  1.00"
    assert panel.stage.footer.colour == "#de5242"
    panel.bar.stops.set_stops(1.0)
    assert panel.stage.footer.figures == "x 7  y 3  ·  0.87  0.32  0.26  1.00"
    assert panel.stage.footer.colour != "#de5242"


def test_a_batch_is_gone_through_by_keys_and_clicks(panel):
    panel.look_at(Subject(image(5, 10, 10, 3), "Decode"))
    assert panel.stage.strip.isVisible()
    QTest.keyClicks(panel.stage.view, "..")
    assert panel.stage.at == 2
    assert panel.stage.footer.words.startswith("3 of 5")
    row = panel.stage.strip.row
    QTest.mouseClick(row, Qt.MouseButton.LeftButton, pos=panel.stage.strip.cell(4).toPoint())
    assert panel.stage.at == 4
    QTest.keyClick(row, Qt.Key.Key_Home)
    assert panel.stage.at == 0
    panel.look_at(Subject(image(1, 10, 10, 3), "Decode"))
    assert panel.stage.strip.isHidden()


def test_the_exposure_is_dragged_typed_and_taken_back(panel):
    panel.look_at(Subject(image(1, 10, 10, 3)))
    stops, view = panel.bar.stops, panel.stage.view
    stops.setFocus()
    stops.selectAll()
    QTest.keyClicks(stops, "1.5")
    QTest.keyClick(stops, Qt.Key.Key_Return)
    assert view.development.stops == 1.5
    assert stops.text() == "EV 1.5"
    QTest.keyClick(stops, Qt.Key.Key_Up)
    assert view.development.stops == 1.6
    stops.selectAll()
    QTest.keyClicks(stops, "much")
    QTest.keyClick(stops, Qt.Key.Key_Return)
    assert stops.text() == "EV 1.6"
    QTest.mouseDClick(stops, Qt.MouseButton.LeftButton)
    assert view.development.stops == 0
    choose(panel.bar.exposure, "-2 EV")
    assert view.development.stops == -2


def test_channels_are_chosen_and_fit_the_next_picture(panel):
    panel.look_at(Subject(image(1, 10, 10, 4)))
    names = [each.text() for each in panel.bar.channels.menu().actions()]
    assert names == ["All channels", "Red", "Green", "Blue", "Alpha", "Luminance"]
    choose(panel.bar.channels, "Luminance")
    assert panel.stage.view.development.channel == LUMINANCE
    panel.look_at(Subject(Latent(np.ones((1, 4, 8, 8)), "flux-1")))
    assert panel.stage.view.development.channel == 0
    choose(panel.bar.channels, "Channel 3")
    assert panel.stage.view.development.channel == 2


def test_a_pinned_picture_is_wiped_against_and_subtracted(panel, spin):
    panel.look_at(Subject(image(1, 10, 10, 3, value=0.25), "First"))
    QTest.keyClick(panel.stage.view, Qt.Key.Key_P)
    panel.look_at(Subject(image(1, 10, 10, 3, value=0.75), "Second"))
    assert panel.stage.how is Compare.WIPE
    assert panel.stage.view.sides == ("A · Second", "B · First")
    panel.stage.view.set_pin((1, 1))
    assert panel.stage.footer.figures.endswith("0.75  0.75  0.75")
    panel.stage.view.set_pin((8, 1))  # right of the wipe lies B
    assert panel.stage.footer.figures.endswith("0.25  0.25  0.25")
    choose(panel.bar.compare, "Difference of A and B")
    spin(lambda: panel.stage.footer.words.startswith("Difference"))
    assert panel.stage.footer.figures.endswith("0.50  0.50  0.50")
    choose(panel.bar.compare, "A alone")
    assert panel.stage.view.divider() is None
    assert panel.stage.footer.figures.endswith("0.75  0.75  0.75")


def test_pictures_of_two_sizes_have_a_sentence_for_a_difference(panel, spin):
    panel.look_at(Subject(image(1, 10, 10, 3), "First"))
    panel.commands.pin.trigger()
    panel.look_at(Subject(image(1, 10, 12, 3), "Second"))
    panel.stage.compare(Compare.DIFFERENCE)
    spin(lambda: "one size" in panel.stage.view.sentence)
    panel.stage.compare(Compare.WIPE)
    assert panel.stage.view.picture is panel.picture


def test_the_histogram_is_counted_when_it_is_asked_for(panel, spin):
    panel.look_at(Subject(image(1, 10, 10, 3, value=0.5)))
    QTest.keyClick(panel.stage.view, Qt.Key.Key_H)
    spin(lambda: panel.stage.histogram.counts is not None)
    assert panel.stage.histogram.counts.bins[0, 128] == 100
    panel.grab()


def test_an_old_picture_says_so(panel):
    panel.look_at(Subject(image(1, 10, 10, 3), "Decode", job="job 11"))
    assert panel.stage.view.pill == ""
    panel.set_stale(True)
    assert panel.stage.view.pill == "Last run, job 11"
    panel.set_stale(False)
    assert panel.stage.view.pill == ""


def test_a_copied_picture_is_the_picture(panel):
    given = image(1, 10, 12, 4)
    panel.look_at(Subject(given))
    panel.bar.stops.set_stops(2.0)  # how it is looked at does not change what it is
    QTest.keyClick(panel.stage.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    copied = QGuiApplication.clipboard().image()
    assert (copied.width(), copied.height()) == (12, 10)
    pixel = copied.pixelColor(5, 4)
    expected = np.rint(given.pixels[0, 4, 5] * 255)
    assert [pixel.red(), pixel.green(), pixel.blue(), pixel.alpha()] == pytest.approx(
        expected, abs=2
    )


@pytest.mark.parametrize(("name", "near"), [("a.png", 1e-5), ("a.tif", 0.0)])
def test_a_saved_picture_is_the_picture(panel, spin, tmp_path, name, near):
    said = []
    panel.said.connect(said.append)
    given = image(1, 10, 12, 3)
    panel.look_at(Subject(given))
    panel.save_to(tmp_path / name)
    spin(lambda: said)
    assert said == [f"{name} is saved."]
    (back,) = read_image(tmp_path / name)
    assert np.abs(back.pixels - given.pixels).max() <= near
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_what_cannot_be_saved_is_said(panel, spin, tmp_path):
    said = []
    panel.said.connect(said.append)
    panel.look_at(Subject(image(1, 10, 12, 3)))
    panel.save_to(tmp_path / "a.doc")
    panel.save_to(tmp_path / "none" / "a.png")
    spin(lambda: len(said) == 2)
    assert said[0].startswith("Choose a name that ends in .png")
    assert said[1].startswith("a.png could not be written")


def test_a_picture_is_offered_as_an_input(panel):
    used = []
    panel.use_as_input.connect(lambda subject, at: used.append((subject, at)))
    subject = Subject(image(3, 10, 12, 3), "Decode")
    panel.look_at(subject)
    panel.stage.turn_to(2)
    QTest.keyClick(panel.stage.view, Qt.Key.Key_U)
    assert used == [(subject, 2)]


def test_a_file_is_shown_with_how_it_was_made(panel, spin, saved):
    opened = []
    panel.open_graph.connect(opened.append)
    panel.look_at_file(saved)
    spin(lambda: panel.subject.file == saved)
    assert np.array_equal(panel.picture.pixels, read_image(saved)[0].pixels[0])
    panel.commands.provenance.trigger()
    spin(lambda: panel.card.told.rows)
    assert dict(panel.card.told.rows) == {
        "Made": "2026-01-02 03:04:05 UTC", "Took": "1.2 s", "Saved by": "save",
        "Seed": "4127", "Model": "primer",
    }  # fmt: skip
    panel.card._open.click()
    assert json.loads(opened[0])["title"] == "A scene"
    panel.card._close.click()
    assert panel.card.isHidden()


def test_a_file_that_is_no_picture_is_a_sentence(panel, spin, tmp_path):
    said = []
    panel.said.connect(said.append)
    (tmp_path / "a.png").write_bytes(b"no picture")
    panel.look_at_file(tmp_path / "a.png")
    spin(lambda: said)
    assert "a.png" in said[0]


def test_a_preview_of_a_run_is_shown_and_broken_bytes_are_not(panel):
    codes = QImage(16, 12, QImage.Format.Format_RGB32)
    codes.fill(Qt.GlobalColor.red)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    codes.save(buffer, "JPEG", 95)
    panel.show_preview(bytes(buffer.data()), "Sample")
    assert panel.picture.pixels[5, 5] == pytest.approx([1, 0, 0], abs=0.02)
    panel.show_preview(b"no picture", "Other")
    assert panel.subject.title == "Sample"


def test_the_full_screen_comes_and_goes(panel):
    panel.look_at(Subject(image(1, 10, 12, 3)))
    panel.commands.full_screen.trigger()
    screen = panel.content.window()
    assert screen is not panel.window()
    assert screen.isFullScreen()
    QTest.keyClick(screen, Qt.Key.Key_Escape)
    assert panel.content.window() is panel.window()
    assert not panel.commands.full_screen.isChecked()
    assert panel.content.isVisible()


def test_both_themes_are_painted(panel, theme):
    panel.look_at(Subject(image(2, 10, 12, 3), "Decode", "Image"))
    dark = panel.grab().toImage()
    theme.set_dark(False)
    QApplication.processEvents()
    assert panel.grab().toImage() != dark


def test_everything_has_a_name_for_screen_readers(panel):
    panel.look_at(Subject(image(2, 10, 12, 3), "Decode", "Image"))
    bar = panel.bar
    named = [bar.subject, bar.exposure, bar.channels, bar.compare, bar.probe, bar.histogram,
             bar.stops, bar.zoom, bar.more, panel.stage.view, panel.stage.strip.row]  # fmt: skip
    assert all(each.accessibleName() for each in named)
