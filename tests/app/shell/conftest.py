"""The whole window, with folders of its own; it is made once for a file of tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from app.shell.window import Window
from backend.engine.registry import scan_nodes
from tests.app.quiet import none_swallowed
from tests.app.shell.desktop import Desktop


@pytest.fixture(scope="session")
def specs():
    """The node types that Weft ships, which the window itself never imports."""
    return scan_nodes().specs


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Iterator[Path]:
    """A home folder in which nothing is."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CONFIG", "DATA", "CACHE", "STATE"):
            patch.setenv(f"XDG_{name}_HOME", str(folder / name.lower()))
        patch.setenv("HOME", str(folder))
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def window(application, home, specs) -> Iterator[Window]:
    """The window as it is at the start, with all node types."""
    from app.panels.settings.desk import SettingsDesk
    from app.shell.services import Services
    from app.theme.theme import Theme

    services = Services(SettingsDesk(), Theme())
    services.book.take(specs)
    services.desk.put("studio.still", True)
    made = Window(services)
    made.read_settings()
    made.services.documents.new()
    made.show()
    made.activateWindow()
    QApplication.processEvents()
    yield made
    for document in made.services.documents.unsaved():
        document.session.agree()
    made.close()
    made.deleteLater()


@pytest.fixture
def desktop(window) -> Iterator[Desktop]:
    """The window with one empty graph that is looked at."""
    documents = window.services.documents
    before = list(documents)
    documents.new()
    here = Desktop(window)
    yield here
    here.close()
    for document in before:
        if document in list(documents):
            documents.close(document)


@pytest.fixture(autouse=True)
def no_quiet_errors() -> Iterator[None]:
    """What fails in a slot or an event fails the test."""
    with none_swallowed():
        yield
