"""The trash of the system is one of the test's own."""

import pytest


@pytest.fixture(autouse=True)
def own_trash(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
