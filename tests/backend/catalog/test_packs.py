"""Every shipped pack is sound, and no two of different families are told by the same tensors."""

from __future__ import annotations

import json

import msgspec
import pytest

from backend.catalog.errors import CatalogError
from backend.catalog.header import TensorInfo
from backend.catalog.identify import Knowledge, identify, shipped_knowledge
from backend.catalog.match import find_matches
from backend.catalog.pack import (
    FILE,
    Pack,
    Signature,
    faults,
    load_book,
    make_book,
    packs_folder,
    read_pack,
)
from tests.backend.catalog.headers import filled

PACKS = sorted(path.parent.name for path in packs_folder().glob(f"*/{FILE}"))
KNOWLEDGE = shipped_knowledge()
FIELDS = {field.name for field in msgspec.structs.fields(Pack)} - {"name", "classes"}


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_is_sound_and_says_nothing_that_is_not_known(name: str) -> None:
    pack = read_pack(packs_folder() / name)
    assert pack.title
    assert pack.parts
    written = json.loads((packs_folder() / name / FILE).read_text())
    assert set(written) <= FIELDS
    for part in written["parts"]:
        assert set(part) <= {"part", "kind", "forms"}
        for form in part["forms"]:
            assert set(form) <= {"name", "shapes", "absent"}


def test_native_and_shared_packs_name_their_spaces() -> None:
    for pack in KNOWLEDGE.book.packs.values():
        if any(part.kind == "denoiser" for part in pack.parts) and not pack.pipeline:
            assert set(pack.spaces) == {"latent", "text"}, pack.name


def called(signature: Signature) -> str:
    return f"{signature.pack.name}-{signature.part.part}-{signature.form.name}"


@pytest.mark.parametrize("signature", KNOWLEDGE.book.signatures, ids=called)
def test_what_a_pack_describes_is_told_as_that_pack(signature: Signature) -> None:
    tensors = {
        key: TensorInfo("BF16", shape, 0) for key, shape in filled(signature.form, size=40).items()
    }
    found = identify(tensors, KNOWLEDGE)
    assert found.kind == signature.part.kind
    own = signature.pack
    shapes = {key: info.shape for key, info in tensors.items()}
    assert own.name in {m.signature.pack.name for m in find_matches(shapes, KNOWLEDGE.book)}
    if signature.part.kind == "denoiser":
        assert found.family == own.family
        assert own.name in (found.pack, *found.also)
        for other in found.also:
            assert KNOWLEDGE.book.packs[other].spaces == own.spaces
    elif own.family:
        assert own.family in found.families
    else:
        assert found.pack == own.name


def test_adapters_are_of_families_that_packs_know() -> None:
    families = {pack.family for pack in KNOWLEDGE.book.packs.values()}
    assert {table.family for table in KNOWLEDGE.targets} <= families


FORM = {"name": "a", "shapes": {"x": [2, None]}}
NET = {"part": "net", "kind": "denoiser", "forms": [FORM]}
GOOD = {"family": "f", "title": "F", "parts": [NET]}


def having(**form: object) -> dict[str, object]:
    """A change that gives the network another form."""
    return {"parts": [NET | {"forms": [FORM | form]}]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"title": 3}, "Expected `str`"),
        ({"parts": [{"part": "net", "kind": "brain"}]}, "unknown kind 'brain'"),
        ({"parts": [{"part": "a", "kind": "vae"}] * 2}, "two parts have one name"),
        (having(shapes={}), "no shapes"),
        (having(shapes={"x": [0]}), "the shape"),
        (having(absent=["x"]), "demands and forbids"),
        ({"bundle": {"vae": "vae."}}, "the part 'vae', which it does not have"),
    ],
)
def test_a_pack_that_is_wrong_is_refused_with_the_reason(tmp_path, change, message) -> None:
    (tmp_path / FILE).write_text(json.dumps(GOOD | change))
    with pytest.raises(CatalogError, match=message) as caught:
        read_pack(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_folder_of_packs_makes_a_book(tmp_path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / FILE).write_text(json.dumps(GOOD))
    index = {"_class_name": "MyPipeline", "net": ["diffusers", "MyNet"], "none": [None, None]}
    (tmp_path / "mine" / "model_index.json").write_text(json.dumps(index))
    book = load_book(tmp_path)
    assert book.packs["mine"].classes == {"": "MyPipeline", "net": "MyNet"}
    tensors = {"diffusion_model.x": TensorInfo("F16", (2, 9), 36)}
    assert identify(tensors, Knowledge(book)).pack == "mine"


def test_two_packs_that_nothing_tells_apart_are_both_named() -> None:
    pack = msgspec.convert(GOOD, Pack)
    twins = [msgspec.structs.replace(pack, name=name) for name in ("one", "two")]
    assert not list(faults(pack))
    found = identify({"x": TensorInfo("F16", (2, 3), 12)}, Knowledge(make_book(twins)))
    assert (found.pack, found.also) == ("one", ("two",))
