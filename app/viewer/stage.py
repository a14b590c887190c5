"""Everything of a picture in one place: the view, the batch, the histogram, the probe."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.theme.theme import Theme
from app.viewer.background import Asked, Background
from app.viewer.bar import Bar
from app.viewer.develop import Development
from app.viewer.footer import Footer, pixel_words, swatch
from app.viewer.hands import Hands
from app.viewer.histogram import Counts, HistogramCard, count
from app.viewer.picture import Picture, difference
from app.viewer.strip import BatchStrip
from app.viewer.view import Compare
from app.words import tr

_INSET = 12


class Stage(QWidget):
    """The pictures of one value. What the bar says about looking is done here."""

    turned = Signal(int)
    """Another picture of the batch is looked at."""

    def __init__(
        self, theme: Theme, bar: Bar, background: Background, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._bar, self._background = bar, background
        self._pictures: tuple[Picture, ...] = ()
        self._at = 0
        self._pinned: tuple[Picture, str] | None = None
        self._name = ""
        self._how = Compare.OFF
        self._asked: list[Asked[Picture]] = []
        self._counting: Asked[Counts] | None = None
        self._thumbs = Background(self)
        self.view = Hands(theme, background, self)
        self.strip = BatchStrip(theme, self._thumbs, self)
        self.strip.hide()
        self.footer = Footer(theme, self)
        self.footer.hide()
        self.histogram = HistogramCard(theme, self.view)
        self.histogram.hide()
        column = self._column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.view, 1)
        column.addWidget(self.strip)
        column.addWidget(self.footer)
        self._join()

    def _join(self) -> None:
        bar, view = self._bar, self.view
        view.framed.connect(self._framed)
        view.probed.connect(self._probed)
        view.turned_to.connect(lambda step: self.turn_to(self._at + step))
        self.strip.picked.connect(self.turn_to)
        bar.stops_chosen.connect(lambda stops: self._develop(stops, view.development.channel))
        bar.channel_chosen.connect(lambda c: self._develop(view.development.stops, c))
        bar.compare_chosen.connect(self.compare)
        bar.pinned.connect(self.pin)
        bar.zoom_chosen.connect(lambda scale: view.zoom_to(scale) if scale else view.fit())
        bar.probe.toggled.connect(self._probing)
        bar.histogram.toggled.connect(self._show_histogram)

    # What is shown

    @property
    def picture(self) -> Picture | None:
        """The picture of the value that is looked at; never a difference."""
        return self._pictures[self._at] if self._pictures else None

    @property
    def at(self) -> int:
        """Its number in the batch, from 0."""
        return self._at

    @property
    def how(self) -> Compare:
        """How it is held against the pinned one."""
        return self._how

    def set_pictures(self, pictures: tuple[Picture, ...], name: str) -> None:
        """Look at the pictures of another value; the place in the batch stays where it can."""
        self._pictures, self._name = pictures, name
        self.strip.set_pictures(pictures)
        self._at = min(self._at, max(0, len(pictures) - 1))
        self._show()

    def set_frame(self, picture: Picture, name: str) -> None:
        """Look at another frame of the same video: nothing but the picture is another."""
        before = self.picture
        if before is None or (before.names, self._name) != (picture.names, name):
            self.set_pictures((picture,), name)
        else:
            self._pictures = (picture,)
            self._put_compared(picture)

    def turn_to(self, at: int) -> None:
        """Look at another picture of the batch."""
        if 0 <= at < len(self._pictures) and at != self._at:
            self._at = at
            self._show()
            self.turned.emit(at)

    def pin(self) -> None:
        """Keep this picture as B; whatever is looked at from now on is A."""
        if self.picture is not None:
            self._pinned = self.picture, self._name
            self._bar.set_compare(self._how, True)
            self.compare(Compare.WIPE if self._how is Compare.OFF else self._how)

    def compare(self, how: Compare) -> None:
        """Hold the picture against the pinned one, or look at it alone."""
        self._how = how if self._pinned is not None else Compare.OFF
        self._bar.set_compare(self._how, self._pinned is not None)
        self._show()

    def close_down(self) -> None:
        """Do no more work."""
        self._thumbs.close()

    def _show(self) -> None:
        picture = self.picture
        view, bar = self.view, self._bar
        view.sentence = ""
        self._choose_channel(picture)
        if self._pictures:
            self.strip.set_current(self._at)
        other = self._pinned[0] if self._pinned is not None else None
        wipes = self._how is Compare.WIPE and picture is not None
        view.set_other(other if wipes else None)
        view.set_wipe((0.5 if view.wipe is None else view.wipe) if wipes else None)
        view.sides = (f"A · {self._name}", f"B · {self._pinned[1]}" if self._pinned else "")
        self._put_compared(picture)
        bar.set_channels(picture, view.development.channel)

    def _put_compared(self, picture: Picture | None) -> None:
        """Show it, or what it differs in from the pinned one."""
        for asked in self._asked:
            asked.cancel()
        self._asked = []
        other = self._pinned[0] if self._pinned is not None else None
        if self._how is Compare.DIFFERENCE and picture is not None and other is not None:
            self._asked = [
                self._background.ask(lambda: difference(picture, other), self._put, self._cannot)
            ]
        else:
            self._put(picture)

    def _put(self, picture: Picture | None) -> None:
        self.view.set_picture(picture)
        words = picture.words() if picture is not None else ""
        if self._how is Compare.DIFFERENCE and picture is not None:
            words = tr("Difference · {words}", words=words)
        elif len(self._pictures) > 1:
            words = tr("{at} of {n} · {words}", at=self._at + 1, n=len(self._pictures), words=words)
        self.footer.say(words)
        self.footer.setVisible(picture is not None)
        self.view.setAccessibleName(tr("Picture, {name}, {words}", name=self._name, words=words))
        self._framed()
        self._probed(self.view.pin)
        self._count()

    def _cannot(self, error: Exception) -> None:
        if not isinstance(error, ValueError):
            raise error
        self.view.sentence = str(error)
        self.view.set_picture(None)
        self.footer.say("")

    # How it is looked at

    def _choose_channel(self, picture: Picture | None) -> None:
        channel = self.view.development.channel
        if picture is not None and channel not in picture.choices:
            self._develop(self.view.development.stops, picture.choices[0])

    def _develop(self, stops: float, channel: int) -> None:
        self.view.set_development(Development(stops, channel))
        self._bar.set_stops(stops)
        self._bar.set_channels(self.picture, channel)
        self._probed(self.view.pin)
        self._count()

    def _framed(self) -> None:
        if self.view.picture is not None:
            self._bar.set_zoom(self.view.frame.scale, self.view.is_fitted)

    def _probing(self, on: bool) -> None:
        self.view.probing = on
        if not on:
            self.view.set_pin(None)
        self.view.setCursor(Qt.CursorShape.CrossCursor if on else Qt.CursorShape.OpenHandCursor)
        self.view.update()

    def _probed(self, pixel: tuple[int, int] | None) -> None:
        picture = self.view.picture
        if pixel is None or picture is None:
            self.footer.read("", "")
            return
        picture = self._side_at(pixel, picture)
        development = self.view.development
        words = pixel_words(picture, *pixel, development.channel)
        self.footer.read(words, swatch(picture, *pixel, development))

    def _side_at(self, pixel: tuple[int, int], picture: Picture) -> Picture:
        """The picture that is seen at a pixel: B right of the wipe, where it has A's size."""
        wipe = self.view.wipe
        if wipe is None or self._pinned is None or (pixel[0] + 0.5) / picture.width < wipe:
            return picture
        other = self._pinned[0]
        return other if other.pixels.shape[:2] == picture.pixels.shape[:2] else picture

    # The histogram

    def _show_histogram(self, on: bool) -> None:
        self.histogram.setVisible(on)
        self._place_histogram()
        self._count()

    def _count(self) -> None:
        if self._counting is not None:
            self._counting.cancel()
            self._counting = None
        picture = self.view.picture
        if self.histogram.isHidden() or picture is None:
            return
        stops = self.view.development.stops
        counting = self._background.ask(lambda: count(picture, stops), self.histogram.set_counts)
        self._counting = counting

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the histogram in its corner."""
        super().resizeEvent(event)
        self._place_histogram()

    def _place_histogram(self) -> None:
        self._column.activate()
        below = self.view.height() - self.histogram.height() - _INSET
        self.histogram.move(QPointF(_INSET, max(0, below)).toPoint())
