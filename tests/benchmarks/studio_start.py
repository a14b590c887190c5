"""How long the studio takes from the start of its process to a painted window with a document.

``python tests/benchmarks/studio_start.py [REPEATS]`` prints seconds until the canvas was painted
for the first time, until all panels were there, and the memory then, for a user who has started it
before (modules are compiled, node types are kept) and for one who has not. Asked are less than
1.0 s to the first picture and less than 200 MB.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

CHILD = """
import json, os, sys, time
from pathlib import Path
from PySide6.QtCore import QEvent, QObject
from app.main import make_application, make_window

class FirstPaint(QObject):
    at = cpu = 0.0
    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.UpdateRequest and not self.at:
            watched.removeEventFilter(self)
            watched.event(event)  # all of the window is painted in it
            self.at, self.cpu = time.time(), time.process_time()
            return True
        return False

application = make_application()
window = make_window([Path(name) for name in sys.argv[1:]])
first = FirstPaint()
window.installEventFilter(first)
window.show()
while not first.at:
    application.processEvents()
torch_then = "torch" in sys.modules
while window.view_pane.made("Viewer") is None:
    application.processEvents()
application.processEvents()
panels = time.time()
end = panels + float(os.environ.get("WEFT_SETTLE", "0"))
while time.time() < end:
    application.processEvents()
    time.sleep(0.01)
import psutil
image = window.canvas.grab().toImage()
wide, high = range(0, image.width(), 7), range(0, image.height(), 7)
colours = {image.pixel(x, y) for x in wide for y in high}
print(json.dumps({
    "first": first.at, "cpu": first.cpu, "panels": panels,
    "memory": psutil.Process().memory_info().rss,
    "modules": sorted(name for name in sys.modules if "." not in name), "torch": torch_then,
    "colours": len(colours), "nodes": len(window.canvas.board.nodes),
}))
window.services.close()
sys.stdout.flush()
os._exit(0)
"""


def environment(home: str) -> dict[str, str]:
    """Nothing of the user's own is read; modules are compiled once, but not into the tree."""
    names = ("CACHE", "DATA", "CONFIG", "STATE")
    folders = {f"XDG_{name}_HOME": f"{home}/{name}" for name in names}
    made = {**os.environ, **folders, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen",
            "PYTHONPYCACHEPREFIX": f"{home}/compiled"}  # fmt: skip
    made.pop("PYTHONDONTWRITEBYTECODE", None)
    return made


def started(home: str, files: tuple[str, ...] = (), settle: float = 0.0) -> dict[str, Any]:
    """Start a studio once; what it said of itself, times from the start of the process."""
    begin = time.time()
    done = subprocess.run(
        [sys.executable, "-P", "-c", CHILD, *files], cwd=home,
        env={**environment(home), "WEFT_SETTLE": str(settle)}, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return {**told, "first": told["first"] - begin, "panels": told["panels"] - begin}


def main(repeats: int) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory(prefix="weft-start-") as home:
        new = started(home, settle=4.0)  # compiles, and the checks tell the node types
        print(f"{'first start':14} picture {new['first']:.2f} s, panels {new['panels']:.2f} s")
        rows = [started(home) for _ in range(repeats)]
        for key, words in (("first", "picture"), ("panels", "panels"), ("cpu", "picture, cpu")):
            times = sorted(row[key] for row in rows)
            print(f"{words:14} median {statistics.median(times):.2f} s, least {times[0]:.2f} s, "
                  f"most {times[-1]:.2f} s")  # fmt: skip
        memory = max(row["memory"] for row in rows) / 2**20
        print(f"{'memory':14} {memory:.0f} MB; torch: {any(row['torch'] for row in rows)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
