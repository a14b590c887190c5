"""Videos and sounds as their user has them: real files, clicks and keys, a clock that is set."""

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAccessible, QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolButton

from app.viewer import read_ahead
from app.viewer.picture import Picture
from app.viewer.read_ahead import ReadAhead
from app.viewer.subject import Subject
from app.widgets.spoken import speak
from backend.media.film.load import load_film
from backend.media.sounds import write_sound
from backend.values import Audio, Image, Video
from tests.backend.media.film.films import film, grey

Key = Qt.Key
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def walk(tmp_path) -> Path:
    """Twelve frames, ten a second, with a tone of 1.2 seconds."""
    return film(tmp_path / "walk.mp4", sound=1.2)


@pytest.fixture
def clock(panel):
    """The time by which the player goes; it moves when it is told to."""

    class Clock:
        now = 100.0

        def __call__(self) -> float:
            return self.now

        def on(self, seconds: float) -> None:
            self.now += seconds
            panel.player.tick()

    made = panel.player._clock = Clock()
    panel.player._timer.setInterval(100_000_000)
    return made


@pytest.fixture
def watched(panel, walk, spin):
    """A panel that shows the film."""
    panel.look_at(Subject(load_film(walk).video, "Load video · video", "Video"))
    spin(lambda: panel.player.shown == 0)
    return panel


def brightness(panel) -> int:
    """The grey of the picture that is seen, away from the dark quarter."""
    return round(float(panel.stage.picture.pixels[30:, 40:].mean()) * 255)


def decoders() -> list[str]:
    """The processes that decode for this one."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            told = (each / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            parent = (each / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if "backend.media.film" in told and int(parent) == os.getpid():
            found.append(told)
    return found


def readers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name in ("weft-frames", "weft-decoding")]


def test_a_video_shows_its_first_frame_and_what_it_is(watched):
    assert watched.stack.currentWidget() is watched.stage
    assert abs(brightness(watched) - grey(0)) <= 2
    assert watched.player.bar.isVisible()
    assert watched.player.bar.place.text() == "Frame 1 of 12 · 0:00.000"
    assert watched.player.bar.about.text() == "10 a second"
    assert watched.stage.footer.words == "64 x 48 · RGB · sRGB"
    assert watched.commands.save.isEnabled()
    assert watched.commands.play.isVisible()


def test_frames_are_stepped_through_by_keys_and_buttons(watched, spin):
    view, bar, player = watched.stage.view, watched.player.bar, watched.player
    QTest.keyClicks(view, "..")
    spin(lambda: player.shown == 2)
    assert abs(brightness(watched) - grey(2)) <= 2
    assert bar.place.text() == "Frame 3 of 12 · 0:00.200"
    QTest.keyClick(view, Key.Key_Comma)
    QTest.mouseClick(bar.on, LEFT)
    QTest.mouseClick(bar.back, LEFT)
    spin(lambda: player.shown == 1)
    QTest.keyClick(view, Key.Key_End)
    spin(lambda: player.shown == 11)
    QTest.keyClicks(view, ".")
    assert player.at == 11
    QTest.mouseClick(bar.first, LEFT)
    spin(lambda: player.shown == 0)
    QTest.keyClicks(view, ",")
    assert player.at == 0
    QTest.keyClick(view, Key.Key_L)
    assert bar.loop.isChecked()
    assert watched.commands.loop.isChecked()
    QTest.keyClicks(view, ",")
    spin(lambda: player.shown == 11)
    assert abs(brightness(watched) - grey(11)) <= 2


def test_the_line_is_dragged_and_moved_by_keys(watched, spin):
    line, player = watched.player.bar.line, watched.player
    QTest.mousePress(line, LEFT, pos=QPoint(round(line.place_x(3)), 12))
    assert player.at == 3
    QTest.mouseMove(line, QPoint(round(line.place_x(8)), 12))
    QTest.mouseRelease(line, LEFT, pos=QPoint(round(line.place_x(8)), 12))
    spin(lambda: player.shown == 8)
    assert abs(brightness(watched) - grey(8)) <= 2
    QTest.mousePress(line, LEFT, pos=QPoint(line.width() + 50, 12))
    QTest.mouseRelease(line, LEFT, pos=QPoint(line.width() + 50, 12))
    assert player.at == 11
    line.setFocus()
    QTest.keyClick(line, Key.Key_Left)
    assert player.at == 10
    QTest.keyClick(line, Key.Key_PageUp)
    assert player.at == 0
    QTest.keyClick(line, Key.Key_Right)
    assert line.spoken_value() == "Frame 2 of 12 · 0:00.100"


def test_it_plays_by_the_clock_to_its_end(watched, clock, spin):
    player, view = watched.player, watched.stage.view
    spin(lambda: player._reader.frame(8) is not None)
    QTest.keyClick(view, Key.Key_Space)
    assert player.is_playing
    assert player.bar.play.accessibleName() == "Pause (Space)"
    for number in range(1, 9):
        clock.on(0.1)
        assert player.shown == number
    assert player.dropped == 0
    spin(lambda: player._reader.frame(11) is not None)
    for _ in range(3):
        clock.on(0.1)
    assert (player.shown, player.is_playing) == (11, False)
    QTest.mouseClick(player.bar.play, LEFT)
    assert (player.at, player.is_playing) == (0, True)
    QTest.keyClick(view, Key.Key_Space)
    assert not player.is_playing
    assert "dropped" not in watched.stage.footer.words


def test_what_loops_begins_anew(watched, clock, spin):
    player = watched.player
    QTest.mouseClick(player.bar.loop, LEFT)
    player.go(11)
    spin(lambda: player._reader.frame(1) is not None and player.shown == 11)
    player.go(10)
    player.play_or_pause()
    for expected in (11, 0, 1):
        clock.on(0.1)
        assert player.shown == expected
    assert player.is_playing
    assert player.dropped == 0


def test_late_frames_are_dropped_and_said(watched, clock, spin):
    player = watched.player
    spin(lambda: player._reader.frame(4) is not None)
    player.play_or_pause()
    clock.on(0.42)
    assert (player.shown, player.dropped) == (4, 3)
    assert watched.stage.footer.words == "64 x 48 · RGB · sRGB · 3 frames dropped"


def test_a_decoder_that_is_far_too_slow_makes_it_slower_and_never_leap(panel, clock, spin):
    """Frames come one at a time, long after they were due."""
    gate = threading.Semaphore(1)
    video = Slow(gate)
    panel.look_at(Subject(video, "Slow", "Video"))
    player = panel.player
    spin(lambda: player.shown == 0)
    player.play_or_pause()
    seen = [0]
    for _ in range(3):
        clock.on(5.0)
        for _ in range(2):  # one was being read before it was asked for another
            gate.release()
        spin(lambda: player._reader.frame(seen[-1] + 5) is not None)
        clock.on(0.0)
        seen.append(player.shown)
    assert seen == [0, 5, 10, 15]  # half a second each
    assert "slower than 10 a second" in panel.stage.footer.words
    assert "12 frames dropped" in panel.stage.footer.words
    panel.look_at(Subject(None))
    for _ in range(4):
        gate.release()


class Slow(Video):
    """A video of 100 frames whose reader waits at a gate."""

    def __init__(self, gate: threading.Semaphore) -> None:
        object.__setattr__(self, "gate", gate)
        object.__setattr__(self, "rate", 10.0)

    frames = property(lambda self: 100)
    width = height = property(lambda self: 4)
    channels = property(lambda self: 3)

    def reader(self, check):
        return self

    def read(self, start, stop, following=0):
        self.gate.acquire()
        return Image(np.full((1, 4, 4, 3), start / 100, np.float32))

    def close(self):
        pass


def test_a_drag_pauses_and_then_goes_on(watched, clock, spin):
    player, line = watched.player, watched.player.bar.line
    player.play_or_pause()
    QTest.mousePress(line, LEFT, pos=QPoint(round(line.place_x(5)), 12))
    assert (player.at, player.is_playing) == (5, False)
    QTest.mouseRelease(line, LEFT, pos=QPoint(round(line.place_x(5)), 12))
    assert player.is_playing
    QTest.mousePress(line, LEFT, pos=QPoint(line.width(), 12))
    QTest.mouseRelease(line, LEFT, pos=QPoint(line.width(), 12))
    assert (player.at, player.is_playing) == (11, False)


def test_space_on_a_button_presses_the_button(watched):
    watched.bar.probe.setFocus()
    QTest.keyClick(watched.bar.probe, Key.Key_Space)
    assert watched.bar.probe.isChecked()
    assert not watched.player.is_playing


def test_it_stops_when_it_is_not_seen(watched, clock):
    watched.player.play_or_pause()
    watched.hide()
    clock.on(0.1)
    assert not watched.player.is_playing


def test_a_file_with_sound_shows_both(panel, walk, spin):
    panel.look_at_file(walk)
    spin(lambda: panel.player.shown == 0 and panel.player.bar.line.peaks is not None)
    assert panel.bar.subject.text() == "walk.mp4"
    assert panel.player.bar.about.text() == "10 a second · muted"
    assert float(panel.player.bar.line.peaks.high.max()) > 0.3
    panel.grab()


@pytest.mark.parametrize("name", ["tone.wav", "tone.flac"])
def test_a_sound_file_is_its_waves(panel, tmp_path, name, spin, clock):
    wave = np.sin(np.arange(48_000) * 0.05).astype(np.float32)[None] * 0.5
    write_sound(tmp_path / name, Audio(wave, 16_000), format=name[-4:].lstrip("."))
    panel.look_at_file(tmp_path / name)
    view, player = panel.player.view, panel.player
    spin(lambda: view.peaks is not None)
    assert panel.stack.currentWidget() is view
    assert player.bar.place.text() == "0:00.000 of 0:03.000"
    assert player.bar.about.text() == "16 kHz · mono · muted"
    assert view.peaks.high.max() == pytest.approx(0.5, abs=1e-3)
    QTest.mouseClick(view, LEFT, pos=QPoint(round(view.place_x(150)), 40))
    assert player.at == 150
    QTest.keyClick(view, Key.Key_Space)
    clock.on(0.5)
    assert player.bar.place.text() == "0:02.000 of 0:03.000"
    seen, colours = view.grab().toImage(), panel._theme.colours
    middle = (view.height() - 20) // 2 - 20
    for place, colour in ((60, colours.accent), (260, colours.weak)):
        assert seen.pixelColor(round(view.place_x(place)), middle) == QColor(colour)
    clock.on(5.0)
    assert (player.at, player.is_playing) == (299, False)
    panel.grab()
    assert not panel.commands.save.isEnabled()


def test_a_video_without_sound_in_its_file_is_no_fault(panel, tmp_path, spin):
    panel.look_at_file(film(tmp_path / "mute.mp4", 3))
    spin(lambda: panel.player.shown == 0)
    assert panel.player.bar.line.sentence == ""
    panel.look_at(Subject(load_film(tmp_path / "mute.mp4").audio, "Load video · audio"))
    spin(lambda: panel.player.view.sentence)
    assert "'mute.mp4' has no sound" in panel.player.view.sentence
    panel.grab()


def test_a_frame_that_cannot_be_read_is_said_and_the_others_are_seen(panel, walk, spin):
    video = load_film(walk).video
    walk.write_bytes(walk.read_bytes()[: walk.stat().st_size // 2])
    panel.look_at(Subject(video, "Load video · video"))
    spin(lambda: panel.player.shown == 0)
    assert "was changed" in panel.stage.view.sentence
    assert panel.stage.picture is None
    assert not panel.commands.save.isEnabled()
    QTest.keyClicks(panel.stage.view, ".")
    assert panel.player.at == 1
    QTest.keyClick(panel.stage.view, Key.Key_Space)
    panel.grab()


def test_a_file_that_is_none_is_told(panel, tmp_path, spin):
    said = []
    panel.said.connect(said.append)
    (tmp_path / "bad.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + b"\0" * 40)
    for name in ("bad.mp4", "gone.mp4"):
        panel.look_at_file(tmp_path / name)
        spin(lambda: said)
        assert name in said.pop()


def test_nothing_is_left_when_another_value_is_looked_at_or_the_panel_is_closed(panel, walk, spin):
    panel.look_at_file(walk)
    spin(lambda: panel.player.shown == 0 and panel.player.bar.line.peaks is not None)
    if os.path.isdir("/proc"):
        assert decoders()
    panel.look_at(Subject("words"))
    assert panel.player.bar.isHidden()
    spin(lambda: not readers() and not decoders())
    panel.look_at_file(walk)
    spin(lambda: panel.player.shown == 0)
    panel.player.play_or_pause()
    panel.close_down()
    spin(lambda: not readers() and not decoders())


def test_a_sound_that_is_read_yet_is_read_no_more_when_another_is_looked_at(panel, spin):
    begun, ended = threading.Event(), threading.Event()

    class Long(Audio):
        """A sound whose samples do not come."""

        def chunks(self, length=0, check=lambda: None):
            begun.set()
            try:
                while not ended.wait(0.01):
                    check()
            finally:
                ended.set()
            yield self.samples

    panel.look_at(Subject(Long(np.zeros((1, 8), np.float32), 8), "Long"))
    spin(begun.is_set)
    panel.look_at(Subject(Audio(np.ones((1, 8), np.float32), 8), "Short"))
    spin(lambda: ended.is_set() and panel.player.view.peaks is not None)
    assert panel.player.view.peaks.high.max() == 1


def test_closing_while_the_first_frame_is_read_leaves_nothing(panel, walk, spin):
    found = load_film(walk)
    panel.look_at(Subject(found.video, "Load video", sound=found.audio))
    panel.close_down()
    spin(lambda: not readers() and not decoders())


def test_the_decoder_ends_when_nothing_is_wanted_for_long(panel, walk, spin, monkeypatch):
    monkeypatch.setattr(read_ahead, "_IDLE", 0.05)
    panel.look_at(Subject(load_film(walk).video))
    spin(lambda: panel.player.shown == 0 and not decoders())
    panel.player._reader._kept.clear()
    QTest.keyClicks(panel.stage.view, ".")
    spin(lambda: panel.player.shown == 1)


def test_in_full_screen_it_has_its_keys(watched, spin):
    watched.show_full_screen(True)
    spin(lambda: watched.content.window().isVisible())
    QTest.keyClicks(watched.stage.view, ".")
    QTest.keyClick(watched.stage.view, Key.Key_Space)
    assert (watched.player.at, watched.player.is_playing) == (1, True)
    watched.show_full_screen(False)
    assert watched.player.bar.isVisible()


def test_the_parts_of_the_player_have_names_and_values(watched):
    speak()
    bar = watched.player.bar
    bar.line.set_at(3, "Frame 4 of 12")
    for widget in [bar.line, *bar.findChildren(QToolButton)]:
        told = QAccessible.queryAccessibleInterface(widget)
        assert told.text(QAccessible.Text.Name)
    told = QAccessible.queryAccessibleInterface(bar.line)
    assert told.role() == QAccessible.Role.Slider
    assert told.text(QAccessible.Text.Value) == "Frame 4 of 12"


def test_reading_ahead_is_bounded(walk):
    came = threading.Event()
    video = load_film(walk).video
    reader = ReadAhead(video, lambda *_: came.set())
    try:
        reader._most, reader._ahead = 4, 3
        for target in (0, 6, 11, 3, 0):
            reader.want(target, False)
            end = time.monotonic() + 10
            while not isinstance(reader.frame(target), Picture):
                assert time.monotonic() < end
                came.wait(0.05)
                came.clear()
        assert len(reader._kept) <= 4
    finally:
        reader.close()
        assert reader.join(5)
    assert reader.frame(0) is None
