"""Models for a picker come from the index, without keeping the window waiting."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.specs.models import ModelRow, Models, built_in, chosen
from backend.catalog.identity import Identity
from backend.catalog.index import Entry, Index

SHIPPED = Path(__file__).resolve().parents[3] / "resources" / "models"


def entry(name: str, kind: str, family: str = "", problem: str = "", **spaces: str) -> Entry:
    known = Identity(
        kind, name, family, (family,) if family else (), precision="BF16", spaces=spaces
    )
    path = Path("/models") / name
    return Entry(path, Path("/models"), name, "1", 1000, (name,), identity=known, problem=problem)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    path = tmp_path / "models.sqlite"
    with Index(path) as made, made.changes():
        made.put(
            [
                entry("flux1-dev.safetensors", "denoiser", "flux", latent="flux"),
                entry("ae.safetensors", "vae", "flux", latent="flux"),
                entry("sdxl.safetensors", "checkpoint", "sdxl", latent="sdxl"),
                entry("broken.safetensors", "checkpoint", "sdxl", problem="It is cut short."),
            ]
        )
    return path


@pytest.fixture
def models(application, index):
    made = Models(index, SHIPPED)
    yield made
    made.close()


def test_shipped_and_scanned_models_are_read_in_a_thread(models, spin):
    heard = []
    models.changed.connect(lambda: heard.append(1))
    models.read()
    assert models.rows == ()
    spin(lambda: models.rows)
    assert models.rows[0].name == "primer"
    assert {row.name for row in models.rows} > {"ae.safetensors", "sdxl.safetensors"}
    models.read()
    models.read()
    models.close()
    spin(lambda: models._thread is None)
    assert heard == [1]


def test_rows_are_chosen_by_kind_family_space_and_words(models, spin):
    models.read()
    spin(lambda: models.rows)

    def names(**wish):
        return [row.name for row in chosen(models.rows, **wish)]

    assert names(kinds=("vae",)) == ["ae.safetensors"]
    assert names(family="sdxl")[-2:] == ["sdxl.safetensors", "broken.safetensors"]
    assert names(space="flux", text="AE.") == ["ae.safetensors"]
    assert "sdxl.safetensors" not in names(space="flux")
    assert names(text="nothing of that name") == []


def test_a_missing_model_has_others_in_its_place(models, spin):
    models.read()
    spin(lambda: models.rows)
    assert models.instead_of("flux1-dev-Q4.gguf", "flux") == ("flux1-dev.safetensors",)


def test_a_broken_index_is_a_sentence(application, tmp_path, spin):
    (tmp_path / "models.sqlite").write_bytes(b"no database" * 1000)
    models = Models(tmp_path / "models.sqlite", SHIPPED)
    models.read()
    spin(lambda: models.sentence)
    assert "cannot be used" in models.sentence
    models.close()


def test_without_a_scan_there_is_what_weft_ships(application, tmp_path, spin):
    models = Models(tmp_path / "none.sqlite", SHIPPED)
    models.read()
    spin(lambda: models.rows)
    assert models.rows == built_in(SHIPPED)
    assert models.sentence == ""
    assert isinstance(models.rows[0], ModelRow)
    assert models.rows[0].size > 1e6
    assert built_in(tmp_path / "nowhere") == ()
    models.close()
