"""Seeds: a number that stays, or a fresh one for every run with the last one shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QPointF, QRectF, QSize
from PySide6.QtGui import QAccessible, QKeyEvent, QMouseEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import QWidget

from app.widgets.context import EditorContext
from app.widgets.editor import PAD, ParamEditor
from app.widgets.number import NumberEditor
from app.widgets.segments import Segments
from app.words import tr
from backend.graph.params import RANDOM
from backend.graph.spec import Param

FIXED, RANDOMLY, NEXT = 0, 1, 2
LARGEST = 2**63 - 1
_FIELD = 118
_LEAST = 56
_NARROW = 240
"""Below this width the three words become one sign in the field."""


class SeedEditor(ParamEditor):
    """A seed. Fixed keeps the number that is shown, Random draws one per run, Next takes the one
    after it."""

    spoken_role = QAccessible.Role.Grouping

    def build(self) -> None:
        """The number, and the three words."""
        inner = replace(self.context, label=self.accessibleName())
        self.field = _SeedField(self.param, self._value, inner, self)
        self.field.turn = self._turn
        self.field.edited.connect(self._typed)
        self.field.reverted.connect(self.reverted)
        self.field.ended.connect(self.ended)
        self.field.noted.connect(self.noted)
        self.modes = Segments(self.context.theme, (tr("Fixed"), tr("Random"), tr("Next")), self)
        self.modes.setAccessibleName(tr("How the seed is chosen"))
        self.modes.setToolTip(
            tr("Fixed runs with this seed. Random draws one for every run. "
               "Next takes the seed after this one.")
        )  # fmt: skip
        self.modes.pressed.connect(self._press)
        self.setFocusProxy(self.field)

    @property
    def is_random(self) -> bool:
        """Whether it is drawn for every run."""
        return bool(self._value == RANDOM)

    @property
    def number(self) -> int:
        """The seed, or the one that was drawn last."""
        if isinstance(self._value, int) and not isinstance(self._value, bool):
            return self._value
        drawn = self.context.drawn
        return drawn if drawn is not None else int(self.param.default or 0)

    def show_drawn(self, seed: int | None) -> None:
        """Show the seed that was drawn for a run."""
        self.context = replace(self.context, drawn=seed)
        self.field.context = replace(self.field.context, drawn=seed)
        self.refresh()

    def refresh(self) -> None:
        """Show the number and which word holds."""
        self.field.show_value(self._value, self.mixed)
        self.field.refresh()
        self.modes.choose(-1 if self.mixed else RANDOMLY if self.is_random else FIXED)

    def begin(self, text: str = "") -> None:
        """Type the number."""
        self.field.begin(text)

    def sizeHint(self) -> QSize:
        """The number and the words beside it."""
        return QSize(_FIELD + 8 + self.modes.sizeHint().width(), super().sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where there is no room for the words, a sign in the field stands for them."""
        least = self.modes.least_width()
        narrow = self.width() < max(_NARROW, least + _LEAST + 8)
        self.modes.setVisible(not narrow)
        self.field.narrow = narrow
        height = self.height()
        if narrow:
            self.field.setGeometry(0, 0, self.width(), height)
            return
        wanted = max(self.modes.sizeHint().width(), self.width() - 126)
        words = max(least, min(self.width() - 96, wanted))
        left = min(_FIELD, self.width() - words - 8)
        self.field.setGeometry(0, 0, left, height)
        self.modes.setGeometry(left + 8, 0, self.width() - left - 8, height)

    def _typed(self, value: Any, final: bool) -> None:
        self.give(value, final)

    def _turn(self) -> None:
        self._press(FIXED if self.is_random else RANDOMLY)

    def _press(self, mode: int) -> None:
        if mode == RANDOMLY:
            wanted: Any = RANDOM
        elif mode == FIXED:
            wanted = self.number
        else:
            wanted = 0 if self.number >= LARGEST else self.number + 1
        if wanted != self._value or self.mixed:
            self.give(wanted)


class _SeedField(NumberEditor):
    """The number of a seed; at random it shows, weakly, the one that was drawn last."""

    narrow = False

    def __init__(
        self, param: Param, value: Any, context: EditorContext, parent: QWidget
    ) -> None:  # fmt: skip
        self.turn: Callable[[], None] = lambda: None
        super().__init__(param, value, context, parent)

    @property
    def number(self) -> float | int:
        """The seed, or the one that was drawn last."""
        if self._value == RANDOM:
            drawn = self.context.drawn
            return drawn if drawn is not None else int(self.param.default or 0)
        return super().number

    def words(self) -> str:
        """The number; at random ``4127 drawn``."""
        if self._value == RANDOM:
            drawn = self.context.drawn
            return tr("{seed} drawn", seed=drawn) if drawn is not None else tr("Random")
        return super().words()

    def right(self) -> int:
        """Room for the sign."""
        return PAD + 18 if self.narrow else PAD

    def paint_more(self, painter: QPainter) -> None:
        """A die for random, a lock for fixed."""
        if self.narrow and self.line is None:
            sign = "dice-5" if self._value == RANDOM else "lock"
            self.paint_icon(painter, sign, QPointF(self.width() - 14, self.height() / 2), 13)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """The sign turns fixed to random and back."""
        sign = QRectF(self.width() - 26, 0, 26, self.height())
        if self.narrow and not self._dragging and sign.contains(event.position()):
            self._pressed = None
            self.turn()
            return
        super().mouseReleaseEvent(event)

    def wants(self, event: QKeyEvent) -> bool:
        """R turns it."""
        return super().wants(event) or event.text() == "r"

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """R turns it."""
        if event.text() == "r" and self.line is None:
            self.turn()
        else:
            super().keyPressEvent(event)
