"""A theme, background work that ends with the test, and a viewer."""

from __future__ import annotations

import pytest


@pytest.fixture
def theme(application):
    from app.theme.theme import Theme

    return Theme()


@pytest.fixture
def background(application):
    from app.viewer.background import Background

    made = Background()
    yield made
    made.close()


@pytest.fixture(scope="module")
def decoder():
    from backend.media.apart import Decoder

    made = Decoder()
    yield made
    made.close()


@pytest.fixture
def panel(theme, decoder, spin):
    from app.viewer.panel import ViewerPanel

    made = ViewerPanel(theme, decoder)
    made.resize(480, 432)
    made.show()
    made.activateWindow()
    made.stage.view.setFocus()
    spin(made.isActiveWindow)
    yield made
    made.close_down()
    made.close()
    made.deleteLater()
