"""Finding node types, and what their hooks are given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.engine.registry import NodeRegistry, scan_nodes
from backend.graph.facts import Facts, facts_of
from backend.sdk import Color, ColorParam, Context, Image, T, UserError, node

GOOD = '''
"""Nodes."""
from backend.sdk import Context, node

@node(category="Test")
def seven(ctx: Context) -> int:
    """Seven."""
    return 7
'''


def test_a_folder_of_node_files_is_scanned(tmp_path):
    (tmp_path / "good.py").write_text(GOOD)
    registry = scan_nodes(tmp_path)
    spec = registry.specs["seven"]
    assert not registry.errors
    assert spec.digest.startswith("blake3:")
    assert registry.type("seven")(None) == 7
    (tmp_path / "good.py").write_text(GOOD + "# changed\n")
    assert scan_nodes(tmp_path).specs["seven"].digest != spec.digest


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def (", "SyntaxError"),
        ("import no_such_module_here", "ModuleNotFoundError"),
        ("raise SystemExit(1)", "SystemExit"),
        (GOOD, "declares 'seven', which another file declares too"),
        (GOOD.replace("-> int", "-> open"), "TypeError"),
    ],
)
def test_a_broken_file_is_told_and_spoils_no_other(tmp_path, code, said):
    (tmp_path / "a_good.py").write_text(GOOD)
    (tmp_path / "broken.py").write_text(code)
    registry = scan_nodes(tmp_path)
    assert "seven" in registry.specs
    (error,) = registry.errors
    assert error.file == "broken.py"
    assert said in error.sentence


def test_an_imported_node_type_is_declared_once(tmp_path):
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "uses.py").write_text("from backend.engine.registry import scan_nodes")
    assert list(scan_nodes(tmp_path).specs) == ["seven"]


def test_the_built_in_nodes_are_found_without_torch_and_fast():
    code = (
        "import sys; from backend.engine.registry import scan_nodes;"
        "import backend.engine.engine; found = scan_nodes(); assert len(found.specs) > 20;"
        "heavy = {'torch', 'diffusers', 'transformers', 'cv2', 'PIL.Image', 'tifffile', 'rich'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


RED = Color(1, 0, 0)


@node(category="Test", version=3)
def tint(ctx: Context, image: Image, color: ColorParam = RED, by: float = 1.0) -> Image:
    """Tint."""
    return image


@tint.facts
def _(p: Any, image: Facts) -> Facts:
    assert isinstance(p.color, Color | None)
    if p.by is not None and p.by < 0:
        raise UserError("It cannot be tinted by less than nothing.")
    known = p.lookup.image("x") if p.lookup else None
    return known or image.but(channels=3)


@tint.migrate(1)
def _(params: Any, inputs: Any) -> Any:
    return {"by": params["amount"]}, inputs


@tint.migrate(2)
def _(params: Any, inputs: Any) -> Any:
    return {"by": params["by"] * 2}, inputs


@node(category="Test")
def same(ctx: Context, *values: T) -> T:
    """The first."""
    return values[0]


def test_facts_come_from_the_hook():
    registry = NodeRegistry([tint, same])
    facts = registry.facts(
        "tint", {"color": "#fff", "by": 1}, {"image": facts_of("Image", width=8)}, None
    )
    assert facts["image"] == facts_of("Image", width=8, channels=3)
    with pytest.raises(UserError):
        registry.facts("tint", {"by": -1.0}, {"image": facts_of("Image")}, None)


def test_facts_without_a_hook_follow_the_types():
    registry = NodeRegistry([tint, same])
    assert registry.facts("same", {}, {"values": (Facts("Mask"),)}, None)["value"].type == "Mask"
    assert registry.facts("same", {}, {}, None)["value"].type == "*T"


def test_an_older_node_is_lifted_step_by_step():
    registry = NodeRegistry([tint])
    assert registry.migrate("tint", 1, {"amount": 2}, {}) == (3, {"by": 4}, {})
    assert registry.migrate("tint", 9, {}, {})[0] == 9


def test_two_types_of_one_name_are_refused():
    with pytest.raises(ValueError, match="tint"):
        NodeRegistry([tint, tint])
