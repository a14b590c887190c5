"""The packs panel: a card per pack; to trust one is a question with all its files in sight."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QMenu,
    QPlainTextEdit,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from app.panels.notice import Notice
from app.panels.packs.shelf import Held, PackShelf
from app.panels.tools import tool
from app.theme.fonts import Role, write_in
from app.theme.theme import Theme
from app.widgets.card import Act, Card
from app.widgets.card_list import CardList
from app.widgets.empty import Empty
from app.words import tr
from backend.engine.packs import Pack

_LOOKS = {
    "trusted": ("circle-check", "success"), "untrusted": ("puzzle", "weak"),
    "changed": ("triangle-alert", "warning"), "gone": ("circle-x", "weak"),
}  # fmt: skip


class PacksPanel(QWidget):
    """Node packs and whether they may run. ``shown_in_folder`` carries a path to be shown."""

    shown_in_folder = Signal(object)

    def __init__(self, theme: Theme, shelf: PackShelf, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shelf = shelf
        self._held: dict[str, Held] = {}
        self.question: TrustQuestion | None = None
        self.list = CardList(theme, tr("Node packs"))
        self.notice = Notice(theme, "triangle-alert", "", kind="warn")
        where = tr("A pack is a folder in {folder}.", folder=shelf.data / "packs")
        self._empty = Empty(theme, "puzzle", tr("No node packs."), where)
        self._tools = (tool(theme, self, "refresh-cw", tr("Look again"), shelf.refresh, "F5"),)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.notice)
        held = QWidget()
        self._stack = QStackedLayout(held)
        self._stack.addWidget(self.list)
        self._stack.addWidget(self._empty)
        column.addWidget(held, 1)
        shelf.changed.connect(self._show)
        shelf.refused.connect(lambda said: self._say(said, "danger"))
        self.list.acted.connect(self._act)
        self.list.menu_wanted.connect(self._menu)
        self._show()

    @property
    def tools(self) -> tuple[QAction, ...]:
        """What stands in the title bar of its dock."""
        return self._tools

    def ask(self, pack: Pack) -> TrustQuestion:
        """Ask whether a pack is to be trusted; the question is open after that."""
        question = TrustQuestion(pack, self)
        question.accepted.connect(lambda: self._shelf.trust(pack))
        question.finished.connect(self._answered)
        self.question = question
        question.open()
        return question

    def _answered(self) -> None:
        if self.question is not None:
            self.question.deleteLater()
            self.question = None

    def _say(self, sentence: str, kind: str) -> None:
        self.notice.say(sentence, kind=kind)
        self.notice.setVisible(bool(sentence))

    def _show(self) -> None:
        self._held = {held.name: held for held in self._shelf.packs}
        self.list.put([pack_card(held) for held in self._shelf.packs])
        self._stack.setCurrentWidget(self.list if self._held else self._empty)
        self._say(" ".join(self._shelf.problems[:2]), "warn")

    def _act(self, name: str) -> None:
        held = self._held[name]
        if held.pack is not None and held.state in ("untrusted", "changed"):
            self.ask(held.pack)
        else:
            self._shelf.revoke(name)

    def _menu(self, name: str, place: QPoint) -> None:
        held, menu = self._held[name], QMenu(self)
        menu.addAction(_act_words(held), lambda: self._act(name))
        if held.pack is not None:
            root = held.pack.root
            menu.addAction(tr("Show in its folder"), lambda: self.shown_in_folder.emit(root))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(place)


class TrustQuestion(QDialog):
    """Whether the code of a pack may run; No is what Enter says."""

    def __init__(self, pack: Pack, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Trust {name}?", name=pack.name))
        words = QLabel(
            tr("The code of {name} will run as you, with all that you may do. Trust only what you "
               "have looked at.", name=pack.name)
        )  # fmt: skip
        words.setWordWrap(True)
        place = QLabel(str(pack.root))
        place.setProperty("role", "weak")
        files = QPlainTextEdit("\n".join([*sorted(pack.files), "", pack.hash]), readOnly=True)
        write_in(files, Role.CODE)
        files.setTabChangesFocus(True)
        files.setAccessibleName(tr("Files of the pack, and its hash"))
        self.buttons = QDialogButtonBox()
        roles = QDialogButtonBox.ButtonRole
        self.yes = self.buttons.addButton(tr("Trust it"), roles.AcceptRole)
        self.no = self.buttons.addButton(tr("Do not trust it"), roles.RejectRole)
        self.no.setDefault(True)
        self.yes.setAutoDefault(False)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(8)
        for part in (words, place, files, self.buttons):
            column.addWidget(part)
        self.resize(520, 360)
        self.no.setFocus()


def pack_card(held: Held) -> Card:
    """The card of a pack."""
    icon, token = _LOOKS[held.state]
    count = len(held.pack.files) if held.pack is not None else 0
    files = tr("1 file") if count == 1 else tr("{n} files", n=count)
    said = {
        "trusted": tr("Trusted since {day} · {files}", day=held.day, files=files),
        "untrusted": tr("Does not run: you have not trusted it · {files}", files=files),
        "changed": tr("Does not run: it has changed since you trusted it · {files}", files=files),
        "gone": tr("You trusted it on {day}; it is not there any more.", day=held.day),
    }[held.state]
    tip = f"{held.pack.root}\n{held.pack.hash}" if held.pack is not None else ""
    return Card(held.name, held.name, said, icon, token, act=Act(_act_words(held)), tip=tip)


def _act_words(held: Held) -> str:
    if held.state in ("untrusted", "changed"):
        return tr("Trust ...")
    return tr("Forget it") if held.state == "gone" else tr("Revoke")
