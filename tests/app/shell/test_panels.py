"""Panels told of each other: the viewer, models, problems, packs, the timeline and the form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication

from app.run.looks import Looked
from app.run.meters import Memory
from app.run.state import JobView
from app.specs.models import ModelRow
from app.theme.colours import DARK, LIGHT
from backend.graph.document import Exposed, Graph, ModelNeed, Node, Ref, Workflow
from backend.graph.format import load
from backend.values import Image

ROOT = Path(__file__).resolve().parents[3]
TEMPLATE = ROOT / "workflows" / "real-model.weft.json"
FLAT = Workflow(
    graph=Graph(
        nodes={
            "image": Node("solid_image", params={"width": 32, "height": 16}),
            "save": Node("save_image", inputs={"image": Ref("image", "image")}),
        }
    ),
    expose={"width": Exposed("image", "width")},
    title="Flat",
)
PICTURE = Image(np.linspace(0, 1, 2 * 4 * 6 * 3, dtype=np.float32).reshape(2, 4, 6, 3))


@pytest.fixture
def looks(desktop, monkeypatch):
    """What is looked at comes at once."""
    room = desktop.window.services.room
    stale: set[str] = set()

    def look(document, step, output, then, **rest):
        then(Looked(step, output, PICTURE, "Image", cached=True, job=11))

    monkeypatch.setattr(room, "look", look)
    monkeypatch.setattr(room, "stale", lambda document: frozenset(stale))
    desktop.open(FLAT)
    return stale


def viewer(desktop):
    return desktop.window.view_pane.panel("Viewer")


def test_a_picture_is_stale_when_its_graph_has_changed(desktop, looks, spin):
    desktop.window.panels.looking.look_at("image", "image")
    assert viewer(desktop).subject.job == "job 11"
    assert not viewer(desktop).subject.is_stale
    looks.add("image")
    wide = replace(FLAT.graph.nodes["image"], params=MappingProxyType({"width": 64}))
    desktop.document.edit("Wider", lambda w: w.with_node("image", wide))
    spin(lambda: viewer(desktop).subject.is_stale)
    looks.clear()
    desktop.document.undo()
    spin(lambda: not viewer(desktop).subject.is_stale)


def test_what_is_looked_at_becomes_a_node_that_reads_a_file(desktop, looks):
    desktop.window.panels.looking.look_at("image", "image")
    panel = viewer(desktop)
    panel.stage.turn_to(1)
    panel.use_as_input.emit(panel.subject, 1)
    nodes = desktop.document.workflow.graph.nodes
    (new,) = [node for name, node in nodes.items() if name not in FLAT.graph.nodes]
    assert new.type == "load_image"
    path = Path(next(v for v in new.params.values() if isinstance(v, str) and v.endswith(".png")))
    assert path.is_file()
    assert path in desktop.window.services.grants_of(desktop.document)


def test_the_viewer_leads_to_its_node(desktop, looks):
    desktop.window.panels.looking.look_at("image", "image")
    desktop.document.select([])
    viewer(desktop).went.emit()
    assert desktop.document.selection == {"image"}


def test_each_document_has_its_own_picture(desktop, looks, spin):
    """Turning to another tab shows nothing of the first, and turning back shows it again."""
    window, first = desktop.window, desktop.document
    window.panels.looking.look_at("image", "image")
    looks.add("image")
    edited = replace(FLAT.graph.nodes["image"], params=MappingProxyType({"width": 64}))
    desktop.document.edit("Wider", lambda w: w.with_node("image", edited))
    spin(lambda: viewer(desktop).subject.is_stale)
    assert viewer(desktop).stage.view.pill == "Last run, job 11"
    desktop.open(replace(FLAT, title="Other"))
    assert viewer(desktop).subject.value is None
    assert viewer(desktop).stage.view.pill == ""
    looks.clear()
    window.panels.looking.look_at("save", "image")
    assert viewer(desktop).subject.title == "Save image · image"
    looks.add("image")
    window.services.documents.look_at(first)
    assert viewer(desktop).subject.title == "Solid image · image"
    assert viewer(desktop).subject.is_stale
    window.services.documents.close(first)
    assert viewer(desktop).subject.title == "Save image · image"


def test_the_inspector_edits_the_document_that_is_seen(desktop, spin):
    """The same node is selected in two tabs: a value goes into the graph of the tab."""
    page = desktop.window.node_pane.show_tab("Inspector")
    graphs = []
    for title in ("One", "Two"):
        desktop.open(replace(FLAT, title=title))
        desktop.document.select(["image"])
        graphs.append(desktop.document)
        spin(lambda: "width" in page.rows)
    page.rows["width"].editor.give(64)
    desktop.window.services.documents.look_at(graphs[0])
    spin(lambda: "width" in page.rows)
    page.rows["width"].editor.give(96)
    given = [each.workflow.graph.nodes["image"].params["width"] for each in graphs]
    assert given == [96, 64]


def test_a_value_that_comes_late_is_not_shown_in_another_tab(desktop, looks, monkeypatch):
    window, first, waiting = desktop.window, desktop.document, []

    def look(document, step, output, then, **rest):
        waiting.append(
            lambda: then(Looked(step, output, PICTURE, "Image", cached=True, job=11))
        )  # fmt: skip

    monkeypatch.setattr(window.services.room, "look", look)
    window.panels.looking.look_at("image", "image")
    desktop.open(replace(FLAT, title="Other"))
    waiting[0]()
    assert viewer(desktop).subject.value is None
    window.services.documents.look_at(first)
    assert viewer(desktop).subject.value is PICTURE


def test_the_form_shows_the_picture_and_the_job(desktop, looks):
    window = desktop.window
    window.panels.looking.look_at("image", "image")
    window.show_form(True)
    form = window.pages.widget(1)
    beside = window.panels.looking.beside_form()
    assert beside.isVisibleTo(form)
    window.panels.looking.look_at("image", "image")
    assert beside.subject.value is PICTURE
    job = JobView(3, "Flat", "running", document=desktop.document.id, progress=0.5, sentence="Half")
    window.services.room.job_changed.emit(job)
    assert form.state.text() == "Half"
    assert form.bar.value() == 500
    window.services.room.job_changed.emit(replace(job, id=4, document="another", sentence="No"))
    assert form.state.text() == "Half"
    window.show_form(False)


@pytest.fixture
def lacking(desktop, spin):
    """The template of a real model, on a machine that has only Primer."""
    models = desktop.window.services.models
    before = models.rows
    models.rows = (ModelRow("primer", "folder", "Primer"),)
    desktop.open(load(TEMPLATE))
    spin(lambda: not desktop.window.desk.checks.behind)
    yield desktop
    models.rows = before


def test_a_missing_model_is_told_with_what_to_get_and_whether_it_fits(lacking, spin):
    window = lacking.window
    spin(lambda: any("stable-diffusion-xl" in said for said in lacking.said))
    window.panels.turn_to_models()
    panel = window.said_pane.panel("Models")
    spin(lambda: panel.missing.cards.cards and panel._shelf.memory)
    panel._shelf.free = 2**40
    window.services.room.memory_changed.emit(Memory(used=2**33, total=2**35))
    (card,) = panel.missing.cards.cards
    assert card.title == "stable-diffusion-xl-base-1.0 is missing."
    assert card.sentence == "12.9 GB of weights fit into 24.0 GB of free memory."
    assert "hf:stabilityai/" in card.tip
    window.services.room.memory_changed.emit(Memory(used=2**34 + 2**33, total=2**35))
    (card,) = panel.missing.cards.cards
    assert card.sentence == "12.9 GB of weights do not fit into 8.0 GB of free memory."


def test_its_problem_leads_to_the_models(lacking):
    window = lacking.window
    window.said_pane.show_tab("Problems")
    panel = window.said_pane.panel("Problems")
    (card,) = panel.list.cards.cards
    assert card.act.words == "Show models"
    panel.list.acted.emit(card.key)
    assert window.said_pane.current == "Models"


def test_the_document_page_says_what_is_missing(lacking):
    page = lacking.window.node_pane.show_tab("Document")
    page.update_now()
    from PySide6.QtWidgets import QLabel

    assert "Not on this machine" in [label.text() for label in page.findChildren(QLabel)]


def test_models_that_ship_are_never_missing(desktop, spin):
    made = load(ROOT / "workflows" / "text-to-image.weft.json")
    assert [need.name for need in made.models] == ["primer"]
    desktop.open(replace(made, models=(*made.models, ModelNeed("nowhere"))))
    desktop.window.panels.turn_to_models()
    panel = desktop.window.said_pane.panel("Models")
    spin(lambda: panel._shelf.shipped and panel._workflow is desktop.document.workflow)
    assert [card.title for card in panel.missing.cards.cards] == ["nowhere is missing."]


def test_other_packs_begin_other_checks(desktop, monkeypatch):
    from app.specs.helper import Helper

    again = []
    monkeypatch.setattr(Helper, "restart", lambda self: again.append(self))
    panel = desktop.window.said_pane.panel("Packs")
    panel._shelf.trusted_changed.emit()
    assert again == [desktop.window.services.helper]


def test_trouble_with_the_checks_is_told_once(desktop):
    helper = desktop.window.services.helper
    for said in ("It ended.", "It ended.", "", "Again."):
        helper.trouble.emit(said)
    assert desktop.said == ["It ended.", "Again."]
    helper.trouble.emit("")


def test_files_are_looked_into_again_when_the_window_is_back(desktop, monkeypatch):
    desktop.open(FLAT)
    asked = []
    monkeypatch.setattr(desktop.window.desk.checks, "refresh", lambda: asked.append(True))
    QApplication.sendEvent(desktop.window, QEvent(QEvent.Type.ActivationChange))
    assert asked == [True]
    QApplication.sendEvent(desktop.window, QEvent(QEvent.Type.FontChange))
    assert asked == [True]


def test_a_pane_says_a_few_words_for_the_panel_that_is_shown(desktop):
    pane = desktop.window.time_pane
    panel = pane.show_tab("Run timeline")
    panel.summary_changed.emit("Peak 1.9 GB")
    assert pane.note.text() == "Peak 1.9 GB"
    assert pane.note.isVisibleTo(pane)
    panel.summary_changed.emit("")
    assert not pane.note.isVisibleTo(pane)


def test_a_job_is_shown_once_by_the_queue(desktop):
    panel = desktop.window.queue_pane.show_tab("Queue")
    shown = []
    panel.list.put = lambda cards: shown.append(cards)
    desktop.window.services.room.jobs_changed.emit()
    del panel.list.put
    assert len(shown) == 1


def test_the_theme_is_changed_while_it_runs(desktop):
    window = desktop.window
    dark = window.services.theme.colours.dark
    window.services.desk.put("studio.theme", "light" if dark else "dark")
    other = LIGHT if dark else DARK
    assert window.services.theme.colours is other
    assert QApplication.palette().window().color().name().upper() == other.panel
    image = window.bar.grab().toImage()
    assert image.pixelColor(image.width() // 2, 4).name().upper() == other.panel
    window.services.desk.put("studio.theme", "dark" if dark else "light")


def test_texts_are_as_large_as_the_settings_say(desktop):
    window = desktop.window
    window.services.desk.put("studio.text", 1.25)
    assert QApplication.font().pixelSize() == 15
    page = window.node_pane.show_tab("Inspector")
    assert page is not None
    window.services.desk.put("studio.text", 1.0)
    assert QApplication.font().pixelSize() == 12


def test_outputs_go_to_another_folder_as_soon_as_it_is_set(desktop, tmp_path):
    services = desktop.window.services
    gallery = desktop.window.queue_pane.show_tab("Gallery")
    before = services.places.output
    assert services.desk.put("folders.output", str(tmp_path / "elsewhere")) == ""
    assert services.room._output() == tmp_path / "elsewhere"
    assert gallery._folder == tmp_path / "elsewhere"
    services.desk.reset("folders.output")
    assert services.places.output == before
    desktop.window.queue_pane.show_tab("Queue")


def test_the_studio_starts_with_a_broken_settings_file(application, tmp_path, monkeypatch):
    from app.panels.settings.desk import SettingsDesk
    from app.shell.services import Services
    from app.theme.theme import Theme
    from backend.catalog.roots import index_file

    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    index = index_file()
    file = tmp_path / "CONFIG" / "weft" / "settings.toml"
    file.parent.mkdir(parents=True)
    file.write_text("studio = {{{")
    desk = SettingsDesk()
    assert "cannot be read" in desk.trouble
    services = Services(desk, Theme())
    assert services.models._index == index
    services.close()
