"""The viewer's bar: what is looked at, and how."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QToolButton, QWidget

from app.theme.theme import Theme
from app.viewer.picture import ALL, LUMINANCE, Picture
from app.viewer.view import Compare
from app.viewer.wells import Stops, Well
from app.words import tr

HEIGHT = 36
_NARROW = 460
"""Logical pixels below which no exposure of 0 is shown."""
_ZOOMS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_STOPS = (-4, -2, -1, 0, 1, 2, 4)


class Bar(QWidget):
    """Says what was chosen on it; the panel does it."""

    went = Signal()
    """To the node whose output is looked at."""
    stops_chosen = Signal(float)
    channel_chosen = Signal(int)
    compare_chosen = Signal(object)
    pinned = Signal()
    zoom_chosen = Signal(float)
    """Device pixels per pixel; 0 fits."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._icons: list[tuple[QToolButton, str]] = []
        self._for_pictures = False
        self.setFixedHeight(HEIGHT)
        self.subject = Well(theme)
        self.subject.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.subject.setToolTip(tr("Go to its node"))
        self.subject.clicked.connect(self.went)
        self.exposure = self._button("sun", tr("Exposure"), self._exposures)
        self.channels = self._button("blend", tr("Channels"))
        self.channels.setMenu(QMenu(self.channels))
        self.compare = self._button("columns-2", tr("Compare"), self._comparisons)
        self.probe = self._button("crosshair", tr("Probe"))
        self.histogram = self._button("chart-column", tr("Histogram"))
        for button in (self.probe, self.histogram):
            button.setCheckable(True)
        self.stops = Stops()
        self.stops.value_changed.connect(self.stops_chosen)
        self.zoom = Well(theme, arrow=True)
        self.zoom.setToolTip(tr("Zoom"))
        self.zoom.clicked.connect(self._zooms)
        self.more = self._button("ellipsis", tr("More"))
        self._lay_out()
        theme.changed.connect(self._dress)
        self._dress()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where there is little room, the name comes before an exposure that is none."""
        super().resizeEvent(event)
        self._show_stops()

    def _show_stops(self) -> None:
        roomy = self.width() >= self._theme.measures.tall(_NARROW)
        is_used = self.stops.stops != 0 or self.stops.hasFocus()
        self.stops.setVisible(self._for_pictures and (roomy or is_used))

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 0, 8, 0)
        row.setSpacing(2)
        row.addWidget(self.subject)
        row.addSpacing(8)
        for button, _ in self._icons[:-1]:
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.stops)
        row.addSpacing(4)
        row.addWidget(self.zoom)
        row.addWidget(self.more)

    def for_pictures(self, are_shown: bool) -> None:
        """Whether what only pictures have can be used."""
        for button, _ in self._icons[:-1]:
            button.setVisible(are_shown)
        self._for_pictures = are_shown
        self._show_stops()
        self.zoom.setVisible(are_shown)

    def set_subject(self, words: str, type_name: str) -> None:
        """What is looked at."""
        self.subject.say(words or tr("Nothing"), type_name)
        self.subject.setAccessibleName(tr("Looked at: {words}. Go to its node", words=words))
        self.subject.setEnabled(bool(words))

    def set_zoom(self, scale: float, is_fitted: bool) -> None:
        """How large the picture is."""
        share = scale * 100
        figure = f"{share:.0f} %" if share >= 10 else f"{share:.1f} %"
        self.zoom.say(tr("Fit {share}", share=figure) if is_fitted else figure)
        self.zoom.setAccessibleName(tr("Zoom, {share}", share=self.zoom.text()))

    def set_stops(self, stops: float) -> None:
        """The exposure, without saying it again."""
        self.stops.show_stops(stops)
        self._show_stops()

    def set_channels(self, picture: Picture | None, chosen: int) -> None:
        """What can be chosen of a picture's channels, and what is."""
        menu = self.channels.menu()
        menu.clear()
        group = QActionGroup(menu)
        for channel in picture.choices if picture is not None else ():
            action = QAction(channel_words(picture, channel), menu)
            action.setCheckable(True)
            action.setChecked(channel == chosen)
            action.triggered.connect(lambda _=False, c=channel: self.channel_chosen.emit(c))
            group.addAction(action)
            menu.addAction(action)
        self.channels.setEnabled(len(menu.actions()) > 1)
        self._mark(self.channels, picture is not None and chosen != picture.choices[0])

    def set_compare(self, how: Compare, has_pin: bool) -> None:
        """How the picture is held against the pinned one, and whether there is one."""
        for action in self.compare.menu().actions():
            wanted = action.data()
            if isinstance(wanted, Compare):
                action.setChecked(wanted is how)
                action.setEnabled(has_pin or wanted is Compare.OFF)
        self._mark(self.compare, how is not Compare.OFF)

    def _button(
        self, icon: str, words: str, fill: Callable[[QMenu], None] | None = None
    ) -> QToolButton:
        button = QToolButton(self)
        button.setFixedSize(28, 28)
        button.setToolTip(words)
        button.setAccessibleName(words)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        if fill is not None:
            menu = QMenu(button)
            fill(menu)
            button.setMenu(menu)
        self._icons.append((button, icon))
        return button

    def _mark(self, button: QToolButton, on: bool) -> None:
        button.setCheckable(True)
        button.setChecked(on)

    def _exposures(self, menu: QMenu) -> None:
        for stops in _STOPS:
            words = tr("As it is") if not stops else f"{stops:+d} EV"
            menu.addAction(words).triggered.connect(
                lambda _=False, s=stops: self.stops.set_stops(s)
            )

    def _comparisons(self, menu: QMenu) -> None:
        menu.addAction(tr("Pin this picture as B")).triggered.connect(self.pinned)
        menu.addSeparator()
        group = QActionGroup(menu)
        for how, words in (
            (Compare.OFF, tr("A alone")), (Compare.WIPE, tr("Wipe between A and B")),
            (Compare.DIFFERENCE, tr("Difference of A and B")),
        ):  # fmt: skip
            action = QAction(words, menu)
            action.setCheckable(True)
            action.setData(how)
            action.triggered.connect(lambda _=False, h=how: self.compare_chosen.emit(h))
            group.addAction(action)
            menu.addAction(action)

    def _zooms(self) -> None:
        menu = QMenu(self)
        menu.addAction(tr("Fit")).triggered.connect(lambda: self.zoom_chosen.emit(0.0))
        for scale in _ZOOMS:
            action = menu.addAction(f"{scale * 100:.0f} %")
            action.triggered.connect(lambda _=False, s=scale: self.zoom_chosen.emit(s))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.zoom.mapToGlobal(self.zoom.rect().bottomLeft()))

    def _dress(self) -> None:
        self.zoom.setFixedWidth(self._theme.measures.tall(88))
        for button, icon in self._icons:
            button.setIcon(self._theme.qicon(icon, 16))


def channel_words(picture: Picture | None, channel: int) -> str:
    """What a channel is called in a menu."""
    if channel == ALL:
        return tr("All channels")
    if channel == LUMINANCE:
        return tr("Luminance")
    names = {"R": tr("Red"), "G": tr("Green"), "B": tr("Blue"), "A": tr("Alpha")}
    name = picture.names[channel] if picture is not None else str(channel + 1)
    return names.get(name, tr("Channel {n}", n=name))
