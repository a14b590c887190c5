"""The house stands as docs/architecture.md says: its floors, and what stays light."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import backend
import nodes

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "diffusers", "transformers"}
HEAVY_FILES = HEAVY | {"PIL", "cv2", "tifffile"}


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A fresh Python process in the repository's folder."""
    command = [sys.executable, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def modules_after(statements: str) -> set[str]:
    """The names of the top-level modules that a fresh process has loaded after ``statements``."""
    report = "import sys, json; print('\\n' + json.dumps(sorted(sys.modules)))"
    done = python("-c", f"{statements}\n{report}")
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def every_module() -> list[str]:
    found = [backend.__name__, nodes.__name__]
    for package in (backend, nodes):
        walked = pkgutil.walk_packages(package.__path__, package.__name__ + ".")
        found += [module.name for module in walked if not module.name.endswith("__main__")]
    return found


def test_the_floors_hold():
    command = "from importlinter.cli import lint_imports_command as c; c()"
    done = python("-c", command, "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_every_module_can_be_imported_in_either_order():
    names = every_module()
    statements = "import importlib, warnings\nwarnings.simplefilter('ignore')\n"
    for order in (names, names[::-1]):
        done = python(
            "-c", f"{statements}for name in {order!r}:\n    importlib.import_module(name)"
        )
        assert done.returncode == 0, done.stderr


LIGHT = [
    "values",
    "graph",
    "sdk",
    "catalog",
    "media",
    "plan",
    "engine.events",
    "engine.wire",
    "engine.client",
    "engine.disk",
    "engine.queue",
    "batch",
    "cli",
]


@pytest.mark.parametrize("room", LIGHT)
def test_a_light_room_loads_no_model_library(room):
    names = [name for name in every_module() if f"{name}.".startswith(f"backend.{room}.")]
    assert names
    loaded = modules_after("import " + ", ".join(names))
    assert not loaded & HEAVY


def test_importing_the_nodes_is_light():
    names = [name for name in every_module() if name.startswith("nodes")]
    loaded = modules_after("import " + ", ".join(names))
    assert not loaded & HEAVY_FILES


def test_the_cards_of_all_families_are_there_without_torch():
    loaded = modules_after(
        "from backend.models.family import families\n"
        "assert [family.card.name for family in families().values()]"
    )
    assert not loaded & HEAVY


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "text-to-image"],
        ["plan", "text-to-image"],
        ["batch", "text-to-image", "--sweep", "sample.steps=1,2", "--dry-run"],
        ["nodes"],
        ["nodes", "--json"],
        ["schema"],
        ["--help"],
        ["run", "--help"],
        ["info", "text-to-image"],
        ["run", "photo-finish", "--out", "{out}"],
    ],
    ids=" ".join,
)
def test_a_command_without_models_loads_no_model_library(arguments, tmp_path):
    arguments = [each.format(out=tmp_path) for each in arguments]
    loaded = modules_after(
        "from backend.cli import main\n"
        f"try:\n    main({arguments!r})\n"
        "except SystemExit as end:\n    assert not end.code, end.code"
    )
    assert not loaded & HEAVY
    if arguments[0] in ("check", "nodes", "schema", "--help"):
        assert not loaded & HEAVY_FILES
