from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.backend.models import parity, tiny, tiny_sd3

pytest.register_assert_rewrite("tests.backend.models.battery")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    """Each module anew: a test of the engine before it may have set another number."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def measured(record_property: Callable[[str, object], None]) -> Iterator[None]:
    """Note the largest difference to a reference that a test found; ``families.py`` reads it.

    What lies above the tolerance is a difference that a test that passes made on purpose.
    """
    parity.MEASURED.clear()
    yield
    if near := [found for found in parity.MEASURED if found < parity.TOLERANCE]:
        record_property("difference", max(near))


@pytest.fixture(scope="session")
def flux_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny distilled Flux (embedded guidance, dynamic shift)."""
    return tiny.write(tmp_path_factory.mktemp("flux"))


@pytest.fixture(scope="session")
def plain_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Flux without embedded guidance and with a static shift, as schnell and Primer."""
    return tiny.write(
        tmp_path_factory.mktemp("plain"), guidance=False, use_dynamic_shifting=False, shift=2.0
    )


@pytest.fixture(scope="session")
def sd3_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Stable Diffusion 3.5, whose image tokens stand before those of the text."""
    return tiny_sd3.write(tmp_path_factory.mktemp("sd3"))
