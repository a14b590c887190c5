"""The studio starts as a process of its own: it paints a document, and is light."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.benchmarks.studio_start import environment, started

HEAVY = {"torch", "diffusers", "transformers", "cv2", "PIL", "nodes", "safetensors"}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    return started(str(tmp_path_factory.mktemp("start")))


def test_the_first_start_shows_the_template(told):
    assert told["nodes"] == 7
    assert told["colours"] > 20, "the canvas is blank"


def test_nothing_heavy_is_loaded(told):
    assert HEAVY.isdisjoint(told["modules"])


def test_it_fits_in_little_memory(told):
    assert told["memory"] < 200 * 2**20, f"{told['memory'] / 2**20:.0f} MB"


def test_the_first_picture_needs_no_arrays(tmp_path):
    """What computes, and numpy with it, is loaded when the window is already seen."""
    code = (
        "import sys; from app.main import make_application, make_window\n"
        "made = make_application(); window = make_window(); window.show()\n"
        "print(sorted({'numpy', 'psutil', 'nodes'} & set(sys.modules)), flush=True)\n"
        "import os; os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment(str(tmp_path)), cwd=tmp_path,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == os.EX_OK, done.stderr
    assert done.stdout.strip().endswith("[]"), done.stdout
