"""What the window shows: the graph with its panes, or the exposed values as a form."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QStackedWidget, QWidget

if TYPE_CHECKING:
    from app.open_document import OpenDocument
    from app.panels.form.form import Form


class Pages(QStackedWidget):
    """Two pages, the graph first; the form is made when it is first shown, and follows the document
    only while it is seen."""

    def __init__(self, body: QWidget, make: Callable[[], Form]) -> None:
        super().__init__()
        self._make = make
        self._form: Form | None = None
        self.addWidget(body)

    @property
    def shows_form(self) -> bool:
        """Whether the form is seen."""
        return self.currentIndex() == 1

    def show_form(self, on: bool, document: OpenDocument | None) -> None:
        """Show the form of a document, or the graph."""
        if not on:
            self.setCurrentIndex(0)
            return
        if self._form is None:
            self._form = self._make()
            self.addWidget(self._form)
        self._form.show_document(document)
        self.setCurrentIndex(1)

    def show_document(self, document: OpenDocument | None) -> None:
        """Another document is looked at."""
        if self._form is not None:
            self._form.show_document(document if self.shows_form else None)
