"""``weft new node`` writes a node and a test that are fit to be kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from backend.cli import new_node

ROOT = Path(__file__).resolve().parents[3]
LONG = "a_name_of_forty_letters_which_is_longest"


def assert_fit_to_keep(folder: Path, name: str, *, types: bool) -> None:
    """Lint, layout, types and the test of what was written, with the project's own settings."""
    files = [folder / "nodes" / f"{name}.py", folder / "tests" / "nodes" / f"test_{name}.py"]
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "backend").symlink_to(ROOT / "backend")
    tools = [
        ["ruff", "check", *files],
        ["ruff", "format", "--check", *files],
        ["pytest", "-n", "0", files[1]],
    ]
    if types:
        cache = ["--cache-dir", folder / "cache"]
        tools.append(["mypy", *cache, "--follow-imports=silent", files[0]])
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    for tool in tools:
        command = [sys.executable, "-m", *map(str, tool)]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, (tool[0], done.stdout, done.stderr)


@pytest.mark.parametrize("name", ["soft_glow", LONG])
def test_what_is_written_is_clean_and_its_test_passes(weft, name):
    done = weft("new", "node", name, "--into", weft.folder)
    assert done.status == 0, done.err
    assert done.out.splitlines()[:2] == [
        str(weft.folder / "nodes" / f"{name}.py"),
        str(weft.folder / "tests" / "nodes" / f"test_{name}.py"),
    ]
    assert_fit_to_keep(weft.folder, name, types=name == "soft_glow")


@pytest.mark.parametrize("name", ["soft_glow", LONG])
def test_in_the_source_tree_the_test_imports_the_node_by_its_name(tmp_path, monkeypatch, name):
    monkeypatch.setattr(new_node, "root", lambda: tmp_path)
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / "__init__.py").touch()
    new_node.write_node(name, None)
    text = (tmp_path / "tests" / "nodes" / f"test_{name}.py").read_text()
    assert f"from nodes.{name} import {name}\n" in text
    assert_fit_to_keep(tmp_path, name, types=False)


def test_nothing_is_overwritten_nor_half_written(weft):
    (weft.folder / "tests" / "nodes").mkdir(parents=True)
    there = weft.folder / "tests" / "nodes" / "test_glow.py"
    there.write_text("mine")
    done = weft("new", "node", "glow", "--into", weft.folder)
    assert done.status == 2
    assert f"{there} is there already" in done.err
    assert there.read_text() == "mine"
    assert not (weft.folder / "nodes").exists()


@pytest.mark.parametrize(
    "name", ["Glow", "9glow", "class", "a/b", "../x", "", "x" * 41, "load_image"]
)
def test_a_name_that_cannot_be_is_refused(weft, name):
    done = weft("new", "node", name, "--into", weft.folder)
    assert done.status == 2
    assert not (weft.folder / "nodes").exists()
