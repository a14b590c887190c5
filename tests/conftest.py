"""What all tests share: Hypothesis without a stopwatch, and a cache folder of their own."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("weft", deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile("weft")

LONGEST = (
    "tests/test_style.py",
    "tests/stress/test_kills.py",
    "tests/test_examples.py",
    "tests/backend/cli/test_batch.py",
    "tests/backend/cli/test_queue.py",
    "tests/backend/engine/test_scale.py",
    "tests/backend/train/test_shipped.py",
    "tests/backend/cli/test_new_node.py",
    "tests/backend/models/test_loading.py",
    "tests/backend/engine/queue/test_kills.py",
    "tests/backend/train/test_reading.py",
    "tests/test_architecture.py",
)
"""Files to begin with: so no worker has one of them left when the other has nothing more to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; ``--no-loadscope-reorder`` keeps this order."""
    places = {file: place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is imported for all tests stays: no search for garbage need look at it again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that a test runs, in this process or another, touches the cache of whoever tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        # Hundreds of processes are started: they compile the sources once, as they do elsewhere.
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield
