"""Spandrel is imported without torchvision, and nobody else ever believes that it is there."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from backend.catalog.errors import CatalogError
from backend.models.upscale.guarded import INSTALL, spandrel, stand_in, without_torchvision

ROOT = Path(__file__).parents[4]
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is not None,
    reason="torchvision is installed here, so that nothing stands in for it",
)

WANTS = """
import importlib.util, sys, threading
import torchvision.transforms.functional as whole
from torchvision.transforms.functional import InterpolationMode, rotate
import torchvision
from . import other
seen = []
def look():
    try:
        import torchvision
        seen.append("imported")
    except ModuleNotFoundError:
        seen.append(importlib.util.find_spec("torchvision") is not None)
# Another thread, with code of its own, in the middle of the import.
thread = threading.Thread(target=other.look, args=(seen,))
thread.start(); thread.join()
seen.append("torchvision" in sys.modules)
spec = torchvision.__spec__.name
"""

LOOK = """
import importlib.util
def look(seen):
    seen.append(importlib.util.find_spec("torchvision") is not None)
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    home = tmp_path / "wants_torchvision"
    home.mkdir()
    (home / "__init__.py").write_text(WANTS)
    (home / "other.py").write_text(LOOK)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "wants_torchvision"
    for name in [n for n in sys.modules if n.partition(".")[0] == "wants_torchvision"]:
        del sys.modules[name]


def test_the_package_alone_sees_the_stand_in(package: str) -> None:
    before = list(sys.meta_path)
    found = spandrel(package)
    assert found.seen == [False, False]
    assert found.spec == "torchvision"
    assert found.whole.rotate is found.rotate
    assert found.InterpolationMode.BILINEAR
    assert sys.meta_path == before
    assert "torchvision" not in sys.modules
    with pytest.raises(CatalogError, match="computes with torchvision"):
        found.rotate(1)
    assert spandrel(package) is found


def test_nothing_stays_behind_when_the_import_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fails_midway.py").write_text("import torchvision\nraise ValueError('broken')\n")
    (tmp_path / "wants_more.py").write_text("import torchvision.ops\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = list(sys.meta_path)
    with pytest.raises(CatalogError, match=r"does not load .ValueError: broken"):
        spandrel("fails_midway")
    with pytest.raises(CatalogError, match=r"which is not installed\. Run"):
        spandrel("wants_more")
    with pytest.raises(RuntimeError), without_torchvision("fails_midway"):
        raise RuntimeError
    assert sys.meta_path == before
    assert "torchvision" not in sys.modules


def test_what_is_not_installed_is_told_with_the_way_to_get_it() -> None:
    with pytest.raises(CatalogError) as told:
        spandrel("there_is_no_such_package")
    assert INSTALL in str(told.value)


def test_every_module_has_a_spec() -> None:
    for name, module in stand_in().items():
        assert module.__spec__ is not None
        assert module.__spec__.name == name


def test_transformers_does_not_think_that_torchvision_is_there() -> None:
    """In a fresh process, asked before the import and anew after it."""
    code = """
import importlib.util, sys
from transformers.utils import import_utils
assert not import_utils.is_torchvision_available()
from backend.catalog.errors import CatalogError
from backend.models.upscale.guarded import spandrel
try:
    spandrel()
except CatalogError:
    assert importlib.util.find_spec("spandrel") is None
getattr(import_utils.is_torchvision_available, "cache_clear", lambda: None)()
assert not import_utils.is_torchvision_available()
assert importlib.util.find_spec("torchvision") is None
assert "torchvision" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
