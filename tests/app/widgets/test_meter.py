"""The meter: what is used and planned, in the right share of the bar, and in words."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor

from app.theme.theme import Theme
from app.widgets.meter import BAR, Meter

GB = 2**30


@pytest.fixture
def meter(application):
    made = Meter(Theme(), "GPU", "Memory of the GPU")
    yield made
    made.close()
    made.deleteLater()


def shares(meter: Meter) -> dict[str, float]:
    """How much of the bar has the colour of each token."""
    meter.resize(meter.sizeHint())
    image = meter.grab().toImage()
    row = [image.pixelColor(x, image.height() // 2) for x in range(image.width())]
    tokens = ("accent", "linestrong", "warning")
    colours = {token: QColor(getattr(meter._theme.colours, token)) for token in tokens}
    return {token: row.count(colour) / BAR for token, colour in colours.items()}


def test_used_and_planned_are_seen_in_their_shares(meter):
    meter.show_bytes(1 * GB, 4 * GB, 3 * GB)
    found = shares(meter)
    assert found["accent"] == pytest.approx(0.25, abs=0.03)
    assert found["linestrong"] == pytest.approx(0.5, abs=0.03)


def test_it_says_it_in_words_also_to_a_screen_reader(meter):
    meter.show_bytes(int(1.9 * GB), 4 * GB)
    assert meter.words == "1.9 of 4.0 GB"
    assert meter.accessibleName() == "Memory of the GPU: 1.9 of 4.0 GB"
    assert "2.1 GB free" in meter.toolTip()
    meter.show_bytes(int(6.2 * GB), 16 * GB)
    assert meter.words == "6.2 of 16 GB"


def test_it_is_amber_where_nearly_all_is_used(meter):
    meter.show_bytes(int(3.8 * GB), 4 * GB)
    assert meter.tight
    assert shares(meter)["warning"] == pytest.approx(0.95, abs=0.05)


def test_it_is_hidden_where_nothing_is_known(meter):
    assert meter.isHidden()
    meter.show_bytes(1, 4 * GB)
    assert not meter.isHidden()
    meter.show_bytes(0, 0)
    assert meter.isHidden()


def test_running_figures_do_not_change_its_width(meter):
    widths = set()
    for used in range(0, 24 * 10):
        meter.show_bytes(int(used / 10 * GB) + 1, 24 * GB)
        widths.add(meter.sizeHint().width())
    assert len(widths) == 1
