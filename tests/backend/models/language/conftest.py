"""Small model folders, each written once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backend.models.language import tiny_language


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny model by its kind, such as ``llama`` or ``llava``."""
    known: dict[str, Path] = {}

    def find(kind: str) -> Path:
        if kind not in known:
            sees = kind in ("llava", "qwen2_vl", "idefics3")
            write = tiny_language.write_seeing if sees else tiny_language.write
            known[kind] = write(tmp_path_factory.mktemp(kind), kind)
        return known[kind]

    return find
