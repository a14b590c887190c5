"""Adding nodes: the search palette, and files that are dropped or pasted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, QPointF
from PySide6.QtGui import QGuiApplication

from app.canvas.measure import snapped
from app.canvas.shape import Place
from app.document.edits.common import fresh_id
from app.document.edits.exchange import replace_node
from app.document.edits.fits import types_for_input, types_for_output
from app.document.edits.free_ends import connect_free
from app.document.edits.kinds import input_end, output_end
from app.document.edits.nodes import add_node, new_node
from app.document.edits.params import set_param
from app.document.edits.search import Entry
from app.document.level import GIVEN, TAKEN, Link
from app.shell.files import MEDIA, SOUNDS, VIDEOS
from app.shell.palette import SearchPalette
from app.shell.palette_rows import Offer, caps_of, offer_of
from app.shell.pasted import refusal_of
from app.words import tr
from backend.graph.document import Workflow
from backend.graph.spec import NodeSpec

if TYPE_CHECKING:
    from app.shell.window import Window

_RECENT = 12
_ACROSS = 5
"""Nodes in a row where several files are dropped."""


class Adding(QObject):
    """Asks what to add and puts it there."""

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self._window = window
        self._palette: SearchPalette | None = None
        self._then: Callable[[str], None] = lambda _: None
        self._recent: list[str] = []
        self._pastable: bool | None = None
        QGuiApplication.clipboard().dataChanged.connect(self._on_clipboard)

    @property
    def palette(self) -> SearchPalette:
        """The palette, made when it is first asked for."""
        if self._palette is None:
            self._palette = SearchPalette(self._window.services.theme, self._window.whole)
            self._palette.chosen.connect(lambda key: self._then(key))
            self._palette.left.connect(self._back)
        return self._palette

    def _back(self) -> None:
        if self._window.canvas is not None:
            self._window.canvas.setFocus()

    def _open(
        self, offers: Sequence[Offer], name: str, at: QPoint, then: Callable[[str], None],
        text: str = "", act: str = "",
    ) -> None:  # fmt: skip
        def taken(key: str) -> None:
            self._back()
            if key.startswith("command:"):
                self._window.commands.do(key.removeprefix("command:"))
            else:
                then(key)

        self._then = taken
        self.palette.ask(
            offers, at, name, act=act, recent=self._recent, others=self.command_offers, text=text
        )

    def command_offers(self, _: str = "") -> list[Offer]:
        """Every command that can be given now."""
        commands, theme = self._window.commands, self._window.services.theme
        found = []
        for id, deed in commands.deeds.items():
            title, keys = deed.command.title, caps_of(commands.action(id).shortcut().toString())
            entry = Entry(f"command:{id}", title, title.casefold(), category=deed.command.group)
            found.append(
                Offer(
                    entry, deed.icon or "command", theme.colours.weak, deed.command.group, keys,
                    enabled=deed.is_possible(),
                )
            )  # fmt: skip
        return found

    # -- nodes ------------------------------------------------------------------------------------

    def ask(self, at: QPointF, place: Place | None = None) -> None:
        """Ask for a node to put at a place of the canvas, linked to a pulled end if one is."""
        canvas = self._window.canvas
        if canvas is None:
            return
        services, document = self._window.services, canvas.document
        sockets: dict[str, str] = {}
        specs = dict(services.book.specs)
        if place is not None:
            sockets = self._fitting(place)
            specs = {kind: specs[kind] for kind in sockets}
        offers = [offer_of(spec, services.theme) for spec in specs.values()]
        if place is None:
            offers += [
                offer
                for name in document.workflow.subgraphs
                if name != document.level and (offer := self._subgraph(name)) is not None
            ]
        name = tr("Add a node") if place is None else tr("Add a node that fits")
        spot = canvas.mapTo(self._window.whole, canvas.camera.to_screen(at).toPoint())
        self._open(
            offers, name, spot, lambda key: self._add(key, at, place, sockets.get(key, "")),
            act=tr("add") if place is None else tr("add and join"),
        )  # fmt: skip

    def _fitting(self, place: Place) -> dict[str, str]:
        """The node types that a pulled end fits, each with its socket."""
        canvas = self._window.canvas
        assert canvas is not None
        document, specs = canvas.document, self._window.services.book.specs
        args = document.workflow, document.level, place.path, place.name, canvas.spec_of
        if place.side == "out":
            found = types_for_output(specs, output_end(*args).type)
        else:
            end = input_end(*args)
            found = types_for_input(specs, end.type if end is not None else "*")
        return {fit.type: fit.socket for fit in found}

    def _subgraph(self, name: str) -> Offer | None:
        from app.specs.derived import subgraph_spec

        services, document = self._window.services, self._window.document
        if document is None:
            return None
        spec = subgraph_spec(services.book.specs, document.workflow, name)
        return offer_of(spec, services.theme) if spec is not None else None

    def _spec(self, kind: str) -> NodeSpec | None:
        from app.specs.derived import subgraph_spec

        services, document = self._window.services, self._window.document
        if kind.startswith("subgraph:") and document is not None:
            name = kind.removeprefix("subgraph:")
            return subgraph_spec(services.book.specs, document.workflow, name)
        return services.book.specs.get(kind)

    def _add(self, kind: str, at: QPointF, place: Place | None, socket: str) -> None:
        canvas, spec = self._window.canvas, self._spec(kind)
        if canvas is None or spec is None:
            return
        self._recent = [kind, *(k for k in self._recent if k != kind)][:_RECENT]
        document, level = canvas.document, canvas.document.level
        zone = canvas.zone_at(at)
        name = fresh_id(document.workflow, level, kind)
        path = f"{zone}/{name}" if zone else name
        x, y = snapped(at.x()), snapped(at.y())
        if place is not None:
            x, y = (x, y - 48) if place.side == "out" else (x - 208, y - 48)

        def change(workflow: Workflow) -> Workflow:
            node = new_node(spec)
            workflow = add_node(workflow, level, node, (x, y), zone, name)
            if place is not None and place.side == "out":
                link = Link(place.path, place.name, path, socket)
                return connect_free(workflow, level, link, canvas.spec_of)
            if place is not None:
                key = place.key if place.key != "" else None
                link = Link(path, socket, place.path, place.name, key)
                return connect_free(workflow, level, link, canvas.spec_of)
            return workflow

        if self._window.edit(document, tr("Add {name}", name=spec.title), change):
            document.select([path])

    def ask_replace(self) -> None:
        """Ask for a type to put in place of the active node, which keeps its links and values."""
        canvas = self._window.canvas
        view = canvas.board.nodes.get(canvas.document.active) if canvas is not None else None
        if canvas is None or view is None or view.path in (GIVEN, TAKEN):
            return
        services = self._window.services
        offers = [offer_of(spec, services.theme) for spec in services.book.specs.values()]
        level, path = canvas.document.level, view.path

        def take(kind: str) -> None:
            spec = services.book.specs[kind]
            self._window.edit(
                canvas.document, tr("Replace a node"),
                lambda w: replace_node(w, level, path, spec, canvas.spec_of),
            )  # fmt: skip

        spot = canvas.mapTo(self._window.whole, canvas.node_rect(path).topLeft())
        self._open(offers, tr("Replace {name} by", name=view.title), spot, take, act=tr("replace"))

    def ask_find(self) -> None:
        """Ask for a node of the graph and go there."""
        canvas = self._window.canvas
        if canvas is None:
            return
        colours = self._window.services.theme.colours
        offers = []
        for path, view in canvas.board.nodes.items():
            words = " ".join(str(v) for v in view.node.params.values() if isinstance(v, str))
            entry = Entry(path, view.title, view.title.casefold(), (path, view.node.type),
                          help=words.casefold())  # fmt: skip
            offers.append(Offer(entry, "search", colours.weak, f"{path}  {words[:80]}"))
        self._open(
            offers, tr("Find in the graph"), self._middle(), lambda path: self._go(path),
            act=tr("go there"),
        )  # fmt: skip

    def _go(self, path: str) -> None:
        canvas = self._window.canvas
        if canvas is not None and path in canvas.board.nodes:
            canvas.document.select([path])
            canvas.fit([path])

    def ask_command(self) -> None:
        """Ask for a command."""
        self._open([], tr("Commands"), self._middle(), lambda _: None, ">")

    def _middle(self) -> QPoint:
        whole = self._window.whole
        return QPoint((whole.width() - self.palette.width()) // 2, 88)

    # -- files ------------------------------------------------------------------------------------

    def take_files(self, paths: Sequence[Path], at: QPointF | None = None) -> None:
        """Take files that were dropped at a place of the canvas, or pasted: workflows are opened,
        and of pictures their graphs; for all other pictures there are nodes that read them."""
        graphs = [path for path in paths if self._is_graph(path)]
        plain = [path for path in paths if path not in graphs]
        if plain:
            self.drop_files(plain, at)
        for path in graphs:
            self._window.files.open(path)

    def take_file(self, path: Path, at: QPointF | None = None) -> None:
        """Open a workflow; of a picture its graph, or a node that reads it."""
        self.take_files([path], at)

    @staticmethod
    def _is_graph(path: Path) -> bool:
        """Whether a file is to be opened: all but media that carry no workflow."""
        if path.suffix.lower() not in MEDIA:
            return True
        from backend.media.errors import Damaged, Unsupported
        from backend.media.metadata import read_provenance
        from backend.sdk import UserError

        try:
            told = read_provenance(path)
        except (UserError, OSError, Damaged, Unsupported):
            return False  # its node says what is wrong with it
        return told is not None and isinstance(told.get("workflow"), str)

    def drop_file(self, path: Path, at: QPointF | None = None) -> None:
        """Put a node that reads a picture at a place of the canvas, or where the pointer is."""
        self.drop_files([path], at)

    def drop_files(self, paths: Sequence[Path], at: QPointF | None = None) -> None:
        """Put a node for each picture, video or sound, in rows from a place of the canvas on; all
        are one edit."""
        canvas, specs = self._window.canvas, self._window.services.book.specs
        readers = [spec for path in paths if (spec := specs.get(_reader_of(path))) is not None]
        if canvas is None or len(readers) < len(paths):
            return
        document, level = canvas.document, canvas.document.level
        spot = at if at is not None else canvas.pointer()
        told = [self._window.services.grant(document, path) for path in paths]
        desk = self._window.desk_of(document)
        if desk is not None:
            desk.checks.set_grants(self._window.services.grants_of(document))
        made: list[str] = []

        def change(workflow: Workflow) -> Workflow:
            made.clear()
            for number, (spec, file) in enumerate(zip(readers, told, strict=True)):
                field = next(p.name for p in spec.params if p.kind == "file")
                name = fresh_id(workflow, level, spec.type)
                row, column = divmod(number, _ACROSS)
                x, y = snapped(spot.x()) + 240 * column, snapped(spot.y()) + 320 * row
                workflow = add_node(workflow, level, new_node(spec), (x, y), "", name)
                workflow = set_param(workflow, level, name, field, file)
                made.append(name)
            return workflow

        one = len(paths) == 1
        label = tr("Add {name}", name=paths[0].name) if one else tr("Add {n} files", n=len(paths))
        if self._window.edit(document, label, change):
            document.select(made)

    def _paste_words(self, text: str) -> None:
        """Put a node that holds words where the pointer is, or say why these are none."""
        refusal = refusal_of(text)
        canvas, spec = self._window.canvas, self._window.services.book.specs.get("text")
        if refusal or canvas is None or spec is None:
            self._window.say(refusal)
            return
        document, level, at = canvas.document, canvas.document.level, canvas.pointer()
        name = fresh_id(document.workflow, level, spec.type)
        field = next(p.name for p in spec.params if p.kind == "multiline")

        def change(workflow: Workflow) -> Workflow:
            place = snapped(at.x()), snapped(at.y())
            workflow = add_node(workflow, level, new_node(spec), place, "", name)
            return set_param(workflow, level, name, field, text.strip())

        if self._window.edit(document, tr("Paste words"), change):
            document.select([name])

    def _on_clipboard(self) -> None:
        self._pastable = None
        self._window.commands.refresh()

    def can_paste(self) -> bool:
        """Whether nodes, words, a picture, or files are on the clipboard."""
        if self._pastable is None:
            data = QGuiApplication.clipboard().mimeData()
            if data is None:  # nothing was ever put there, or its program has just ended
                return False
            self._pastable = data.hasText() or data.hasUrls() or data.hasImage()
        return self._pastable and self._window.canvas is not None

    def paste_anything(self) -> None:
        """Paste nodes, files, a picture, or words; or say why that cannot be."""
        clipboard = QGuiApplication.clipboard()
        data = clipboard.mimeData()
        files = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
        if self._window.graph.can_paste():
            self._window.graph.paste()
        elif files:
            self.take_files(files)
        elif data.hasImage():
            self.drop_file(self._kept_picture())
        else:
            self._paste_words(data.text())

    def _kept_picture(self) -> Path:
        """The picture of the clipboard as a file, named by what is in it."""
        import blake3

        from app.shell.pictures import encoded

        content = encoded(QGuiApplication.clipboard().image(), "PNG")
        folder = self._window.services.places.data / "pasted"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{blake3.blake3(content).hexdigest()[:16]}.png"
        path.write_bytes(content)
        return path


def _reader_of(path: Path) -> str:
    """The node that reads a file, by its suffix."""
    suffix = path.suffix.lower()
    return "load_video" if suffix in VIDEOS else "load_audio" if suffix in SOUNDS else "load_image"
