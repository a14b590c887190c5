"""The main states of the studio, one after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest

from app.run.state import JobView
from app.screenshots import art
from app.screenshots.room import GIB
from app.screenshots.sheet import sheet
from app.screenshots.stage import WORKFLOWS, Stage
from backend.batch.manifest import Ended
from backend.engine.events import (
    Preview,
    Progress,
    RunStarted,
    SavedFile,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
)

if TYPE_CHECKING:
    from backend.engine.queue.job import Ending

Scene = Callable[[Stage], None]


def empty(stage: Stage) -> None:
    """Nothing yet."""
    stage.take("empty")


def template(stage: Stage) -> None:
    """The first start."""
    stage.open("text-to-image")
    stage.close_others()
    stage.take("template")


def _begin(stage: Stage) -> None:
    if "sample" not in stage.canvas.board.nodes:
        stage.open("text-to-image")


def _finish(stage: Stage, seed: int) -> None:
    """A whole run of the text-to-image graph."""
    room, number = stage.room, stage.room.queue(stage.document, seed)
    room.begin(number)
    _until_sample(stage, seed)
    room.hear(Preview("sample", art.jpeg(0.1)), 2.2, int(1.9 * GIB))
    room.hear(StepDone("sample", False, 4.9, {"latent": "Latent 16x16"}), 2.1)
    room.hear(StepStarted("decode"))
    room.hear(Preview("decode", art.jpeg()), 0.2, int(2.1 * GIB))
    room.hear(StepDone("decode", False, 0.41, {"image": "Image 512x384"}), 0.2)
    room.hear(StepStarted("save"))
    room.hear(Preview("save", art.jpeg()))
    room.hear(SavedFile("save", "scene_001.png", "0"))
    room.hear(StepDone("save", False, 0.06, {}), 0.06)
    room.values["decode", "image"] = "Image", art.value()
    room.values["save", "image"] = "Image", art.value()
    room.end(_ending(11.9))


def _until_sample(stage: Stage, seed: int) -> None:
    room = stage.room
    room.hear(RunStarted(7, {"sample.seed": seed}))
    room.hear(StepStarted("model"))
    room.hear(StepDone("model", False, 0.9, {"model": "Model primer"}), 0.9, GIB)
    for step, seconds in (("prompt", 0.12), ("negative", 0.1), ("empty", 0.01)):
        room.hear(StepStarted(step))
        room.hear(StepDone(step, False, seconds, {}), seconds, int(1.1 * GIB))
    room.hear(StepStarted("sample"))
    room.hear(Progress("sample", 1, 28), 0.2, int(1.4 * GIB))


def _ending(seconds: float, failed: str = "") -> Ending:
    from backend.engine.queue.job import Ending
    from backend.sdk import Saved

    if failed:
        return Ending("failed", failed, seconds, (), {"sample": failed})
    return Ending("done", "", seconds, (Saved("scene_001.png", "0"),))


def finished(stage: Stage) -> None:
    """A run is over: pictures on nodes and in the viewer."""
    _begin(stage)
    _finish(stage, 4126)
    stage.settle()
    stage.document.select(["decode"])
    stage.canvas.fit(animated=False)
    stage.take("finished")


def busy(stage: Stage) -> None:
    """A run is under way, another waits, one is over."""
    _begin(stage)
    room = stage.room
    numbers = [room.queue(stage.document, seed) for seed in (4127, 4128)]
    room.begin(numbers[0])
    room.hear(RunStarted(7, {"sample.seed": 4127}))
    for step in ("model", "prompt", "negative", "empty"):
        room.hear(StepDone(step, True, 0.4, {}), 0.02, GIB)
    room.hear(StepStarted("sample"))
    for done in range(1, 18):
        room.hear(Progress("sample", done, 28), 0.3, int((1 + done / 18) * GIB))
    room.hear(Preview("sample", art.jpeg(0.6)))
    stage.document.select(["sample"])
    stage.canvas.fit(animated=False)
    stage.take("busy")
    stage.take("queue", stage.window.queue_pane)
    stage.take("inspector", stage.window.node_pane)
    room.cancel_all()


def broken(stage: Stage) -> None:
    """A type that is not installed, a step that failed, and what the checks say."""
    told = _workflow("text-to-image")
    nodes, places = told["nodes"], told["layout"]["nodes"]
    nodes["grain"] = {
        "type": "grain_tools.grain", "version": 1, "title": "Film grain",
        "inputs": {"image": "decode.image"}, "params": {"strength": 0.4},
    }  # fmt: skip
    places["grain"] = {"x": 1088, "y": 264}
    nodes["sample"]["params"]["steps"] = 0
    nodes["blur"] = {"type": "blur", "version": 1}
    places["blur"] = {"x": 816, "y": 360}
    stage.show(json.dumps(told))
    room = stage.room
    room.begin(room.queue(stage.document, 4129))
    _until_sample(stage, 4129)
    said = "4096 x 4096 is above the cap of 3072. Use a scale of 1.5, or raise the cap."
    room.hear(StepFailed("sample", said), 0.8)
    for step in ("decode", "save"):
        room.hear(StepSkipped(step, "sample"))
    room.end(_ending(2.1, said))
    stage.settle()
    stage.canvas.fit(animated=False)
    stage.turn("said_pane", "Problems")
    stage.take("broken")
    room.cancel_all()


def _workflow(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(WORKFLOWS.joinpath(f"{name}.weft.json").read_text("utf-8"))
    return told


def pulled(stage: Stage) -> None:
    """A link that does not fit is held over an input."""
    stage.open("text-to-image")
    stage.zoom(0.9)
    start, end = stage.socket("sample", "out", "latent"), stage.socket("save", "in", "image")
    stage.pull(start, end)
    stage.take("refused")
    canvas = stage.canvas
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier(0), end)


def palette(stage: Stage) -> None:
    """Looking for a node."""
    for dark in (True, False):
        stage.theme.set_dark(dark)
        stage.settle()
        stage.window.adding.ask(stage.canvas.camera.to_canvas(QPointF(240, 60)))
        QTest.keyClicks(stage.window.adding.palette.field, "samp")
        stage.settle()
        stage.keep(stage.window.grab().toImage(), "palette", dark)
        stage.window.adding.palette.close_down()


def subgraph(stage: Stage) -> None:
    """Nodes become one, and it is entered."""
    stage.document.select(["prompt", "negative", "empty"])
    stage.window.commands.do("group.make")
    stage.settle()
    stage.canvas.fit(animated=False)
    stage.take("grouped")
    stage.document.enter(next(iter(stage.document.workflow.subgraphs)))
    stage.settle()
    stage.take("subgraph")


def furniture(stage: Stage) -> None:
    """Zones, frames, notes, reroutes and named links."""
    told = _workflow("loop")
    layout = told["layout"]
    layout["frames"] = [
        {"title": "Where it begins", "x": -24, "y": -56, "width": 528, "height": 420,
         "color": "#E8B04C"},
    ]  # fmt: skip
    layout["notes"] = [
        {"text": "**Try this**\n\nSet the times to 12. Only what depends on them runs again.",
         "x": 0, "y": 400, "width": 208, "height": 104},
    ]  # fmt: skip
    layout["ways"] = [
        {"source": "photo.image", "target": "start.image", "name": "photo"},
        {"source": "turns.image", "target": "save.image", "via": [{"x": 1648, "y": 140}]},
    ]
    stage.show(json.dumps(told))
    stage.take("furniture")


def far(stage: Stage) -> None:
    """From far away."""
    stage.open("text-to-image")
    _finish(stage, 4130)
    stage.settle()
    for zoom in (0.6, 0.35, 0.13):
        stage.zoom(zoom)
        stage.take(f"zoom-{zoom * 100:.0f}", stage.window.canvases)


def near(stage: Stage) -> None:
    """The nodes at 100 %."""
    stage.zoom(1.0)
    stage.take("zoom-100", stage.window.canvases)


def form(stage: Stage) -> None:
    """The exposed values as a form."""
    stage.window.show_form(True)
    stage.settle()
    stage.take("form")
    stage.window.show_form(False)


def settings(stage: Stage) -> None:
    """The settings window."""
    from app.panels.settings.window import SettingsWindow

    stage.window.commands.do("edit.settings")
    found = stage.window.findChildren(SettingsWindow)[-1]
    stage.settle()
    stage.take("settings", found)
    found.close()


def gallery(stage: Stage) -> None:
    """What was saved."""
    folder = stage.services.places.output
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(6):
        art.picture(number / 8).save(str(folder / f"scene_{number:03}.png"))
    panel: Any = stage.turn("queue_pane", "Gallery")
    panel.refresh()
    stage.window.work.setSizes([360, 500])
    stage.rest(1.5)
    stage.take("gallery")
    stage.window.work.setSizes([660, 208])


def player(stage: Stage) -> None:
    """A video with its sound, and a sound alone."""
    from app.viewer.subject import Subject

    _begin(stage)
    _finish(stage, 4131)
    panel: Any = stage.turn("view_pane", "Viewer")
    video, sound = art.film(Path("film.raw").absolute()), art.sound()
    panel.look_at(Subject(video, "Join videos · video", "Video", sound=sound))
    panel.player.go(31)
    stage.spin(lambda: panel.player.shown == 31 and panel.player.bar.line.peaks is not None)
    stage.rest(0.5)
    stage.take("player", stage.window.view_pane)
    panel.look_at(Subject(video, "Join videos · video", "Video"))
    panel.player.go(31)
    stage.spin(lambda: panel.player.shown == 31)
    stage.take("player-mute", stage.window.view_pane)
    panel.look_at(Subject(sound, "Mix audio · audio", "Audio"))
    panel.player.go(120)
    stage.spin(lambda: panel.player.view.peaks is not None)
    stage.take("player-sound", stage.window.view_pane)


def batch(stage: Stage) -> None:
    """A batch: with a table that is wrong, ready to be queued, under way."""
    _begin(stage)
    stage.window.side.setSizes([200, 560, 160])
    table = Path("rows.csv").absolute()
    table.write_text("prompt,seed,light\na red circle on the left,one,3\n", "utf-8")
    panel: Any = stage.turn("node_pane", "Batch")
    panel.form.put_table(str(table))
    panel.form.take_knob("sample.cfg")
    panel.form.rows[0].put("1:5:x")
    stage.rest(1.0)
    stage.take("batch-wrong")
    rows = ("a red circle on the left and a blue star", "a green ring", "a yellow triangle")
    lines = [f'"{row}",{seed}' for seed, row in enumerate(rows, 1)]
    table.write_text("\n".join(("prompt,seed", *lines)), "utf-8")
    panel.form.rows[0].put("1:5:5")
    panel.form.name.setText("{row}-{sample.cfg}-{index:3}")
    panel.look_ahead()
    stage.rest(1.0)
    stage.take("batch")
    panel.queue()
    course = panel.courses[-1]
    places = {place: place for place in range(1, len(course.batch.points) + 1)}
    course.take_up(places, {place: _ended(place) for place in range(1, 8)}, ())
    course.running[8] = JobView(8, "", "running", sentence="Sample, step 17 of 28")
    course.changed.emit()
    stage.settle()
    stage.take("batch-under-way")
    stage.turn("node_pane", "Inspector")


def _ended(place: int) -> Ended:
    """How a job of the batch ended; one has failed."""
    said = "Sample needs 2.9 of 3.6 GB. Choose a smaller size." if place == 4 else ""
    line = {"sentence": said, "seconds": 4.2, "job": place}
    return Ended(place, "", "failed" if said else "done", (), line)


def panels(stage: Stage) -> None:
    """The other panels."""
    for pane, title in (
        ("node_pane", "Document"), ("node_pane", "History"), ("said_pane", "Log"),
        ("said_pane", "Models"), ("said_pane", "Packs"), ("queue_pane", "Jobs"),
    ):  # fmt: skip
        stage.turn(pane, title)
        stage.rest(0.3)
        stage.take(f"panel-{title.casefold()}", getattr(stage.window, pane))
    stage.turn("node_pane", "Inspector")


def states(stage: Stage) -> None:
    """The sheet of node states."""
    ratio = stage.window.devicePixelRatioF()
    for dark in (True, False):
        stage.theme.set_dark(dark)
        stage.keep(sheet(stage.theme.colours, ratio), "node-states", dark)


SCENES: Mapping[str, Scene] = {
    scene.__name__: scene
    for scene in (
        empty, template, finished, busy, broken, pulled, palette, subgraph, furniture, far, near,
        form, settings, gallery, player, batch, panels, states,
    )
}  # fmt: skip


def play(out: Path, suffix: str, names: tuple[str, ...]) -> None:
    """Play the scenes on one stage."""
    stage = Stage(out, suffix)
    try:
        for name in names or tuple(SCENES):
            SCENES[name](stage)
    finally:
        stage.close()
