"""How fast the canvas is with many nodes, beside the bare floor of Qt and beside NodeGraphQt.

``python -m tests.benchmarks.studio`` runs Weft and the floor (``floor_editor.py``: the same scene
as plain graphics items) in processes of their own, on the same graph and a window of 1920 by
1080, offscreen. ``--nodegraphqt PYTHON`` also runs NodeGraphQt, by the Python of an environment
that has it. Nodes have text, choice and check rows. Figures are milliseconds.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT = 1920, 1080
LIMITS = {
    "build_ms": 600, "load_ms": 1000, "save_ms": 300, "fit_ms": 50, "select_all_ms": 50,
    "link_p95_ms": 2, "growth_mib": 80, "pan_fit_all_p95": 16, "zoom_sweep_p95": 16,
    "drag_10pct_fit_all": 25,
}  # fmt: skip


def specs() -> dict[str, Any]:
    """A node type with four inputs, two outputs and three rows of values."""
    from backend.graph.spec import NodeSpec, Param, Socket

    inputs = tuple(Socket(f"in{i}", "Image", optional=True) for i in range(4))
    outputs = tuple(Socket(f"out{i}", "Image") for i in range(2))
    params = (
        Param("prompt", "text", "a cat"),
        Param("sampler", "choice", "euler", choices=("euler", "heun", "dpmpp")),
        Param("tiled", "boolean", False),
    )
    return {"rich": NodeSpec("rich", 1, "Rich", "Image", "", inputs, params, outputs)}


def document(count: int) -> Any:
    """A grid of nodes; each reads the one before it and the one above it."""
    from backend.graph.document import Graph, Layout, Node, Placement, Ref, Workflow

    columns = max(1, int(count**0.5))
    nodes, places = {}, {}
    for i in range(count):
        inputs = {}
        if i:
            inputs["in0"] = Ref(f"n{i - 1}", "out0")
        if i >= columns:
            inputs["in1"] = Ref(f"n{i - columns}", "out1")
        nodes[f"n{i}"] = Node("rich", inputs=MappingProxyType(inputs))
        places[f"n{i}"] = Placement(float(i % columns * 320), float(i // columns * 260))
    graph = Graph(MappingProxyType(nodes))
    return Workflow(graph, layout=Layout(MappingProxyType(places)))


def summary(values: list[float]) -> dict[str, float]:
    """Mean, median, 95th percentile and worst."""
    ordered = sorted(values)
    return {
        "mean": round(statistics.mean(ordered), 2),
        "p50": round(statistics.median(ordered), 2),
        "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 2),
        "max": round(ordered[-1], 2),
    }


def timed(act: Callable[[], object]) -> float:
    """Milliseconds that something takes."""
    begin = time.perf_counter()
    act()
    return (time.perf_counter() - begin) * 1000


def cell(count: int) -> dict[str, Any]:
    """All figures of Weft, in this process."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    import psutil
    from PySide6.QtWidgets import QApplication

    application = QApplication([])
    from app.canvas.canvas import Canvas
    from app.document.session import Session
    from app.open_document import OpenDocument
    from app.specs.book import SpecBook
    from app.theme.fonts import load_fonts
    from app.theme.theme import Theme
    from backend.graph.format import load, save

    load_fonts()
    process = psutil.Process()
    theme, book = Theme(), SpecBook(specs())
    warm = Canvas(OpenDocument(Session(document(4))), book, theme)
    warm.resize(WIDTH, HEIGHT)
    warm.show()
    application.processEvents()
    gc.collect()
    before = process.memory_info().rss
    figures: dict[str, Any] = {"nodes": count}
    held: list[Any] = []

    def build() -> None:
        opened = OpenDocument(Session(document(count)))
        canvas = Canvas(opened, book, theme)
        canvas.resize(WIDTH, HEIGHT)
        canvas.show()
        application.processEvents()
        held.append(canvas)

    figures["build_ms"] = round(timed(build), 1)
    gc.collect()
    gc.freeze()  # as app/garbage.py does when a document has been opened
    canvas = held[0]
    figures["links"] = len(canvas.board.links)
    figures |= frames(canvas, application)
    figures["growth_mib"] = round((process.memory_info().rss - before) / 2**20, 1)
    figures |= links(canvas, application)
    figures["select_all_ms"] = round(
        timed(lambda: (canvas.document.select(canvas.board.nodes.keys()), canvas.repaint())), 1
    )
    figures["fit_ms"] = round(timed(lambda: (canvas.fit(animated=False), canvas.repaint())), 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.weft.json"
        workflow = canvas.document.workflow
        figures["save_ms"] = round(timed(lambda: save(workflow, path)), 1)

        def again() -> None:
            opened = OpenDocument(Session(load(path), path))
            other = Canvas(opened, book, theme)
            other.resize(WIDTH, HEIGHT)
            other.show()
            application.processEvents()
            held.append(other)

        figures["load_ms"] = round(timed(again), 1)
    return figures


def frames(canvas: Any, application: Any) -> dict[str, Any]:
    """Panning, zooming and dragging, each step with a whole paint event."""
    from app.canvas.camera import Camera

    full = canvas.board.bounds()
    middle = full.center()
    least = min(WIDTH / full.width(), HEIGHT / full.height())

    def look(x: float, y: float, zoom: float) -> None:
        canvas.set_camera(Camera(x - WIDTH / 2 / zoom, y - HEIGHT / 2 / zoom, zoom))

    def run(steps: int, act: Callable[[int], object]) -> dict[str, float]:
        return summary([timed(lambda k=k: (act(k), canvas.repaint())) for k in range(steps)])

    found: dict[str, Any] = {}
    x, y = middle.x(), middle.y()
    look(x, y, 1)
    canvas.repaint()
    found["pan_1to1"] = run(120, lambda k: look(x + 12 * k - 720, y + 5 * k - 300, 1.0))
    look(x, y, least)
    canvas.repaint()
    found["pan_fit_all"] = run(60, lambda k: look(x + (12 * k - 360) / least * 0.1, y, least))
    found["zoom_sweep"] = run(
        60, lambda k: look(x, y, least * (1.0 / least) ** abs((k % 60) / 30 - 1))
    )
    found["whole_frame_1to1"] = run(10, lambda k: canvas.repaint_all() or look(x, y, 1.0))
    look(x, y, least)
    canvas.repaint()
    paths = list(canvas.board.nodes)[: max(10, len(canvas.board.nodes) // 10)]

    def drag(_: int) -> None:
        canvas.board.move(paths, 3, 2)
        canvas.refresh()

    found["drag_10pct_fit_all"] = run(20, drag)
    canvas.board.move(paths, -60, -40)
    canvas.refresh()
    application.processEvents()
    return found


def links(canvas: Any, application: Any) -> dict[str, float]:
    """Making links at the begin, in the middle and at the end: the check for circles, the document
    and the paint event together."""
    from app.canvas.camera import Camera
    from app.document.edits.connect import connect
    from app.document.level import Link

    count = len(canvas.board.nodes)
    times = []
    ends = [*range(2, 12), *range(count // 2, count // 2 + 10), *range(count - 10, count)]
    for i in ends:
        view = canvas.board.nodes[f"n{i}"]
        canvas.set_camera(Camera(view.x - WIDTH / 2, view.y - HEIGHT / 2, 1.0))
        canvas.repaint()
        link = Link(f"n{i - 2}", "out0", f"n{i}", "in2")

        def make(link: Link = link) -> None:
            canvas.edit("Link", lambda w: connect(w, "", link, canvas.spec_of, canvas.reads))
            application.processEvents()

        times.append(timed(make))
    found = summary(times)
    return {"link_p50_ms": found["p50"], "link_p95_ms": found["p95"]}


def run_floor(count: int) -> dict[str, Any]:
    """The same scene as plain graphics items."""
    command = [sys.executable, str(HERE / "floor_editor.py"), "--n", str(count), "--kind", "rich"]
    return _told(command)


def run_nodegraphqt(python: str, count: int) -> dict[str, Any]:
    """The same graph in NodeGraphQt."""
    command = [python, str(HERE / "bench_nodegraphqt.py"), "--n", str(count), "--kind", "rich"]
    return _told(command)


def _told(command: list[str]) -> dict[str, Any]:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=900, env=environment, check=False
    )
    lines = [
        line.partition(" ")[2]
        for line in done.stdout.splitlines()
        if line.startswith(("CELL ", "PARTIAL "))
    ]
    if not lines:
        return {"error": (done.stdout + done.stderr)[-400:]}
    result: dict[str, Any] = json.loads(lines[-1])
    return result


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=2000)
    parser.add_argument("--nodegraphqt", default="", help="a Python that has NodeGraphQt")
    parser.add_argument("--cell", action="store_true", help="only Weft, in this process, as JSON")
    chosen = parser.parse_args()
    if chosen.cell:
        print("CELL " + json.dumps(cell(chosen.nodes)), flush=True)
        os._exit(0)
    command = [sys.executable, "-m", "tests.benchmarks.studio", "--cell", "--nodes",
               str(chosen.nodes)]  # fmt: skip
    ours, floor = _told(command), run_floor(chosen.nodes)
    theirs = run_nodegraphqt(chosen.nodegraphqt, chosen.nodes) if chosen.nodegraphqt else {}
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {load:.1f}, "
        f"Python {platform.python_version()}, {chosen.nodes} nodes, {ours.get('links')} links"
    )
    print(f"{'':24}{'Weft':>12}{'floor':>12}{'NodeGraphQt':>14}{'asked':>10}")
    for name in dict.fromkeys([*ours, "build_ms"]):
        if name in ("nodes", "links", "error"):
            continue
        row = [_words(each.get(name)) for each in (ours, floor, theirs)]
        asked = LIMITS.get(name, LIMITS.get(f"{name}_p95", ""))
        print(f"{name:24}{row[0]:>12}{row[1]:>12}{row[2]:>14}{asked!s:>10}")
    ratio = ours["pan_1to1"]["mean"] / floor["pan_1to1"]["mean"]
    print(f"pan at 1:1, mean to the floor's: {ratio:.2f} (asked: at most 1.8)")
    for side in (ours, floor, theirs):
        if "error" in side:
            print(side["error"])


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['mean']:.1f} / {value['p95']:.1f}"
    return "" if value is None else str(value)


if __name__ == "__main__":
    main()
