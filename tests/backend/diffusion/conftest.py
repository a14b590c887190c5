from __future__ import annotations

import pytest
import torch


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    """Each module anew: a test of the engine before it may have set another number."""
    torch.set_num_threads(1)
