"""One of several: a field that opens a list. Choices by word, and models."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QAccessible, QKeyEvent, QMouseEvent, QPainter, QWheelEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from app.labels import label, value_words
from app.widgets.context import ModelChoice
from app.widgets.editor import PAD, Well
from app.widgets.picklist import Entry, PickList
from app.words import tr

_OPEN = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space, Qt.Key.Key_F2, Qt.Key.Key_F4)
_MOVES = {Qt.Key.Key_Up: -1, Qt.Key.Key_Left: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_Right: 1}


class ChoiceEditor(Well):
    """A choice. A click, Enter or Space opens the list; arrows take the next one."""

    spoken_role = QAccessible.Role.ComboBox

    def build(self) -> None:
        """The list is made when it opens."""
        super().build()
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.list: PickList | None = None

    def entries(self) -> Sequence[Entry]:
        """What can be picked."""
        return [Entry(choice, label(choice)) for choice in self.param.choices]

    def words(self) -> str:
        """The choice as people read it."""
        return value_words(self._value, self.param.kind)

    def right(self) -> int:
        """Room for the arrow."""
        return PAD + 16

    def refresh(self) -> None:
        """Paint anew, and tell a screen reader."""
        self.setAccessibleDescription(tr("Several values") if self.mixed else self.words())
        self.setToolTip(self.words() if self.param.kind == "model" else "")
        self.update()

    def paint_more(self, painter: QPainter) -> None:
        """The arrow of a list."""
        self.paint_icon(painter, "chevron-down", QPointF(self.width() - 13, self.height() / 2))

    def begin(self, text: str = "") -> None:
        """Open the list."""
        if self.list is not None:
            return
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        made = self.make_list()
        made.picked.connect(self._take)
        made.closed.connect(self._closed)
        self.list = made
        made.open_under(self)
        if text.strip() and made.search.isVisible():
            made.search.setText(text)
            made.sift()

    def make_list(self) -> PickList:
        """The list, not yet shown."""
        return PickList(self.context.theme, self.entries(), str(self._value), self)

    def _take(self, key: str) -> None:
        if key != self._value or self.mixed:
            self.give(key)

    def _closed(self) -> None:
        self.list = None
        self.ended.emit(True)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Open the list."""
        if event.button() is Qt.MouseButton.LeftButton:
            self.begin()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """The wheel scrolls the page, unless the field has the focus."""
        turns = event.angleDelta().y()
        if not self.hasFocus() or not turns:
            event.ignore()
            return
        self._move(-1 if turns > 0 else 1)
        event.accept()

    def wants(self, event: QKeyEvent) -> bool:
        """What opens the list, the arrows, and first letters."""
        control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if control:
            return False
        return event.key() in _OPEN or event.key() in _MOVES or event.text().strip().isalnum()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Open the list or take the next one."""
        if not self.wants(event):
            super().keyPressEvent(event)
        elif event.key() in _MOVES:
            self._move(_MOVES[Qt.Key(event.key())])
        else:
            self.begin(event.text())

    def _move(self, by: int) -> None:
        keys = [entry.key for entry in self.entries()]
        if not keys:
            return
        at = keys.index(self._value) + by if self._value in keys else 0
        if 0 <= at < len(keys) and (keys[at] != self._value or self.mixed):
            self.give(keys[at])


class ModelEditor(ChoiceEditor):
    """A model, from the list of those that fit; filtered by part, family and space."""

    def entries(self) -> Sequence[Entry]:
        """The models that the context gives, and the one that stands there if it is none."""
        found = [_entry(model) for model in self.context.models()]
        names = {entry.key for entry in found}
        if self._value and self._value not in names:
            found.insert(0, Entry(str(self._value), str(self._value), tr("Not found"), pale=True))
        return found

    def words(self) -> str:
        """The title of the model, or its name."""
        if not self._value:
            return tr("Pick a model")
        titles = {model.name: model.title for model in self.context.models()}
        return titles.get(str(self._value), "") or value_words(self._value, "model")

    def pale(self) -> bool:
        """A hint where nothing is picked."""
        return self.mixed or not self._value

    def _move(self, by: int) -> None:
        self.begin()  # arrows would load one model after the other

    def make_list(self) -> PickList:
        """A list with filters over it, where the models differ in them."""
        models = {model.name: model for model in self.context.models()}
        header = _Filters(list(models.values()))

        def keep(entry: Entry) -> bool:
            model = models.get(entry.key)
            return model is None or header.lets(model)

        made = PickList(
            self.context.theme, self.entries(), str(self._value), self,
            header if header.boxes else None, keep,
        )  # fmt: skip
        header.setParent(made)
        header.setVisible(bool(header.boxes))
        for box in header.boxes.values():
            box.currentIndexChanged.connect(lambda _: made.sift())
        return made


class _Filters(QWidget):
    """Boxes for what models differ in; each lets all pass until something is picked in it."""

    def __init__(self, models: Sequence[ModelChoice]) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self.boxes: dict[str, QComboBox] = {}
        every = {"kind": tr("Any part"), "family": tr("Any family"), "space": tr("Any space")}
        for name, all_of_them in every.items():
            values = sorted({getattr(model, name) for model in models} - {""})
            if len(values) > 1:
                box = QComboBox(self)
                box.setAccessibleName(label(name))
                box.addItem(all_of_them, "")
                for value in values:
                    box.addItem(label(value) if name == "kind" else value, value)
                row.addWidget(box, 1)
                self.boxes[name] = box

    def lets(self, model: ModelChoice) -> bool:
        """Whether a model passes."""
        return all(
            box.currentData() in ("", getattr(model, name)) for name, box in self.boxes.items()
        )


def size_words(size: int) -> str:
    """Bytes in words: ``640 MB``, ``23.8 GB``."""
    if size >= 10**9:
        return f"{size / 10**9:.1f} GB"
    return f"{max(1, round(size / 10**6))} MB" if size else ""


def _entry(model: ModelChoice) -> Entry:
    note = " · ".join(filter(None, (model.family, size_words(model.size))))
    if not model.here:
        note = " · ".join(filter(None, (note, tr("not here"))))
    words = " ".join(filter(None, (model.name, model.kind, model.space)))
    return Entry(model.name, model.title or model.name, note, words, not model.here)
