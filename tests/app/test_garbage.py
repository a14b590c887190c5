"""Garbage is collected after documents came or went, and what stays is set aside."""

from __future__ import annotations

import gc
import weakref

import pytest

from app.garbage import Garbage
from app.shell.documents import Documents
from tests.app.canvas.bench import chain


class Ring:
    """Something that only a collection can take away."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def only_what_lasts_set_aside():
    """As the tests begin: see ``tests/conftest.py``."""
    yield
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def test_what_went_with_a_document_is_collected_though_it_was_set_aside(
    application, tmp_path, spin
):
    documents = Documents(tmp_path / "data")
    keeper = Garbage(documents)
    ring = Ring()
    gone = weakref.ref(ring)
    keeper.settle()
    aside = gc.get_freeze_count()
    assert aside > 10_000
    del ring
    gc.collect()
    assert gone() is not None  # set aside: no collection in the middle of work looks at it
    documents.open_workflow(chain())
    spin(lambda: gone() is None)
    assert gc.get_freeze_count() > 10_000
