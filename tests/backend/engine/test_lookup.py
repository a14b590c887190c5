"""What a check learns of models comes from headers, and what is wrong with one is said at once."""

from __future__ import annotations

import pytest

from backend.catalog.errors import CatalogError
from backend.catalog.identify import shipped_knowledge
from backend.catalog.index import opened
from backend.catalog.roots import Root
from backend.catalog.scan import scan
from backend.catalog.shelf import by_name
from backend.engine.lookup import HeaderLookup, model_folder
from backend.graph.errors import UserError
from backend.media.grants import Grants


def test_the_built_in_model_goes_by_its_name(tmp_path):
    folder = HeaderLookup(Grants(tmp_path)).model("primer")
    assert {"transformer", "vae"} <= set(folder.components)


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("", "No model is chosen"),
        ("nothing", "There is no model 'nothing'"),
        ("../elsewhere", "elsewhere"),
        ("x" * 5000, "There is no model"),
        ("empty", "model_index.json"),
        ("file", "is no model"),
    ],
)
def test_what_is_wrong_with_a_model_is_a_sentence(tmp_path, ref, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=said):
        HeaderLookup(Grants(tmp_path, (tmp_path,))).model(ref)


def test_a_scanned_model_that_has_gone_is_told(tmp_path):
    index, file = tmp_path / "i.sqlite", tmp_path / "m/w.safetensors"
    file.parent.mkdir()
    file.write_bytes((2).to_bytes(8, "little") + b"{}")
    with opened(index) as open_index:
        scan([Root(tmp_path / "m")], open_index, shipped_knowledge())
    assert by_name("w", index) == file
    file.unlink()
    with pytest.raises(CatalogError, match=r"any more.* weft models scan"):
        by_name("w", index)


def test_a_model_folder_needs_a_grant(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(UserError):
        model_folder(Grants(tmp_path), "mine")
