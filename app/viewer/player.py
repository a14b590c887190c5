"""Plays a video, and moves through a sound: what keys, buttons and the clock do to it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from app.theme.theme import Theme
from app.viewer.background import Asked, Background
from app.viewer.picture import Picture
from app.viewer.player_bar import PlayerBar
from app.viewer.player_words import about_words, late_words, place_words, silence_words
from app.viewer.playhead import Playhead
from app.viewer.read_ahead import ReadAhead
from app.viewer.stage import Stage
from app.viewer.time_line import TimeLine
from app.viewer.waveform import Peaks, peaks_of
from app.words import tr
from backend.values import Audio, Video

TICKS = 100
"""Places a second of a sound without pictures."""
_PLAIN = (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
_TURN = 8
"""Milliseconds between two looks at the clock while it plays."""


class _Left(Exception):
    """Another value is looked at by now."""


class Player(QObject):
    """Shows one value at a time: frames on the ``stage``, waves in ``view`` or above the buttons.

    Frames come from a thread that reads ahead; the window never waits for one. What comes too late
    is left out, and said.
    """

    changed = Signal()
    """There is a picture on the stage now, or none any more."""
    playing_changed = Signal(bool)
    loop_changed = Signal(bool)
    _came = Signal(object, int, bool)
    _heard = Signal(object, object)

    def __init__(self, theme: Theme, stage: Stage, content: QWidget) -> None:
        """``content`` is what has to be seen for it to play; keys that none of its children takes
        are the player's."""
        super().__init__(content)
        self._stage, self._content = stage, content
        self.bar = PlayerBar(theme, content)
        self.bar.hide()
        self.view = TimeLine(theme, large=True, parent=content)
        self._video: Video | None = None
        self._sound: Audio | None = None
        self._name = ""
        self._reader: ReadAhead | None = None
        self._ended: list[ReadAhead] = []
        self._waves: Asked[Peaks] | None = None
        self._left = threading.Event()
        self._background = Background(self)
        self._count, self._rate, self._at = 1, 1.0, 0
        self._shown = -1
        self._head: Playhead | None = None
        self._place = 0
        self._loops = self._was_playing = self._drags = self._is_slow = False
        self._dropped = 0
        self._clock: Callable[[], float] = time.monotonic
        self._timer = QTimer(self, interval=_TURN)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)
        self._join()

    def _join(self) -> None:
        self._came.connect(self._take)
        self._heard.connect(self._take_waves)
        self.bar.played.connect(self.play_or_pause)
        self.bar.stepped.connect(self.step)
        self.bar.jumped.connect(lambda to: self.go(to if to >= 0 else self._count - 1))
        self.bar.looped.connect(self.set_loop)
        for line in (self.bar.line, self.view):
            line.moved.connect(self.go)
            line.held.connect(self._hold)
        self._stage.view.turned_to.connect(self.step)
        self._content.installEventFilter(self)

    # What is played

    @property
    def is_on(self) -> bool:
        """Whether there is something to play."""
        return self._video is not None or self._sound is not None

    @property
    def is_playing(self) -> bool:
        """Whether it moves on by itself."""
        return self._head is not None

    @property
    def at(self) -> int:
        """The current frame, or hundredth of a second of a sound, from 0."""
        return self._at

    @property
    def shown(self) -> int:
        """The frame whose picture is on the stage; -1 for none."""
        return self._shown

    @property
    def dropped(self) -> int:
        """Frames that were left out since it plays."""
        return self._dropped

    @property
    def loops(self) -> bool:
        """Whether it begins anew at its end."""
        return self._loops

    def open(self, video: Video | None, sound: Audio | None, name: str) -> None:
        """Play another value, from its beginning: a video, a sound, or a video with its sound."""
        if sound is not None and sound.is_silent_file and video is not None:
            sound = None
        before = self._video
        self.close()
        self._video, self._sound, self._name = video, sound, name
        if video is not None:
            self._count, self._rate = video.frames, video.rate
            if before is None or (before.width, before.height) != (video.width, video.height):
                self._clear(tr("Reading the first frame…"))
        elif sound is not None:
            self._count = max(1, -(-sound.length * TICKS // sound.rate))
            self._rate = float(TICKS)
        for line in (self.bar.line, self.view):
            line.set_scale(self._count, self._rate, sound is not None)
        self.bar.line.setVisible(video is not None)
        self.bar.setVisible(True)
        self._put(0)
        if self._content.isVisible():
            self._begin()

    def close(self) -> None:
        """End all reading of what is played. It does not wait."""
        self.pause()
        self._video = self._sound = None
        if self._reader is not None:
            self._reader.close()
            self._ended = [each for each in self._ended if not each.join(0)] + [self._reader]
            self._reader = None
        if self._waves is not None:
            self._waves.cancel()
            self._waves = None
        self._left.set()
        self._left = threading.Event()
        self._at, self._shown, self._dropped, self._is_slow = 0, -1, 0, False
        self.bar.hide()

    def close_down(self) -> None:
        """End everything, and wait a little for what ends."""
        self.close()
        self._background.close()
        for each in self._ended:
            each.join(2.0)

    def _begin(self) -> None:
        """Read, now that it is seen."""
        if self._video is not None and self._reader is None:
            self._reader = ReadAhead(self._video, self._tell)
            self._reader.want(self._at, self._loops)
        sound, left = self._sound, self._left
        if sound is None or self._waves is not None:
            return

        def check() -> None:
            if left.is_set():
                raise _Left

        def told(peaks: Peaks) -> None:
            with contextlib.suppress(RuntimeError):  # the window is gone
                self._heard.emit(sound, peaks)

        self._waves = self._background.ask(
            lambda: peaks_of(sound, check, told), lambda found: self._take_waves(sound, found),
            self._no_waves,
        )  # fmt: skip

    # What is done to it

    def play_or_pause(self) -> None:
        """Play, from the beginning where it is at its end; or stop."""
        if self.is_playing:
            self.pause()
        elif self.is_on:
            self._dropped, self._is_slow = 0, False
            self._start(0 if self._at >= self._count - 1 else self._at)

    def pause(self) -> None:
        """Stay where it is."""
        if self._head is None:
            return
        self._head = None
        self._timer.stop()
        self._playing_is(False)
        self._say()

    def step(self, by: int) -> None:
        """Some frames on or back; from the last on to the first where it loops. It then stays."""
        to = self._at + by
        self.go(to % self._count if self._loops else to)

    def go(self, to: int) -> None:
        """To a frame, or the nearest there is. It then stays, unless it is dragged."""
        if not self.is_on:
            return
        self.pause()
        self._put(min(max(to, 0), self._count - 1))
        if self._reader is not None:
            self._reader.want(self._at, self._loops)
            self._show_if_there()

    def set_loop(self, on: bool) -> None:
        """Whether it begins anew at its end."""
        if on == self._loops:
            return
        self._loops = on
        self.bar.set_loop(on)
        self.loop_changed.emit(on)
        if self.is_playing:
            self._start(self._at)
        elif self._reader is not None:
            self._reader.want(self._at, on)

    def _hold(self, begins: bool) -> None:
        """What plays rests while it is dragged."""
        if begins:
            self._was_playing = self.is_playing
            self._drags = True
        else:
            self._drags = False
            if self._was_playing and self._at < self._count - 1:
                self.play_or_pause()
            self._was_playing = False

    def _start(self, at: int) -> None:
        self._put(at)
        self._place = at
        self._head = Playhead(self._count, self._rate, at, self._clock(), self._loops)
        if self._reader is not None:
            self._reader.want(at, self._loops)
            self._show_if_there()
        self._timer.start()
        self._playing_is(True)

    def _playing_is(self, on: bool) -> None:
        self.bar.set_playing(on)
        self.playing_changed.emit(on)

    # What the clock says

    def tick(self) -> None:
        """Show what is due, or the newest before it that is there."""
        head = self._head
        if head is None:
            return
        if not self._content.isVisible():
            self.pause()
            return
        now = self._clock()
        if self._video is None:
            self._place = head.due(now)
            self._put(head.frame(self._place))
        else:
            held = head.held(self._place, now)
            self._is_slow |= held is not head
            self._head = head = held
            self._show_due(head, head.due(now))
        if head.is_last(self._place):
            self.pause()

    def _show_due(self, head: Playhead, due: int) -> None:
        if self._reader is None:
            return
        self._reader.want(head.frame(due), self._loops)
        for place in range(due, self._place, -1):
            if self._reader.frame(head.frame(place)) is not None:
                self._dropped += place - self._place - 1
                self._place = place
                self._put(head.frame(place))
                self._show_if_there()
                return

    # What is seen

    def _put(self, at: int) -> None:
        """Be at a frame, whether or not its picture is there yet."""
        self._at = at
        words = self._words()
        for line in (self.bar.line, self.view):
            line.set_at(at, words, told=not self.is_playing)
        self._say()

    def _say(self) -> None:
        if self.is_on:
            about = about_words(self._video, self._sound)
            self.bar.say(self._words(), about, silence_words(self._sound))

    def _words(self) -> str:
        return place_words(self._video is not None, self._at, self._count, self._rate)

    def _show_if_there(self) -> bool:
        found = self._reader.frame(self._at) if self._reader is not None else None
        if found is not None and self._shown != self._at:
            self._show(self._at, found)
        return found is not None

    def _show(self, number: int, found: Picture | str) -> None:
        self._shown = number
        stage, had = self._stage, self._stage.picture is not None
        if isinstance(found, str):
            self.pause()
            self._clear(found)
        else:
            stage.set_frame(found, self._name)
            late = late_words(self._dropped, self._rate if self._is_slow else 0.0)
            if late:
                stage.footer.say(f"{stage.footer.words} · {late}")
        if had != (stage.picture is not None):
            self.changed.emit()

    def _clear(self, sentence: str) -> None:
        """Say something in place of a picture."""
        self._stage.set_pictures((), self._name)
        self._stage.view.sentence = sentence
        self._stage.view.update()

    # What threads tell

    def _tell(self, reader: ReadAhead, number: int, is_target: bool) -> None:
        with contextlib.suppress(RuntimeError):  # the window is gone
            self._came.emit(reader, number, is_target)

    @Slot(object, int, bool)
    def _take(self, reader: ReadAhead, number: int, is_target: bool) -> None:
        if reader is not self._reader or self.is_playing:
            return
        if not self._show_if_there() and self._drags and is_target:
            found = reader.frame(number)  # on the way to where it is dragged
            if isinstance(found, Picture):
                self._show(number, found)

    @Slot(object, object)
    def _take_waves(self, sound: Audio, peaks: Peaks) -> None:
        if sound is self._sound:
            for line in (self.bar.line, self.view):
                line.set_peaks(peaks)

    def _no_waves(self, error: Exception) -> None:
        if not isinstance(error, OSError | ValueError | MemoryError):
            raise error
        for line in (self.bar.line, self.view):
            line.say(str(error) or tr("There is not enough memory for this sound."))

    # What Qt tells

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keys that nothing else has taken; and that it is seen."""
        if watched is self._content and self.is_on:
            if event.type() == QEvent.Type.Show:
                self._begin()
            elif isinstance(event, QKeyEvent):
                return self._key(event)
        return super().eventFilter(watched, event)

    def _key(self, event: QKeyEvent) -> bool:
        acts: dict[int, Callable[[], None]] = {
            Qt.Key.Key_Space: self.play_or_pause,
            Qt.Key.Key_Home: lambda: self.go(0),
            Qt.Key.Key_End: lambda: self.go(self._count - 1),
            Qt.Key.Key_Comma: lambda: self.step(-1),
            Qt.Key.Key_Period: lambda: self.step(1),
            Qt.Key.Key_L: lambda: self.set_loop(not self._loops),
        }
        act = acts.get(event.key())
        if act is None or event.modifiers() not in _PLAIN or event.type() == QEvent.Type.KeyRelease:
            return False
        event.accept()  # at first only so that no key of the window comes before it
        if event.type() == QEvent.Type.KeyPress and not (
            event.isAutoRepeat() and event.key() in (Qt.Key.Key_Space, Qt.Key.Key_L)
        ):
            act()
        return True
