"""Collecting garbage when nobody waits for it.

Python looks through everything that is alive once in a while, also in the middle of a drag: some
50 ms with a large document open. What was there when a document has been opened is therefore set
aside, so that this finds only what is new.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

from app.shell.documents import Documents

_REST = 800
"""Milliseconds after a document was opened or closed."""


class Garbage(QObject):
    """Sets aside what is alive whenever documents came or went; made by the program only, since it
    acts on the whole process."""

    def __init__(self, documents: Documents, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rest = QTimer(self, singleShot=True, interval=_REST)
        self._rest.timeout.connect(self.settle)
        for changed in (documents.opened, documents.closed):
            changed.connect(lambda _: self._rest.start())
        self._rest.start()

    def settle(self) -> None:
        """Collect everything that nothing needs, and set the rest aside."""
        gc.unfreeze()
        gc.collect()
        gc.freeze()
