"""``python -m app.screenshots OUT [SCENE ...]``: pictures at 100 % and 200 %, dark and light."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Take the pictures, each scale in a process of its own: Qt reads its scale at the start."""
    parser = argparse.ArgumentParser(prog="python -m app.screenshots", description=__doc__)
    parser.add_argument("out", type=Path, help="the folder for the pictures")
    parser.add_argument("scenes", nargs="*", help="only these states")
    parser.add_argument("--scale", type=int, choices=(1, 2), help="only this scale")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    if "WEFT_STAGE" in os.environ:
        _play(given.out, given.scale, tuple(given.scenes))
        return 0
    for scale in (given.scale,) if given.scale else (1, 2):
        with tempfile.TemporaryDirectory(prefix="weft-stage-") as home:
            command = [sys.executable, "-P", "-m", "app.screenshots", str(given.out.absolute()),
                       *given.scenes, "--scale", str(scale)]  # fmt: skip
            status = subprocess.run(command, env=_environment(home, scale), check=False).returncode
        if status:
            return status
    return 0


def _environment(home: str, scale: int) -> dict[str, str]:
    """Nothing of the user's own is read or written, and no screen is needed."""
    names = ("CACHE", "DATA", "CONFIG", "STATE")
    folders = {f"XDG_{name}_HOME": f"{home}/{name}" for name in names}
    root = str(Path(__file__).resolve().parents[2])
    return {
        **os.environ,
        **folders,
        "PYTHONPATH": root,
        "QT_QPA_PLATFORM": "offscreen",
        "QT_SCALE_FACTOR": str(scale),
        "WEFT_STAGE": home,
    }


def _play(out: Path, scale: int, scenes: tuple[str, ...]) -> None:
    from app.main import make_application
    from app.screenshots.scenes import play

    application = make_application()
    os.chdir(os.environ["WEFT_STAGE"])
    play(out, "" if scale == 1 else f"-{scale}x", scenes)
    application.quit()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
