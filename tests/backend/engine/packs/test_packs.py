"""Packs run only as they were trusted."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from backend.engine.packs import PackError, find_packs, read_trust, revoke, trust
from backend.engine.packs.trust import FILE, load_trusted
from backend.engine.registry import scan_nodes

NODE = '''
"""Nodes."""
from backend.sdk import Context, node
from .tools import light

@node(category="Test")
def glow(ctx: Context) -> int:
    """Glow."""
    return light()
'''
TOOLS = "def light():\n    return 7\n"
ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with one pack; what it imports is forgotten afterwards."""
    pack = tmp_path / "packs" / "sparkle"
    pack.mkdir(parents=True)
    (pack / "shine.py").write_text(NODE)
    (pack / "tools.py").write_text(TOOLS)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return tmp_path


def only(data: Path):
    (pack,), problems = find_packs(data)
    assert problems == []
    return pack


def test_nothing_is_imported_before_it_is_trusted(data):
    (data / "packs" / "sparkle" / "shine.py").write_text("raise SystemExit('ran')")
    assert only(data).name == "sparkle"
    assert load_trusted(data) == ([], [])
    assert not any(name.startswith("weft_packs") for name in sys.modules)


def test_a_trusted_pack_gives_node_types_that_carry_its_name(data):
    trust(data, only(data))
    packs, problems = load_trusted(data)
    assert problems == []
    registry = scan_nodes(packs=packs)
    assert not registry.errors
    assert registry.type("sparkle.glow")(None) == 7
    assert registry.specs["sparkle.glow"].digest == only(data).hash
    assert "glow" not in registry.specs


@pytest.mark.parametrize("name", ["shine.py", "tools.py", "new.py", "deep/inner.py", "native.so"])
def test_any_change_of_code_takes_the_trust_away(data, name):
    trust(data, only(data))
    path = data / "packs" / "sparkle" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("# changed\n")
    packs, (problem,) = load_trusted(data)
    assert packs == []
    assert "has changed since you trusted it" in problem


def test_data_beside_the_code_may_change(data):
    trust(data, only(data))
    (data / "packs" / "sparkle" / "notes.txt").write_text("new")
    assert len(load_trusted(data)[0]) == 1


def test_a_file_that_changes_between_the_look_and_the_import_is_not_run(data):
    trust(data, only(data))
    packs, _ = load_trusted(data)
    (data / "packs" / "sparkle" / "tools.py").write_text(TOOLS.replace("7", "8"))
    registry = scan_nodes(packs=packs)
    assert {error.file for error in registry.errors} == {"sparkle/shine.py", "sparkle/tools.py"}
    assert all("has changed since it was trusted" in e.sentence for e in registry.errors)
    assert "sparkle.glow" not in registry.specs


def test_a_file_that_was_not_there_is_not_found_by_the_code(data):
    trust(data, only(data))
    packs, _ = load_trusted(data)
    (data / "packs" / "sparkle" / "tools.py").rename(data / "packs" / "sparkle" / "other.py")
    (data / "packs" / "sparkle" / "tools").mkdir()
    (data / "packs" / "sparkle" / "tools" / "__init__.py").write_text("light = lambda: 9")
    assert scan_nodes(packs=packs).errors


def test_compiled_code_beside_the_source_is_not_run(data):
    """A cache that claims to be newer than its source would be run by Python's own import."""
    source = data / "packs" / "sparkle" / "tools.py"
    evil = data / "evil.py"
    evil.write_text(TOOLS.replace("7", "666"))
    os.utime(evil, (1_700_000_000, 1_700_000_000))
    os.utime(source, (1_700_000_000, 1_700_000_000))
    evil_size, size = evil.stat().st_size, source.stat().st_size
    source.write_text(TOOLS + "#" * (evil_size - size - 1) + "\n")
    os.utime(source, (1_700_000_000, 1_700_000_000))
    cache = Path(cache_from_source(str(source)))
    cache.parent.mkdir()
    py_compile.compile(str(evil), cfile=str(cache), dfile=str(source))
    trust(data, only(data))
    registry = scan_nodes(packs=load_trusted(data)[0])
    assert registry.type("sparkle.glow")(None) == 7


def test_trust_can_be_taken_back(data):
    trust(data, only(data))
    assert revoke(data, "sparkle")
    assert not revoke(data, "sparkle")
    assert load_trusted(data) == ([], [])


def test_a_pack_that_is_gone_is_told(data):
    trust(data, only(data))
    (data / "packs" / "sparkle").rename(data / "elsewhere")
    packs, (problem,) = load_trusted(data)
    assert packs == []
    assert "not there any more" in problem


@pytest.mark.parametrize("text", ["{", "[]", '{"sparkle": 1}', '{"sparkle": {"hash": "x"}}'])
def test_a_broken_list_trusts_nothing(data, text):
    (data / FILE).write_text(text)
    with pytest.raises(PackError, match="cannot be read"):
        read_trust(data)
    packs, (problem,) = load_trusted(data)
    assert packs == []
    assert "none is used" in problem


def test_a_workflow_cannot_trust_a_pack(data):
    """Trust stands in a file of the data folder; no document is ever asked."""
    assert FILE not in {path.name for path in (data / "packs").rglob("*")}
    (data / "packs" / "sparkle" / FILE).write_text('{"sparkle": {"hash": "x", "day": "y"}}')
    assert load_trusted(data) == ([], [])


def test_folders_that_are_no_packs_are_told(data):
    (data / "packs" / "not a name").mkdir()
    (data / "packs" / ".git").mkdir()
    packs, (problem,) = find_packs(data)
    assert [pack.name for pack in packs] == ["sparkle"]
    assert "letters, digits" in problem


def test_a_broken_file_of_a_pack_spoils_no_other(data):
    (data / "packs" / "sparkle" / "bad.py").write_text("import no_such_module_here")
    trust(data, only(data))
    registry = scan_nodes(packs=load_trusted(data)[0])
    (error,) = registry.errors
    assert error.file == "sparkle/bad.py"
    assert "sparkle.glow" in registry.specs


def test_a_pack_that_names_its_own_file_without_a_dot_is_told_how_to(data):
    (data / "packs" / "sparkle" / "shine.py").write_text(NODE.replace(".tools", "sparkle.tools"))
    trust(data, only(data))
    (error,) = scan_nodes(packs=load_trusted(data)[0]).errors
    assert error.sentence.endswith(
        "A pack in a folder names its own files with a dot in front, as in: from .x"
    )


INSTALLED = {
    "shiny/__init__.py": "",
    "shiny/core.py": "VALUE = 11\n",
    "shiny/nodes/__init__.py": "",
    "shiny/nodes/one.py": NODE.replace("from .tools import light", "from shiny.core import VALUE")
    .replace("light()", "VALUE"),
    "shiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: shiny\nVersion: 1.0\n",
    "shiny-1.0.dist-info/entry_points.txt": "[weft.nodes]\nshiny = shiny.nodes\n",
    "shiny-1.0.dist-info/RECORD": "",
}  # fmt: skip

PROGRAM = """
import sys
from pathlib import Path
from backend.engine.packs import find_packs, trust
from backend.engine.packs.trust import load_trusted
from backend.engine.registry import scan_nodes
data = Path(sys.argv[1])
pack = next(p for p in find_packs(data)[0] if p.name == "shiny")
assert "shiny" not in sys.modules
assert load_trusted(data) == ([], [])
trust(data, pack)
if sys.argv[2:]:
    Path(sys.argv[2]).write_text("VALUE = 12")
packs, problems = load_trusted(data)
registry = scan_nodes(packs=packs)
if "shiny.glow" in registry.specs:
    print(sorted(pack.files), registry.type("shiny.glow")(None))
print(problems)
"""


def installed(tmp_path: Path, *args: str) -> str:
    site = tmp_path / "site"
    for name, text in INSTALLED.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    paths = os.pathsep.join((str(ROOT), str(site)))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "data"), *args],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_installed_pack_is_found_by_its_entry_point_and_hashed_whole(tmp_path):
    first, second = installed(tmp_path).splitlines()
    assert first == (
        "['__init__.py', 'core.py', 'nodes/__init__.py', 'nodes/one.py'] 11"
    )  # fmt: skip
    assert second == "[]"


def test_an_installed_pack_that_changed_outside_of_its_nodes_is_not_used(tmp_path):
    (said,) = installed(tmp_path, str(tmp_path / "site" / "shiny" / "core.py")).splitlines()
    assert "has changed since you trusted it" in said
