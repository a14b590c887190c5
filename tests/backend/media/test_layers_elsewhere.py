"""Layer files in the programs that they are for: GIMP and Krita, where they are installed."""

import contextlib
import os
import shutil
import signal
import subprocess

import numpy as np
import pytest
from PIL import Image as Pillow

from backend.media.pixels.flatten import flatten
from backend.values import Layer, Layers
from tests.backend.media.layer_bench import codes, read, written

pytestmark = pytest.mark.slow

SHARED = (
    "multiply", "screen", "overlay", "darken", "lighten", "hard light", "difference", "normal",
)  # fmt: skip
"""The modes that Krita and GIMP compute by the same equations."""
ONE = 1.01 / 255


def posters(modes=SHARED):
    """Layers of many modes, hanging over, hidden and half opaque, on an opaque ground."""
    ground = codes((48, 64), 0)
    ground[..., 3] = 1
    rows = [Layer(ground, "Grund 層")]
    for i, mode in enumerate(modes):
        rows.append(
            Layer(codes((20, 24), i + 1), f"Fläche {i}", mode, 0.6, 6 * i - 8, 4 * i - 6, i != 3)
        )
    return Layers(64, 48, tuple(rows))


def shown(path, like):
    """How far a picture that a program made lies from ours, at worst."""
    made = np.asarray(Pillow.open(path).convert("RGBA"), np.float32) / 255
    return float(np.abs(made - flatten(like).pixels[0]).max())


def test_gimp_opens_a_psd_and_sees_what_we_see(tmp_path):
    gimp = shutil.which("gimp-console")
    if gimp is None:
        pytest.skip("GIMP is not installed (apt-get install gimp)")
    given, made = written(tmp_path / "a.psd", posters(), "psd"), tmp_path / "gimp.png"
    script = (
        f'(let* ((image (car (gimp-file-load RUN-NONINTERACTIVE "{given}" "a")))'
        "        (flat (car (gimp-image-merge-visible-layers image CLIP-TO-IMAGE))))"
        f'  (file-png-save RUN-NONINTERACTIVE image flat "{made}" "a" 0 9 0 0 0 0 0))'
    )
    subprocess.run(
        [gimp, "-i", "-d", "-f", "-b", script, "-b", "(gimp-quit 0)"],
        check=True, capture_output=True, timeout=240, env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert shown(made, read(given)[0]) <= ONE


@pytest.mark.parametrize(
    ("form", "modes", "within"),
    [
        ("psd", SHARED, ONE),
        ("ora", ("normal", "normal"), ONE),
        # Krita lays an OpenRaster in 8 bits, whatever its layers have, and rounds at every layer.
        ("ora", SHARED, 2.5 / 255),
    ],
)
def test_krita_opens_both_and_sees_what_we_see(tmp_path, form, modes, within):
    krita, screen = shutil.which("krita"), shutil.which("xvfb-run")
    if krita is None or screen is None:
        pytest.skip("Krita or Xvfb is not installed (apt-get install krita xvfb)")
    # With 16 bits, so that Krita does not round after every layer.
    path = tmp_path / f"a.{form}"
    given, made = written(path, posters(modes), form, "16"), tmp_path / "krita.png"
    program = subprocess.Popen(
        [screen, "-a", krita, str(given), "--export", "--export-filename", str(made)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
    )  # fmt: skip
    try:
        assert program.wait(280) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):  # the screen and what runs on it, too
            os.killpg(program.pid, signal.SIGKILL)
    assert shown(made, read(given)[0]) <= within
