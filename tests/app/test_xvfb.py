"""The studio on a real X screen: its window is mapped, painted, hears keys, and ends by itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.studio_start import environment

CHILD = """
import json, os, sys, time
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from app.main import make_application, make_window

application = make_application()
window = make_window()
window.show()
assert QTest.qWaitForWindowExposed(window, 10_000), "it is not seen"
window.activateWindow()
window.canvas.setFocus()
end = time.monotonic() + 20
while window.view_pane.made("Viewer") is None and time.monotonic() < end:
    application.processEvents()
screen = QGuiApplication.primaryScreen()
seen = screen.grabWindow(0).toImage()  # what the X server itself has on its screen
wide, high = range(0, seen.width(), 7), range(0, seen.height(), 7)
colours = {seen.pixel(x, y) for x in wide for y in high}
before = len(window.document.workflow.graph.nodes)
QTest.keyClick(window.canvas, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
QTest.keyClick(window.canvas, Qt.Key.Key_Delete)
print(json.dumps({
    "platform": QGuiApplication.platformName(), "size": [seen.width(), seen.height()],
    "colours": len(colours), "nodes": [before, len(window.document.workflow.graph.nodes)],
}))
for document in window.services.documents.unsaved():
    document.session.agree()
window.close()
application.processEvents()
"""


@pytest.fixture
def screen(tmp_path) -> Iterator[str]:
    """The name of an X screen that nobody sees."""
    server = shutil.which("Xvfb")
    if server is None:
        pytest.skip("Xvfb is not on this machine.")
    lacking = missing_libraries()
    if lacking:
        pytest.skip(f"Qt's plugin for X needs {', '.join(lacking)}.")
    end, given = os.pipe()
    process = subprocess.Popen(
        [server, "-displayfd", str(given), "-screen", "0", "1440x900x24", "-nolisten", "tcp",
         *os.environ.get("WEFT_XVFB", "").split()],
        pass_fds=[given], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(given)
    with os.fdopen(end) as told:
        number = told.readline().strip()
    assert number, "Xvfb did not start"
    yield f":{number}"
    process.terminate()
    process.wait(10)


def missing_libraries() -> list[str]:
    """What the plugin is linked to and is not there."""
    import PySide6

    plugin = Path(PySide6.__file__).parent / "Qt" / "plugins" / "platforms" / "libqxcb.so"
    if not plugin.is_file() or shutil.which("ldd") is None:
        return ["ldd"] if plugin.is_file() else [plugin.name]
    told = subprocess.run(["ldd", plugin], capture_output=True, text=True, check=False).stdout
    return sorted({line.split()[0] for line in told.splitlines() if "not found" in line})


def test_it_is_seen_on_a_screen_and_hears_keys(screen, tmp_path):
    done = subprocess.run(
        [sys.executable, "-P", "-c", CHILD], cwd=tmp_path,
        env={**environment(str(tmp_path)), "DISPLAY": screen, "QT_QPA_PLATFORM": "xcb"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == os.EX_OK, done.stderr
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert told["platform"] == "xcb"
    assert told["size"] == [1440, 900]
    assert told["colours"] > 20, "the screen is blank"
    assert told["nodes"][0] > 0 == told["nodes"][1]
