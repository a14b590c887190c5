"""Which files a workflow means that an output carried away from them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from backend.engine.registry import scan_nodes
from backend.engine.reproduce import with_files
from backend.graph.document import Graph, Node, Workflow
from backend.graph.spec import NodeSpec


@pytest.fixture(scope="module")
def specs() -> dict[str, NodeSpec]:
    return dict(scan_nodes().specs)


def found(specs: dict[str, NodeSpec], ref: str, base: Path, *roots: Path) -> str:
    workflow = Workflow(graph=Graph(nodes={"a": Node("load_image", params={"file": ref})}))
    again = with_files(workflow, specs, base, roots).graph.nodes["a"].params["file"]
    assert isinstance(again, str)
    return again


@pytest.mark.parametrize("ref", ["in.png", "old/in.png", "a/b/in.png", "old\\in.png"])
def test_what_lies_elsewhere_is_found_by_the_end_of_its_path(specs, tmp_path, ref):
    base, root = tmp_path / "base", tmp_path / "root"
    for folder in (base, root / "old"):
        folder.mkdir(parents=True)
    for file in (root / "in.png", root / "old" / "in.png"):
        file.touch()
    where = "old/in.png" if "old" in ref else "in.png"
    assert found(specs, ref, base, root) == str(root / where)
    assert found(specs, ref, base, root / where) == str(root / where)


def test_what_lies_beside_the_file_stays_as_it_is(specs, tmp_path):
    base, root = tmp_path / "base", tmp_path / "root"
    for folder in (base, root):
        folder.mkdir()
        (folder / "in.png").touch()
    assert found(specs, "in.png", base, root) == "in.png"


@pytest.mark.parametrize("ref", ["../secret", "{}/secret", "root/../../secret", "link", "a/\0", ""])
def test_nothing_outside_is_found(specs, tmp_path, ref):
    base, root = tmp_path / "base", tmp_path / "root"
    for folder in (base, root):
        folder.mkdir()
    (tmp_path / "secret").touch()
    (root / "link").symlink_to(tmp_path / "secret")
    ref = ref.format(tmp_path)
    assert found(specs, ref, base, root) == ref


def test_a_path_of_any_depth_is_looked_for_in_a_moment(specs, tmp_path):
    ref = "a/" * 30_000 + "in.png"
    (tmp_path / "root").mkdir()
    begun = time.process_time()
    assert found(specs, ref, tmp_path / "base", tmp_path / "root") == ref
    (tmp_path / "root" / "in.png").touch()
    assert found(specs, ref, tmp_path / "base", tmp_path / "root").endswith("root/in.png")
    assert time.process_time() - begun < 5
