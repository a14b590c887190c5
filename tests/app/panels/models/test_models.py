"""The model manager over real model files, a real index and a server on this machine."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.panels.models import ModelShelf, ModelsPanel
from app.panels.models.needs import missing_models
from app.panels.models.shelf import Work
from backend.catalog.identify import shipped_knowledge
from backend.catalog.identity import Identity
from backend.catalog.index import Entry
from backend.graph.document import ModelNeed, Workflow
from backend.settings import load
from tests.backend.catalog.headers import filled, gguf, safetensors, sparse

STYLE = {"emb_params": (2, 768)}


def flux():
    signatures = shipped_knowledge().book.signatures
    return filled(next(s for s in signatures if s.pack.name == "flux-dev").form)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A settings file and folders of the test's own."""
    file = tmp_path / "settings.toml"
    monkeypatch.setenv("WEFT_SETTINGS", str(file))
    monkeypatch.setenv("WEFT_FOLDERS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("WEFT_FOLDERS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("WEFT_MODELS_FOLDERS", raising=False)
    return file


@pytest.fixture
def shelf(settings, application):
    made = ModelShelf(settings)
    made.heard = []
    made.told.connect(lambda said: made.heard.append(("told", said)))
    made.refused.connect(lambda said: made.heard.append(("refused", said)))
    yield made
    made.close()


@pytest.fixture
def comfy(tmp_path):
    root = tmp_path / "ComfyUI"
    gguf(root / "models/unet/flux1-dev-Q4_K.gguf", flux())
    safetensors(root / "models/embeddings/style.safetensors", STYLE, "F32")
    sparse(root / "models/loras/cut.safetensors", b"\xff" * 8, 0)
    return root


@pytest.fixture
def panel(theme, shelf, comfy, mount, spin):
    made = mount(ModelsPanel(theme, shelf), 640, 560)
    shelf.add_folder(comfy)
    idle(shelf, spin)
    return made


def idle(shelf, spin):
    spin(lambda: shelf._errands.waiting == 0, 30)


def names(panel):
    return [panel.sieve.entry(row).name for row in range(panel.sieve.rowCount())]


def test_a_folder_is_taken_in_scanned_and_left_out_again(panel, shelf, comfy, settings, spin):
    assert load(settings).settings.models.folders == (str(comfy),)
    assert "unet/flux1-dev-Q4_K.gguf" in names(panel)
    assert "primer" in " ".join(names(panel))
    assert shelf.heard[0][1].startswith("6 models, 6 of them new.")
    menu = panel.folders_menu()
    entry = next(a.menu() for a in menu.actions() if a.text() == str(comfy))
    next(a for a in entry.actions() if a.text() == "Leave it out").trigger()
    idle(shelf, spin)
    menu.deleteLater()
    assert not any("flux1-dev" in name for name in names(panel))
    assert (comfy / "models/unet/flux1-dev-Q4_K.gguf").exists()


def test_kind_family_and_words_narrow_the_table(panel):
    panel.kind.setCurrentIndex(panel.kind.findData("embedding"))
    assert names(panel) == ["embeddings/style.safetensors"]
    panel.kind.setCurrentIndex(0)
    panel.family.setCurrentIndex(panel.family.findData("flux"))
    assert names(panel) == ["primer", "unet/flux1-dev-Q4_K.gguf"]
    panel.family.setCurrentIndex(0)
    QTest.keyClicks(panel.field, "q4_k FLUX")
    assert names(panel) == ["unet/flux1-dev-Q4_K.gguf"]
    panel.field.clear()
    panel.kind.setCurrentIndex(panel.kind.findData("broken"))
    assert names(panel) == ["loras/cut.safetensors"]
    panel.table.selectRow(0)
    assert "cut short" in panel.details.text()


def test_sizes_are_sorted_as_numbers(panel):
    panel.table.sortByColumn(4, Qt.SortOrder.DescendingOrder)
    sizes = [panel.sieve.entry(row).size for row in range(panel.sieve.rowCount())]
    assert sizes == sorted(sizes, reverse=True)


def test_a_model_is_verified_and_damage_is_found(panel, shelf, comfy, spin):
    row = names(panel).index("embeddings/style.safetensors")
    panel.table.selectRow(row)
    panel.tools[2].trigger()
    idle(shelf, spin)
    assert shelf.heard[-1] == ("told", "embeddings/style.safetensors is as it should be.")
    assert "blake3:" in panel.details.text()
    file = comfy / "models/embeddings/style.safetensors"
    raw, known = bytearray(file.read_bytes()), file.stat()
    raw[-1] ^= 1
    file.write_bytes(raw)
    import os

    os.utime(file, ns=(known.st_atime_ns, known.st_mtime_ns))
    panel.tools[2].trigger()
    idle(shelf, spin)
    kind, said = shelf.heard[-1]
    assert kind == "refused"
    assert "is not what it was" in said
    assert panel.notice.isVisible()


def test_what_a_document_lacks_is_told_with_a_way_to_get_it(panel, shelf):
    panel.show_document(
        Workflow(
            models=(
                ModelNeed("flux1-dev-Q4_K"), ModelNeed("my-own"),
                ModelNeed("schnell", source="hf:o/r/a.safetensors"),
            )
        )
    )  # fmt: skip
    titles = [card.title for card in panel.missing.cards.cards]
    assert titles == [
        "my-own is missing.", "schnell is missing.",
    ]  # fmt: skip
    assert [card.act.words for card in panel.missing.cards.cards] == ["Find it", "Get it"]
    assert "hf:o/r/a.safetensors" in panel.missing.cards.card(1).sentence
    panel.show_document(Workflow())
    assert panel.missing.isHidden()


@pytest.fixture
def site(tmp_path):
    """A server with a model, one that is large, and a pickle."""
    root = tmp_path / "site"
    safetensors(root / "style.safetensors", STYLE)
    safetensors(root / "large.safetensors", {"emb_params": (2**20, 24)}, "F32")
    sparse(root / "old.ckpt", b"PK\x03\x04\x00\x00\x08\x08" + bytes(99), 0)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_model_is_got_with_progress_and_is_in_the_table(panel, shelf, site, spin, tmp_path):
    seen: list[Work] = []
    shelf.working.connect(lambda work: seen.append(work) if work else None)
    panel.source.setText(f"{site}/large.safetensors")
    QTest.keyClick(panel.source, Qt.Key.Key_Return)
    idle(shelf, spin)
    assert shelf.heard[-1][0] == "told"
    assert (tmp_path / "data/models/large.safetensors").is_file()
    assert "large.safetensors" in names(panel)
    shares = [work.share for work in seen if "large" in work.words and work.share >= 0]
    assert shares == sorted(shares)
    assert shares
    assert panel._bar.isHidden()


def test_what_cannot_be_got_is_a_sentence(panel, shelf, site, spin):
    for source, said in ((f"{site}/old.ckpt", "pickle"), (f"{site}/none.gguf", "no such file"),
                         ("hf:nonsense", "does not name a model")):  # fmt: skip
        shelf.get(source)
        idle(shelf, spin)
        assert shelf.heard[-1][0] == "refused"
        assert said in shelf.heard[-1][1]


def test_a_download_is_given_up_and_its_part_stays(shelf, site, spin, tmp_path):
    shelf.working.connect(lambda work: shelf.cancel() if work and work.share > 0 else None)
    begun = threading.Event()
    check = shelf._errands.check

    def slow() -> None:  # until the window has heard of the first part
        if begun.is_set():
            spin_until = threading.Event()
            spin_until.wait(0.05)
        check()

    shelf._errands.check = slow
    begun.set()
    shelf.get(f"{site}/large.safetensors")
    idle(shelf, spin)
    assert not (tmp_path / "data/models/large.safetensors").exists()
    assert (tmp_path / "data/models/large.safetensors.part").is_file()
    assert shelf.heard == []
    assert shelf.work is None


def entry(name: str, **more) -> Entry:
    identity = Identity("checkpoint", "Flux", "flux", ("flux",))
    return Entry(Path("/m") / name, Path("/m"), name, "s", 1, (name,), identity=identity, **more)


def test_a_need_is_met_by_hash_or_by_name():
    flow = Workflow(
        models=(
            ModelNeed("other-name", "blake3:aa"), ModelNeed("b"), ModelNeed("c", "blake3:zz"),
            ModelNeed("sub/d.gguf"),
        )
    )  # fmt: skip
    there = (
        entry("a.safetensors", content="blake3:aa"), entry("x/b.safetensors"),
        entry("sub/d.gguf", problem="It is cut short."),
    )  # fmt: skip
    assert [missing.need.name for missing in missing_models(flow, there)] == ["c", "sub/d.gguf"]


def test_what_would_do_instead_is_named():
    (missing,) = missing_models(
        Workflow(models=(ModelNeed("flux1-dev-fp8"),)), (entry("flux1-dev.safetensors"),)
    )
    assert missing.instead.entry.name == "flux1-dev.safetensors"
