"""``weft reproduce``: a file is made again from what it carries, and never gets more for that."""

from __future__ import annotations

import json

import numpy as np
import pytest

from backend.cli import guard
from backend.cli.errors import DONE, FAILED, INVALID, USAGE
from backend.cli.reproduce import CLOSE, DIFFERENT
from backend.media.images import ImageOptions, read_image, write_image
from backend.media.metadata import read_provenance
from backend.media.outputs import sidecar_of
from backend.values import Image
from tests.backend.cli.conftest import Done, Weft

SAVE = {"type": "save_image", "inputs": {"image": "picture.image"}, "params": {"name": "x"}}
SAVE_TEXT = {"type": "save_text", "inputs": {"text": "words.text"}, "params": {"name": "t"}}


def solid(color="#804020"):
    return {"type": "solid_image", "params": {"width": 8, "height": 8, "color": color}}


@pytest.fixture
def weft(tmp_path, monkeypatch, capsys):
    """``weft`` in this process, which is quicker than one for each of so many runs."""
    return Here(tmp_path, monkeypatch, capsys)


class Here(Weft):
    def __init__(self, folder, monkeypatch, capsys):
        super().__init__(folder)
        self._capsys = capsys
        monkeypatch.chdir(folder)
        for name in ("CONFIG", "CACHE", "DATA", "STATE"):
            monkeypatch.setenv(f"XDG_{name}_HOME", str(folder / name.lower()))

    def __call__(self, *arguments):
        status = guard._run([str(each) for each in arguments])
        said = self._capsys.readouterr()
        return Done(status, said.out, said.err)


@pytest.fixture
def made(weft):
    """Runs nodes and gives the files that they save, by name."""

    def make(nodes, **more):
        done = weft("run", weft.flow(nodes), *more.get("flags", ()))
        assert done.status == DONE, done.err
        return sorted(p for p in (weft.folder / "output").rglob("*") if p.suffix != ".json")

    return make


def test_a_picture_of_any_format_is_made_again(tmp_path):
    weft = Weft(tmp_path)
    formats = ("png", "jpeg", "webp", "tiff")
    saves = {f: {**SAVE, "params": {"name": f, "format": f}} for f in formats}
    assert weft("run", weft.flow({"picture": solid(), **saves})).status == DONE
    files = list((tmp_path / "output").iterdir())
    assert len(files) == 4
    for file in files:
        done = weft("reproduce", file)
        assert done.status == DONE, done.err
        assert f"{file} is identical" in done.out
        assert "as they were" in done.out
    assert sorted((tmp_path / "output").iterdir()) == sorted(files)


def test_the_new_file_is_kept_where_it_is_asked_for(weft, made):
    (file,) = made({"picture": solid(), "save": SAVE})
    done = weft("reproduce", file, "--out", "again", "--json")
    (event,) = (e for e in done.events if e["event"] == "reproduced")
    assert event["verdict"] == "identical"
    assert (weft.folder / event["again"]).read_bytes()


def test_the_right_turn_and_item_is_compared(weft, made):
    nodes = {
        "a": solid("#000000"), "b": solid("#ffffff"), "c": solid("#ff0000"),
        "row": {"type": "make_list", "inputs": {"items": ["a.image", "b.image", "c.image"]}},
        "each": {
            "type": "for_each",
            "inputs": {"items": {"image": "row.values"}},
            "body": {
                "nodes": {
                    "pair": {"type": "make_list", "inputs": {"items": ["$.image", "dark.image"]}},
                    "dark": {"type": "invert", "inputs": {"image": "$.image"}},
                    "save": {**SAVE, "inputs": {"image": "pair.values"}},
                },
                "outputs": {},
            },
        },
    }  # fmt: skip
    files = made(nodes)
    assert len(files) == 6
    told = {(t["turns"][0], t["item"]) for t in map(read_provenance, files)}
    assert told == {(turn, item) for turn in (1, 2, 3) for item in (1, 2)}
    for file in files[:2]:
        assert weft("reproduce", file).status == DONE


def test_each_file_of_a_batch_is_its_own(weft, made):
    nodes = {
        "a": solid("#000000"), "b": solid("#ffffff"),
        "picture": {"type": "batch_images", "inputs": {"images": ["a.image", "b.image"]}},
        "save": SAVE,
    }  # fmt: skip
    files = made(nodes)[::-1]  # x.png, x-2.png
    assert [read_provenance(file)["save"] for file in files] == [1, 2]
    assert [weft("reproduce", file).status for file in files] == [DONE, DONE]


def test_a_text_is_made_again_from_its_sidecar(weft, made):
    nodes = {"words": {"type": "text", "params": {"value": "Guten Tag"}}, "save": SAVE_TEXT}
    (file,) = made(nodes)
    assert weft("reproduce", file).status == DONE
    file.write_text("Gute Nacht")
    assert weft("reproduce", file).status == DIFFERENT


def test_a_sound_and_a_frame_are_made_again(weft, made):
    nodes = {
        "quiet": {"type": "silence", "params": {"seconds": 0.1}},
        "sound": {"type": "save_audio", "inputs": {"audio": "quiet.audio"}},
        "a": solid("#000000"), "b": solid("#ffffff"),
        "both": {"type": "batch_images", "inputs": {"images": ["a.image", "b.image"]}},
        "video": {"type": "images_to_video", "inputs": {"images": "both.image"}},
        "frames": {"type": "save_video_frames", "inputs": {"video": "video.video"}},
    }  # fmt: skip
    files = {file.name: file for file in made(nodes)}
    assert weft("reproduce", files["sound-0001.wav"]).status == DONE
    assert weft("reproduce", files["00002.png"]).status == DONE


def test_close_and_different_are_measured(weft, made):
    params = {"name": "x", "format": "tiff", "depth": "float"}
    (file,) = made({"picture": solid(), "save": {**SAVE, "params": params}})
    told = read_provenance(file)
    image = read_image(file)[0]
    for change, status in ((1e-3, CLOSE), (0.2, DIFFERENT)):
        moved = image.but(image.pixels + np.float32(change))
        write_image(file, moved, ImageOptions("tiff", "float"), told)
        done = weft("reproduce", file, "--json")
        assert done.status == status
        (event,) = (e for e in done.events if e["event"] == "reproduced")
        assert event["largest"] == pytest.approx(change, rel=1e-2)
        assert event["psnr"] == pytest.approx(-20 * np.log10(change), abs=0.1)


def rewritten(file, **changes):
    """The same picture with other provenance."""
    told = {**(read_provenance(file) or {}), **changes}
    write_image(file, read_image(file)[0], ImageOptions("png"), told)
    return told


def test_what_is_not_as_it_was_is_told(weft, made):
    (file,) = made({"picture": solid(), "save": SAVE})
    told = read_provenance(file)
    rewritten(file, versions={**told["versions"], "numpy": "1.0"}, numerics={"python": "2.7"})
    lines = weft("reproduce", file).out.splitlines()
    assert any(line.startswith("  version of numpy: 1.0 then, ") for line in lines)
    assert any(line.startswith("  python: 2.7 then, ") for line in lines)


def test_a_file_that_is_another_now_is_told(weft, made):
    (weft.folder / "output").mkdir()
    (photo,) = made({"picture": solid(), "save": {**SAVE, "params": {"name": "photo"}}})
    nodes = {
        "picture": {"type": "load_image", "params": {"file": "output/photo.png"}},
        "save": {**SAVE, "params": {"name": "copy"}},
    }
    made(nodes)
    copy = photo.with_name("copy.png")
    (weft.folder / "output/output").mkdir()
    (weft.folder / "output/output/photo.png").write_bytes(photo.read_bytes())
    assert weft("reproduce", copy).status == DONE
    write_image(
        weft.folder / "output/output/photo.png",
        read_image(photo)[0].but(np.zeros((1, 8, 8, 3), np.float32)),
        ImageOptions(),
    )
    done = weft("reproduce", copy)
    assert done.status == DIFFERENT
    assert "file picture.file: blake3:" in done.out


@pytest.mark.parametrize("grant", ["photos", "photos/in.png"])
def test_what_was_read_is_found_in_a_granted_folder(weft, made, grant):
    (weft.folder / "photos").mkdir()
    photo = Image(np.full((1, 4, 6, 3), 0.25, np.float32))
    write_image(weft.folder / "photos/in.png", photo, ImageOptions())
    load = {"type": "load_image", "params": {"file": str(weft.folder / "photos/in.png")}}
    (file,) = made({"picture": load, "save": SAVE}, flags=("--allow-read", "photos"))
    done = weft("reproduce", file)
    assert done.status == FAILED
    assert "--allow-read FOLDER" in done.err
    done = weft("reproduce", file, "--allow-read", grant)
    assert done.status == DONE, done.err
    assert "models and files are as they were" in done.out


def test_a_carried_workflow_reads_no_more_than_one_in_a_file(weft, made, tmp_path_factory):
    secret = tmp_path_factory.mktemp("private") / "secret.png"
    (file,) = made({"picture": solid(), "save": SAVE})
    secret.write_bytes(file.read_bytes())
    told = read_provenance(file)
    document = json.loads(told["workflow"])
    document["nodes"]["picture"] = {
        "type": "load_image", "version": 1, "params": {"file": str(secret)},
    }  # fmt: skip
    rewritten(file, workflow=json.dumps(document))
    done = weft("reproduce", file)
    assert done.status in (FAILED, INVALID)
    assert "outside what this workflow may read" in done.err + done.out
    granted = weft("reproduce", file, "--allow-read", secret.parent)
    assert granted.status == DONE, granted.err


def test_a_carried_name_stays_in_the_output_folder(weft, made):
    (file,) = made({"picture": solid(), "save": SAVE})
    document = json.loads(read_provenance(file)["workflow"])
    document["nodes"]["save"]["params"]["name"] = "../../stolen"
    rewritten(file, workflow=json.dumps(document))
    done = weft("reproduce", file, "--out", "again")
    assert done.status in (FAILED, INVALID)
    assert not list(weft.folder.parent.glob("**/stolen*"))


def test_a_carried_workflow_is_under_the_same_caps(weft, made):
    (file,) = made({"picture": solid(), "save": SAVE})
    document = json.loads(read_provenance(file)["workflow"])
    document["nodes"]["picture"]["params"] = {"width": 10**9, "height": 10**9}
    rewritten(file, workflow=json.dumps(document))
    assert weft("reproduce", file).status in (FAILED, INVALID)


@pytest.mark.parametrize(
    "changes",
    [{"node": 3}, {"node": ""}, {"turns": "x"}, {"turns": [{}]}, {"item": None}, {"workflow": 1},
     {"workflow": "{"}, {"node": "nobody"}, {"node": "\x1b[31mred"}],
)  # fmt: skip
def test_a_damaged_provenance_is_a_sentence(weft, made, changes):
    (file,) = made({"picture": solid(), "save": SAVE})
    rewritten(file, **changes)
    done = weft("reproduce", file)
    assert done.status == INVALID
    assert "Traceback" not in done.err
    assert "\x1b" not in done.err


def test_what_carries_nothing_is_refused(weft, made):
    flow = weft.flow({"picture": solid(), "save": SAVE})
    assert weft("reproduce", flow).status == USAGE
    assert weft("reproduce", "nothing.png").status == USAGE
    (file,) = made({"picture": solid(), "save": SAVE})
    write_image(weft.folder / "plain.png", read_image(file)[0], ImageOptions())
    assert weft("reproduce", "plain.png").status == INVALID


def test_a_file_that_is_not_there_or_was_cut_short_is_told_so(weft, made):
    assert "nothing.png does not exist" in weft("reproduce", "nothing.png").err
    (file,) = made({"picture": solid(), "save": SAVE})
    file.write_bytes(file.read_bytes()[:200])
    assert "cut short" in weft("reproduce", file).err


def test_a_cropped_file_is_told_by_both_sizes(weft, made):
    (file,) = made({"picture": solid(), "save": SAVE})
    told, image = read_provenance(file), read_image(file)[0]
    write_image(file, image.but(image.pixels[:, :5, :7]), ImageOptions("png"), told)
    done = weft("reproduce", file)
    assert done.status == DIFFERENT
    assert f"{file} is different: it is 7x5x3, the new one 8x8x3." in done.out


def test_where_nothing_was_made_no_more_is_said_to_be_as_it_was_than_was_looked_at(weft, made):
    write_image(weft.folder / "in.png", Image(np.zeros((1, 4, 4, 3), np.float32)), ImageOptions())
    load = {"type": "load_image", "params": {"file": "in.png"}}
    (file,) = made({"picture": load, "save": SAVE})
    (weft.folder / "in.png").unlink()
    done = weft("reproduce", file)
    assert done.status == FAILED
    assert "Versions are as they were." in done.out
    assert "files" not in done.out


def test_outputs_carry_nothing_when_the_setting_says_so(weft, monkeypatch):
    monkeypatch.setenv("WEFT_PROVENANCE_EMBED", "false")
    nodes = {
        "picture": solid(), "save": SAVE,
        "words": {"type": "text", "params": {"value": "a"}}, "text": SAVE_TEXT,
    }  # fmt: skip
    assert weft("run", weft.flow(nodes)).status == DONE
    file = weft.folder / "output/x.png"
    assert read_provenance(file) is None
    assert not sidecar_of(weft.folder / "output/t.txt").exists()
    assert weft("reproduce", file).status == INVALID
