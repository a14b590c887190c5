"""A process of checks, with the nodes that Weft ships and those of one test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.engine.checks.client import ChecksProcess
from backend.engine.checks.wire import Begin

TROUBLE = '''
"""Nodes that a node author should not have written."""
import os
import time
from typing import Any
from backend.sdk import Context, Facts, facts_of, node


@node(category="Test")
def endless(ctx: Context, go: bool = False) -> int:
    """Its facts hook does not come back."""
    return 1


@endless.facts
def _(p: Any) -> Facts:
    while p.go:
        time.sleep(0.01)
    return facts_of("Integer", value=1)


@node(category="Test")
def deadly(ctx: Context, go: bool = False) -> int:
    """Its facts hook takes the process along."""
    return 1


@deadly.facts
def _(p: Any) -> Facts:
    if p.go:
        print("about to go", flush=True)
        os._exit(7)
    return facts_of("Integer", value=1)
'''


@pytest.fixture(scope="package")
def trouble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with node types that do not come back, or crash."""
    folder = tmp_path_factory.mktemp("trouble")
    (folder / "trouble.py").write_text(TROUBLE)
    return folder


@pytest.fixture(scope="package")
def process() -> Iterator[ChecksProcess]:
    """A process that several tests share."""
    made = ChecksProcess(Begin())
    yield made
    made.close()
