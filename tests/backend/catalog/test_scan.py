"""Scans of real folders: what is found, what is left alone, and what a second scan does."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from backend.catalog import scan as module
from backend.catalog.errors import CatalogError
from backend.catalog.identify import Knowledge, shipped_knowledge
from backend.catalog.index import Entry, Index, opened
from backend.catalog.pack import make_book
from backend.catalog.roots import Root, read_folders, root_of, write_folders
from backend.catalog.scan import Scanned, content_of, find, scan
from tests.backend.catalog.headers import filled, gguf, safetensors, sparse

KNOWLEDGE = shipped_knowledge()
FLUX = next(s for s in KNOWLEDGE.book.signatures if s.pack.name == "flux-dev").form


@pytest.fixture
def index(tmp_path: Path):
    with Index(tmp_path / "index.sqlite") as found:
        yield found


def run(index: Index, *roots: Root) -> tuple[Scanned, dict[str, Entry]]:
    done = scan(roots, index, KNOWLEDGE)
    return done, {entry.name: entry for entry in index.entries()}


def folder_model(root: Path) -> None:
    """A diffusers folder of one sharded network."""
    net = root / "transformer"
    shapes = list(filled(FLUX).items())
    shard = "diffusion_pytorch_model-0000{}-of-00002.safetensors"
    for number, part in enumerate((shapes[::2], shapes[1::2]), 1):
        safetensors(net / shard.format(number), dict(part))
    places = {key: shard.format(1 + i % 2) for i, (key, _) in enumerate(shapes)}
    listed = json.dumps({"weight_map": places})
    (net / "diffusion_pytorch_model.safetensors.index.json").write_text(listed)
    (net / "config.json").write_text("{}")
    index = {"_class_name": "FluxPipeline", "transformer": ["diffusers", "FluxTransformer2DModel"]}
    (root / "model_index.json").write_text(json.dumps(index))


def test_a_comfyui_folder_is_scanned_in_its_models(tmp_path: Path, index: Index) -> None:
    comfy = tmp_path / "ComfyUI"
    safetensors(comfy / "models/unet/flux1-dev.safetensors", filled(FLUX), "F8_E4M3")
    gguf(comfy / "models/unet/flux1-dev-Q4_K.gguf", filled(FLUX))
    safetensors(comfy / "models/embeddings/style.safetensors", {"emb_params": (2, 768)})
    safetensors(comfy / "output/not-a-model.safetensors", {"emb_params": (2, 768)})
    (comfy / "models/unet/put_models_here").write_text("")
    done, found = run(index, root_of(comfy))
    assert set(found) == {
        "unet/flux1-dev.safetensors",
        "unet/flux1-dev-Q4_K.gguf",
        "embeddings/style.safetensors",
    }
    assert (done.new, done.same, done.gone, done.broken) == (3, 0, 0, 0)
    identity = found["unet/flux1-dev.safetensors"].identity
    assert identity is not None
    assert (identity.family, identity.precision) == ("flux", "F8_E4M3")
    assert found["unet/flux1-dev.safetensors"].fast.startswith("fast:")


def test_an_invokeai_folder_is_scanned_in_its_models(tmp_path: Path, index: Index) -> None:
    root = tmp_path / "invokeai"
    (root / "models").mkdir(parents=True)
    (root / "invokeai.yaml").write_text("")
    folder_model(root / "models/flux/main/dev")
    safetensors(root / "models/3f2a/lora.safetensors", {"emb_params": (2, 768)})
    _, found = run(index, root_of(root))
    assert set(found) == {"flux/main/dev", "3f2a/lora.safetensors"}


def hub(root: Path, blob: str = "a" * 64) -> Path:
    """A Hugging Face cache with one repository: links in a snapshot to blobs."""
    repository = root / "models--org--name"
    snapshot = repository / "snapshots" / "c0ffee"
    snapshot.mkdir(parents=True)
    safetensors(repository / "blobs" / blob, filled(FLUX))
    (snapshot / "flux1-dev.safetensors").symlink_to(f"../../blobs/{blob}")
    return snapshot


def test_a_hugging_face_cache_is_followed_to_its_own_blobs_only(tmp_path, index) -> None:
    snapshot = hub(tmp_path / "hub")
    outside = safetensors(tmp_path / "secret.safetensors", {"emb_params": (2, 768)})
    (snapshot / "out.safetensors").symlink_to(outside)
    other = safetensors(tmp_path / "hub/models--a--b/blobs" / ("b" * 64), {"emb_params": (2, 768)})
    (snapshot / "other.safetensors").symlink_to(other)
    done, found = run(index, root_of(tmp_path))
    good = found["org/name/flux1-dev.safetensors"]
    assert good.identity is not None
    assert good.identity.family == "flux"
    assert good.sha256 == "a" * 64
    for name in ("out", "other"):
        assert "links are not followed" in found[f"org/name/{name}.safetensors"].problem
    assert done.broken == 2


def test_links_elsewhere_are_told_and_not_followed(tmp_path: Path, index: Index) -> None:
    root = tmp_path / "models"
    outside = safetensors(tmp_path / "away/w.safetensors", {"emb_params": (2, 768)})
    root.mkdir()
    (root / "w.safetensors").symlink_to(outside)
    (root / "folder").symlink_to(tmp_path / "away")
    (root / "loop").symlink_to(root)
    _, found = run(index, Root(root))
    assert list(found) == ["w.safetensors"]
    assert "weft models add" in found["w.safetensors"].problem
    assert found["w.safetensors"].identity is None


def test_a_second_scan_opens_nothing(tmp_path, index, monkeypatch) -> None:
    folder_model(tmp_path / "models/flux")
    safetensors(tmp_path / "models/a.safetensors", {"emb_params": (2, 768)})
    sparse(tmp_path / "models/broken.safetensors", b"nonsense", 0)
    first, _ = run(index, Root(tmp_path / "models"))
    monkeypatch.setattr(module, "examine", None)
    second, found = run(index, Root(tmp_path / "models"))
    assert (first.new, first.broken) == (3, 1)
    assert (second.new, second.same, second.gone, second.broken) == (0, 3, 0, 1)
    assert found["flux"].identity is not None


def test_what_changed_is_read_again_and_what_has_gone_is_forgotten(tmp_path, index) -> None:
    root = tmp_path / "models"
    path = safetensors(root / "a.safetensors", {"emb_params": (2, 768)})
    safetensors(root / "b.safetensors", {"emb_params": (2, 768)})
    _, before = run(index, Root(root))
    index.keep_hash(before["a.safetensors"], content="blake3:1")
    assert index.get(path).content == "blake3:1"
    safetensors(path, {"emb_params": (9, 1024)})
    (root / "b.safetensors").unlink()
    done, found = run(index, Root(root))
    assert (done.new, done.same, done.gone) == (1, 0, 1)
    assert found["a.safetensors"].identity.family == "sd2"
    assert found["a.safetensors"].content == ""
    assert found["a.safetensors"].fast != before["a.safetensors"].fast


def test_a_file_inside_a_model_folder_that_changes_changes_the_folder(tmp_path, index) -> None:
    folder_model(tmp_path / "models/flux")
    _, before = run(index, Root(tmp_path / "models"))
    assert before["flux"].identity.pack == "flux-dev"
    config = tmp_path / "models/flux/transformer/config.json"
    config.write_text('{"num_layers": 19}')
    done, found = run(index, Root(tmp_path / "models"))
    assert done.new == 1
    assert found["flux"].fast != before["flux"].fast


def test_a_component_that_is_a_link_counts_as_the_folders_own(tmp_path, index) -> None:
    """As people share a large text encoder between models."""
    shared = tmp_path / "shared/transformer"
    folder_model(tmp_path / "shared")
    folder_model(tmp_path / "models/flux")
    own = tmp_path / "models/flux/transformer"
    shutil.rmtree(own)
    own.symlink_to(shared)
    _, before = run(index, Root(tmp_path / "models"))
    assert before["flux"].identity.pack == "flux-dev"
    assert before["flux"].size > sum(f.stat().st_size for f in shared.glob("*.safetensors"))
    assert "transformer/config.json" in before["flux"].files
    assert content_of(before["flux"])[0].startswith("blake3:")
    (shared / "config.json").write_text('{"num_layers": 19}')
    done, found = run(index, Root(tmp_path / "models"))
    assert done.new == 1
    assert found["flux"].fast != before["flux"].fast
    shutil.rmtree(shared)
    _, found = run(index, Root(tmp_path / "models"))
    assert "has no folder 'transformer'" in found["flux"].problem


def test_a_linked_component_of_a_hugging_face_cache_leads_to_blobs(tmp_path, index) -> None:
    """A snapshot whose transformer is another repository's, whose files are links themselves."""
    folder_model(tmp_path / "hub/models--a--base/snapshots/1")
    base = tmp_path / "hub/models--a--base/snapshots/1/transformer"
    (tmp_path / "blobs").mkdir()
    for number, file in enumerate(sorted(base.iterdir())):
        file.rename(tmp_path / f"blobs/{number}")
        file.symlink_to(tmp_path / f"blobs/{number}")
    tuned = tmp_path / "hub/models--b--tuned/snapshots/1"
    tuned.mkdir(parents=True)
    shutil.copy(base.parent / "model_index.json", tuned)
    (tuned / "transformer").symlink_to(base)
    _, before = run(index, Root(tmp_path / "hub", "hub"))
    assert before["b/tuned"].identity.pack == "flux-dev"
    (tmp_path / "blobs/0").write_text('{"num_layers": 19}')
    _, found = run(index, Root(tmp_path / "hub", "hub"))
    assert found["b/tuned"].fast != before["b/tuned"].fast


def test_models_of_a_disk_that_is_away_are_kept_and_come_back(tmp_path, index, monkeypatch) -> None:
    disk, away = tmp_path / "disk", tmp_path / "unplugged"
    safetensors(disk / "a.safetensors", filled(FLUX))
    safetensors(tmp_path / "m/b.safetensors", {"emb_params": (2, 768)})
    roots = Root(disk), Root(tmp_path / "m")
    _, before = run(index, *roots)
    index.keep_hash(before["a.safetensors"], content="blake3:1")
    disk.rename(away)
    for _ in range(2):
        done, found = run(index, *roots)
        assert (done.new, done.same, done.gone, done.away) == (0, 1, 0, 1)
        assert f"{disk} is not there now. Connect its disk" in done.troubles[0]
        assert "Models kept: 1." in done.troubles[0]
        assert "is not there now" in found["a.safetensors"].problem
        assert found["b.safetensors"].problem == ""
        assert "is not there now" in find(index, "blake3:1")[0].problem
    away.rename(disk)
    monkeypatch.setattr(module, "examine", None)  # nothing is read again
    done, found = run(index, *roots)
    assert (done.new, done.same, done.gone, done.away) == (0, 2, 0, 0)
    assert found["a.safetensors"] == replace(before["a.safetensors"], content="blake3:1")
    disk.rename(away)
    done, found = run(index, Root(tmp_path / "m"))  # the folder is no longer among the settings
    assert (done.gone, done.away, list(found)) == (1, 0, ["b.safetensors"])


def test_a_mount_point_without_its_disk_is_not_an_emptied_folder(tmp_path, index) -> None:
    for name in ("usb", "own"):
        safetensors(tmp_path / name / "w.safetensors", {"emb_params": (2, 768)})
    roots = Root(tmp_path / "usb"), Root(tmp_path / "own")
    run(index, *roots)
    devices = json.loads(index.fact(module.DEVICES))
    index.keep_fact(module.DEVICES, json.dumps({**devices, str(roots[0].path): 7}))
    for root in roots:
        (root.path / "w.safetensors").unlink()
    for _ in range(2):
        done, _ = run(index, *roots)
        (kept,) = index.entries()
        assert kept.root == tmp_path / "usb"
        assert "not there now" in kept.problem
    assert done.away == 1


def test_what_was_away_while_knowledge_changed_is_told_anew(tmp_path, index) -> None:
    disk = tmp_path / "disk"
    safetensors(disk / "a.safetensors", filled(FLUX))
    scan((Root(disk),), index, Knowledge(make_book(())))
    (entry,) = index.entries()
    index.keep_hash(entry, content="blake3:1")
    disk.rename(tmp_path / "away")
    run(index, Root(disk))
    run(index, Root(disk))
    (tmp_path / "away").rename(disk)
    done, found = run(index, Root(disk))
    assert done.new == 1
    assert found["a.safetensors"].identity.family == "flux"
    assert found["a.safetensors"].content == "blake3:1"


def test_models_in_a_folder_that_cannot_be_looked_into_are_kept(
    tmp_path, index, monkeypatch
) -> None:
    safetensors(tmp_path / "m/closed/w.safetensors", {"emb_params": (2, 768)})
    run(index, Root(tmp_path / "m"))
    real = os.scandir

    def scandir(place: str) -> object:
        if str(place).endswith("closed"):
            raise OSError(5, "Input/output error")
        return real(place)

    monkeypatch.setattr(os, "scandir", scandir)
    done, found = run(index, Root(tmp_path / "m"))
    assert (done.gone, done.away) == (0, 1)
    assert "Input/output error" in found["closed/w.safetensors"].problem
    monkeypatch.undo()
    done, found = run(index, Root(tmp_path / "m"))
    assert (done.same, found["closed/w.safetensors"].problem) == (1, "")


def test_other_knowledge_tells_everything_anew_and_keeps_hashes(tmp_path, index) -> None:
    safetensors(tmp_path / "models/a.safetensors", filled(FLUX))
    scan((Root(tmp_path / "models"),), index, Knowledge(make_book(())))
    (entry,) = index.entries()
    assert entry.identity.kind == "unknown"
    index.keep_hash(entry, content="blake3:1")
    done, found = run(index, Root(tmp_path / "models"))
    assert done.new == 1
    assert found["a.safetensors"].identity.family == "flux"
    assert found["a.safetensors"].content == "blake3:1"


def test_shards_are_one_model_and_a_missing_one_is_told(tmp_path: Path, index: Index) -> None:
    shapes = list(filled(FLUX).items())
    for number in (1, 2, 3):
        safetensors(
            tmp_path / f"m/net-0000{number}-of-00003.safetensors", dict(shapes[number - 1 :: 3])
        )
    _, found = run(index, Root(tmp_path / "m"))
    (entry,) = found.values()
    assert entry.identity.pack == "flux-dev"
    assert len(entry.files) == 3
    (tmp_path / "m/net-00002-of-00003.safetensors").unlink()
    _, found = run(index, Root(tmp_path / "m"))
    assert "only 2 of 3 shards of net" in next(iter(found.values())).problem


def test_shards_are_counted_by_their_numbers(tmp_path: Path, index: Index) -> None:
    for number in (1, 2, 4):
        safetensors(tmp_path / f"m/net-0000{number}-of-00003.safetensors", {f"x{number}": (2,)})
    _, found = run(index, Root(tmp_path / "m"))
    assert "only 2 of 3 shards of net" in next(iter(found.values())).problem


@pytest.mark.parametrize(
    "index_json",
    ['{"vae": ["diffusers", "\\ud800"]}', '{"vae": ["diffusers", "' + "K" * 100_000 + '"]}'],
)
def test_a_sentence_that_is_no_text_or_has_no_end_is_kept_all_the_same(
    tmp_path: Path, index: Index, index_json: str
) -> None:
    (tmp_path / "m/odd").mkdir(parents=True)
    (tmp_path / "m/odd/model_index.json").write_text(index_json)
    _, found = run(index, Root(tmp_path / "m"))
    assert "has no folder 'vae'" in found["odd"].problem
    assert len(found["odd"].problem) <= module.LONGEST


@pytest.mark.skipif(os.name == "nt", reason="file names are text there")
def test_a_folder_whose_name_is_no_text_is_told_and_left_out(tmp_path, index) -> None:
    odd = os.path.join(os.fsencode(tmp_path), b"m", b"odd\xff")
    try:
        os.makedirs(odd)
    except OSError:
        pytest.skip("this disk takes no such names")
    safetensors(Path(os.fsdecode(odd)) / "w.safetensors", {"emb_params": (2, 768)})
    safetensors(tmp_path / "m/w.safetensors", {"emb_params": (2, 768)})
    done, found = run(index, Root(tmp_path / "m"))
    assert set(found) == {"w.safetensors"}
    assert "not UTF-8" in done.troubles[0]


def test_a_piece_of_a_gguf_file_is_told(tmp_path: Path, index: Index) -> None:
    gguf(tmp_path / "m/net-00001-of-00002.gguf", filled(FLUX))
    _, found = run(index, Root(tmp_path / "m"))
    assert "one of 2 pieces" in found["net-00001-of-00002.gguf"].problem


def test_every_broken_file_is_an_entry_with_its_reason(tmp_path: Path, index: Index) -> None:
    root = tmp_path / "models"
    good = safetensors(root / "good.safetensors", filled(FLUX))
    start = good.read_bytes()[:2000]
    sparse(root / "cut.safetensors", start, 0)
    sparse(root / "empty.safetensors", b"", 0)
    sparse(root / "lying.gguf", b"GGUF\x03\0\0\0" + b"\xff" * 16, 0)
    sparse(root / "old.ckpt", b"PK\x03\x04\x00\x00\x08\x08" + bytes(40), 0)
    sparse(root / "folder/model_index.json", b"{", 0)
    (root / "a-folder.safetensors").mkdir()
    os.mkfifo(root / "pipe.safetensors")
    done, found = run(index, Root(root))
    assert found.pop("good.safetensors").problem == ""
    assert {name: entry.problem for name, entry in found.items() if not entry.problem} == {}
    assert "cut short" in found["cut.safetensors"].problem
    assert "cut short" in found["empty.safetensors"].problem
    assert "claims" in found["lying.gguf"].problem
    assert "pickle" in found["old.ckpt"].problem
    assert "not valid JSON" in found["folder"].problem
    assert len(found) == done.broken == 5


def test_a_name_that_is_not_utf_8_and_a_closed_folder_are_troubles(tmp_path, index) -> None:
    root = tmp_path / "models"
    root.mkdir()
    with open(os.fsencode(root) + b"/\xff.safetensors", "wb") as file:
        file.write(b"")
    safetensors(root / "good.safetensors", filled(FLUX))
    done, found = run(index, Root(root), Root(tmp_path / "not-there"))
    assert list(found) == ["good.safetensors"]
    assert len(done.troubles) == 1
    assert "not UTF-8" in done.troubles[0]


def test_nested_roots_list_a_model_once(tmp_path: Path, index: Index) -> None:
    safetensors(tmp_path / "a/b/w.safetensors", filled(FLUX))
    done, found = run(index, Root(tmp_path / "a"), Root(tmp_path / "a/b"))
    assert list(found) == ["b/w.safetensors"]
    assert done.new == 1


def test_the_full_hash_is_that_of_the_contents(tmp_path: Path, index: Index) -> None:
    path = safetensors(tmp_path / "m/w.safetensors", {"emb_params": (2, 768)})
    folder_model(tmp_path / "m/flux")
    for shard in (tmp_path / "m/flux/transformer").glob("*.safetensors"):
        safetensors(shard, {f"x{shard.name[-17]}": (2,)})
    _, found = run(index, Root(tmp_path / "m"))
    read: list[int] = []
    _, sha256 = content_of(found["w.safetensors"], read.append)
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sum(read) == path.stat().st_size
    whole, none = content_of(found["flux"])
    assert whole.startswith("blake3:")
    assert none == ""
    (tmp_path / "m/flux/transformer/config.json").write_text('{"a": 1}')
    with pytest.raises(CatalogError, match="has changed since the last scan"):
        content_of(found["flux"])
    _, again = run(index, Root(tmp_path / "m"))
    assert content_of(again["flux"])[0] != whole
    path.unlink()
    with pytest.raises(CatalogError, match="cannot be read any more"):
        content_of(found["w.safetensors"])


def test_a_hash_of_a_file_that_changed_meanwhile_is_not_kept(tmp_path, index) -> None:
    safetensors(tmp_path / "m/w.safetensors", {"emb_params": (2, 768)})
    _, found = run(index, Root(tmp_path / "m"))
    stale = replace(found["w.safetensors"], stamp="1:1")
    assert not index.keep_hash(stale, content="blake3:old")
    assert index.get(stale.path).content == ""


def test_models_are_found_by_name_by_its_end_by_path_and_by_hash(tmp_path, index) -> None:
    path = safetensors(tmp_path / "m/loras/style.safetensors", {"emb_params": (2, 768)})
    safetensors(tmp_path / "m/other/style.safetensors", {"emb_params": (3, 768)})
    _, found = run(index, Root(tmp_path / "m"))
    entry = found["loras/style.safetensors"]
    assert index.keep_hash(entry, content="blake3:abc")
    for wanted in ("loras/style.safetensors", "loras/style", str(path), entry.fast, "blake3:abc"):
        assert [each.path for each in find(index, wanted)] == [path]
    assert len(find(index, "style")) == 2
    assert find(index, "yle") == []
    assert find(index, "") == []
    assert find(index, "\udcff") == []


def test_two_scans_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    safetensors(tmp_path / "m/w.safetensors", filled(FLUX))
    with Index(tmp_path / "i.sqlite") as one, Index(tmp_path / "i.sqlite") as two:
        scan((Root(tmp_path / "m"),), one, KNOWLEDGE)
        assert scan((Root(tmp_path / "m"),), two, KNOWLEDGE).same == 1


def test_an_index_of_another_format_is_made_anew_and_a_broken_one_told(tmp_path: Path) -> None:
    path = tmp_path / "i.sqlite"
    with Index(path) as index:
        index._db.execute("PRAGMA user_version = 99")
    with Index(path) as index:
        assert index.stamps() == {}
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(CatalogError, match=r"i\.sqlite cannot be used.*Delete"), opened(path):
        pass


def test_an_index_on_a_disk_that_cannot_be_written_is_read(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "i.sqlite"
    safetensors(tmp_path / "m/w.safetensors", {"emb_params": (2, 768)})
    with Index(path) as index:
        run(index, Root(tmp_path / "m"))
    monkeypatch.setattr(os, "access", lambda place, mode: False)
    with opened(path) as index:
        assert [entry.name for entry in index.entries()] == ["w.safetensors"]
    with pytest.raises(CatalogError, match=r"Make .* writable"), opened(path) as index:
        run(index, Root(tmp_path / "m"))


@pytest.mark.parametrize(
    "before",
    [
        "",
        "# mine\n[look]\ntheme = 'dark'",
        "[models]\nfolders = ['/old',\n  '/older']  # two\nkeep = 1\n\n[look]\ntheme = 1\n",
        "[look]\na = 1\n[models] # here\nkeep = 2\n[more]\nfolders = [1]\n",
    ],
)
def test_folders_are_written_and_all_else_is_kept(tmp_path: Path, before: str) -> None:
    settings = tmp_path / "weft/settings.toml"
    settings.parent.mkdir()
    settings.write_text(before)
    write_folders(settings, [Path("/data/Comfy UI"), Path('/ä\\"b')])
    assert read_folders(settings) == (Path("/data/Comfy UI"), Path('/ä\\"b'))
    for line in before.splitlines():
        if "old" not in line:
            assert line in settings.read_text()


def test_folders_with_brackets_and_quotes_can_be_changed_again(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    for folders in ([Path("/a]b"), Path("/c'd")], [Path('/"]'), Path("/[e]")], [Path("/f")]):
        write_folders(settings, folders)
        assert list(read_folders(settings)) == folders


def test_settings_that_are_a_link_stay_one(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text("[mine]\na = 1\n")
    (tmp_path / "settings.toml").symlink_to(real)
    write_folders(tmp_path / "settings.toml", [Path("/data")])
    assert (tmp_path / "settings.toml").is_symlink()
    assert read_folders(real) == (Path("/data"),)


def test_a_folder_that_cannot_be_written_down_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="cannot be written"):
        write_folders(tmp_path / "settings.toml", [Path("/odd\udcff")])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[models", "cannot be read"),
        ("[models]\nfolders = 3", "write a list"),
        ("models = 3", r"outside a \[section\]"),
        ("[models]\nfolders = ['x']", "no absolute path"),
    ],
)
def test_settings_that_are_wrong_are_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(CatalogError, match=message):
        read_folders(tmp_path / "s.toml")
