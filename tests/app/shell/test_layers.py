"""The layers panel in the window: it hears what the viewer looks at, and tells it what to show."""

import numpy as np

from app.viewer.subject import Subject
from backend.values import Layer, Layers


def test_hiding_a_layer_changes_what_the_viewer_shows_and_no_more(desktop, spin):
    window = desktop.window
    viewer = window.view_pane.show_tab("Viewer")
    panel = window.node_pane.show_tab("Layers")
    assert panel.layers is None
    pixels = np.ones((6, 8, 4), np.float32)
    stack = Layers(8, 6, (Layer(pixels * 0.5, "low"), Layer(pixels, "high")))
    looking, before = window.panels.looking, desktop.document.workflow
    looking.show(Subject(stack, "Add layer · layers", "Layers"))
    looking._tell(Subject(stack, "Add layer · layers", "Layers"))
    spin(lambda: viewer.picture is not None and viewer.picture.pixels[0, 0, 0] == 1)
    panel.turn(1)
    spin(lambda: viewer.picture.pixels[0, 0, 0] == 0.5)
    panel.show_all()
    spin(lambda: viewer.picture.pixels[0, 0, 0] == 1)
    assert desktop.document.workflow is before
    looking._tell(Subject(None))
    assert panel.layers is None
    window.node_pane.show_tab("Inspector")
