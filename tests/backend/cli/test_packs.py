"""``weft packs``: seen, trusted, run, changed, revoked; by real commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
NODE = '''
"""Nodes."""
from backend.sdk import Context, node

@node(category="Test")
def glow(ctx: Context) -> int:
    """Give seven.

    Example: glow() -> show.
    """
    return 7
'''


class Home:
    """A user with a pack of one node."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.pack = self.data / "packs" / "sparkle"
        self.pack.mkdir(parents=True)
        (self.pack / "shine.py").write_text(NODE)
        show = {"type": "show", "inputs": {"value": "g.integer"}}
        flow = {"weft": 1, "nodes": {"g": {"type": "sparkle.glow"}, "s": show}}
        (folder / "flow.weft.json").write_text(json.dumps(flow))

    def weft(self, *args: str, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "backend.cli", *args],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "WEFT_FOLDERS_DATA": str(self.data)},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_pack_runs_only_between_trust_and_change(home):
    assert "not trusted" in home.weft("packs", "list")
    said = home.weft("check", "flow.weft.json", status=3)
    assert "sparkle.glow" in said
    assert "weft packs trust sparkle" in said
    assert "--yes" in home.weft("packs", "trust", "sparkle", status=2)
    assert "is trusted at blake3:" in home.weft("packs", "trust", "sparkle", "--yes")
    assert "trusted" in home.weft("packs", "list")
    assert "7" in home.weft("run", "flow.weft.json")
    (home.pack / "more.py").write_text("x = 1")
    assert "changed" in home.weft("packs", "list")
    assert "has changed since you trusted it" in home.weft("check", "flow.weft.json", status=3)
    assert "runs no more" in home.weft("packs", "revoke", "sparkle")
    assert "No pack 'sparkle' was trusted" in home.weft("packs", "revoke", "sparkle", status=2)


def test_trust_by_hash_is_for_that_hash_alone(home):
    found = json.loads(home.weft("packs", "list", "--json"))
    assert found["state"] == "not trusted"
    assert "not trusted" in home.weft("packs", "trust", "sparkle", "--hash", "0" * 64, status=1)
    assert "hash" in home.weft("packs", "trust", "sparkle", "--hash", "blake3:", status=1)
    home.weft("packs", "trust", "sparkle", "--hash", found["hash"])
    assert json.loads(home.weft("packs", "list", "--json"))["state"] == "trusted"


def test_names_that_are_not_there_are_told_with_a_hint(home):
    assert "Did you mean sparkle?" in home.weft("packs", "trust", "sparkel", "--yes", status=2)
