"""Single files as one model: each goes to the part that it fits, in whatever form it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.catalog.errors import CatalogError
from backend.catalog.pack import load_book
from backend.catalog.source import open_files, read_source
from tests.backend.catalog.headers import filled, gguf, safetensors

BOOK = load_book()


def form(pack: str, part: str, name: str) -> dict[str, tuple[int, ...]]:
    """The tensors that a form of a part asks for."""
    return next(
        filled(s.form)
        for s in BOOK.signatures
        if (s.pack.name, s.part.part, s.form.name) == (pack, part, name)
    )


@pytest.fixture
def denoiser(tmp_path: Path) -> Path:
    return safetensors(
        tmp_path / "flux1-dev.safetensors", form("flux-dev", "transformer", "original")
    )


@pytest.mark.parametrize("kind", ["diffusers", "embedded", "llama.cpp"])
def test_a_shared_encoder_serves_in_every_form_that_is_known(
    denoiser: Path, tmp_path: Path, kind: str
) -> None:
    tensors = form("t5-xxl", BOOK.packs["t5-xxl"].parts[0].part, kind)
    if kind == "diffusers":  # a whole file has the tensors that both packs look at
        tensors |= form("flux-dev", "text_encoder_2", kind)
    write = gguf if kind == "llama.cpp" else safetensors
    t5 = write(tmp_path / ("t5.gguf" if write is gguf else "t5.safetensors"), tensors)
    clip = safetensors(tmp_path / "clip.safetensors", form("flux-dev", "text_encoder", "diffusers"))
    found = open_files([denoiser, t5, clip])
    bare = found.component("text_encoder_2").bare
    assert bare is not None
    assert (bare.file, bare.form) == (t5, kind)
    assert found.component("text_encoder").bare is not None
    assert read_source(found.source).identity() == found.identity()


def test_an_encoder_of_another_width_is_refused(denoiser: Path, tmp_path: Path) -> None:
    tensors = form("umt5-xxl", BOOK.packs["umt5-xxl"].parts[0].part, "llama.cpp")
    with pytest.raises(CatalogError, match=r"no part of FLUX.1"):
        open_files([denoiser, gguf(tmp_path / "umt5.gguf", tensors)])


def test_a_form_that_nothing_here_renames_is_not_taken(tmp_path: Path) -> None:
    first = safetensors(tmp_path / "l.safetensors", form("lumina-2", "transformer", "original"))
    tensors = form("gemma-2-2b", BOOK.packs["gemma-2-2b"].parts[0].part, "llama.cpp")
    with pytest.raises(CatalogError, match="no part of"):
        open_files([first, gguf(tmp_path / "gemma.gguf", tensors)])


def test_a_tokenizer_that_may_not_be_shipped_is_told_and_then_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    first = safetensors(tmp_path / "l.safetensors", form("lumina-2", "transformer", "original"))
    with pytest.raises(CatalogError, match=r"tokenizer/tokenizer.json.* of Alpha-VLLM") as caught:
        open_files([first]).component("tokenizer")
    place = tmp_path / "data/weft/models/tokenizers/lumina-2/tokenizer"
    assert str(place) in str(caught.value)
    place.mkdir(parents=True)
    (place / "tokenizer.json").write_text("{}")
    assert open_files([first]).component("tokenizer").path == place
