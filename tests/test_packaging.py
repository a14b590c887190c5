"""Weft as others get it: the wheel in a clean environment, and the commands of the README."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def finished(command: list[str], folder: Path) -> str:
    """What a command printed; it must succeed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_ci_runs_exactly_the_test_command_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text()
    command = script.strip().splitlines()[-1]
    assert command.endswith("pytest")
    assert command in (ROOT / "README.md").read_text().splitlines()


def test_every_direct_requirement_is_pinned_within_its_range():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    )
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = [re.match(r"[\w.-]+", requirement)[0] for requirement in wanted]
    assert [name for name in names if name not in pins] == []
    assert pins["torch"] == "2.13.0"
    assert "opencv-python" not in pins
    assert "torchvision" not in pins


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    finished([sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)], folder)
    (found,) = folder.glob("weft-*.whl")
    return found


@pytest.mark.slow
def test_the_wheel_holds_code_and_resources_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "backend",
        "nodes",
        "resources",
        "workflows",
    }
    tracked = finished(["git", "ls-files", "backend", "nodes", "resources", "workflows"], ROOT)
    assert set(tracked.splitlines()) <= set(names)


@pytest.mark.slow
@pytest.mark.parametrize("example", ["photo-finish", "text-to-image"])
def test_the_installed_wheel_runs_an_example_from_another_folder(wheel, example, tmp_path):
    """The libraries come from this environment; Weft itself only from the wheel."""
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    bin_folder = environment / ("Scripts" if sys.platform == "win32" else "bin")
    python = str(bin_folder / "python")
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(finished([python, "-c", asked], tmp_path).strip())
    libraries = Path(pytest.__file__).resolve().parent.parent
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", str(wheel)]
    finished(install, tmp_path)
    # A bare path line in a .pth is added without reading that folder's own .pth files, so the
    # editable Weft of this environment stays invisible.
    (site / "libraries.pth").write_text(f"{libraries}\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    where = finished([python, "-c", "import backend; print(backend.__file__)"], elsewhere)
    printed = finished([str(bin_folder / "weft"), "run", example, "--json"], elsewhere)

    assert Path(where.strip()).is_relative_to(environment)
    events = [json.loads(line) for line in printed.splitlines()]
    assert events[-1]["event"] == "run_finished"
    assert [path for path in (elsewhere / "output").rglob("*") if path.is_file()]
