"""Reading needs a grant; what a path looks like decides before the disk is touched."""

import os
from pathlib import Path

import pytest

from backend.media.grants import Grants
from backend.sdk import UserError


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A workflow's folder with a picture beside it, and a secret outside."""
    (tmp_path / "flow" / "photos").mkdir(parents=True)
    (tmp_path / "flow" / "photos" / "hill.png").write_bytes(b"hill")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.png").write_bytes(b"key")
    return tmp_path


def test_a_granted_folder_gives_its_files_and_folders(house: Path) -> None:
    grants = Grants(house / "flow", (house / "flow",))
    assert grants.read("photos/hill.png") == house / "flow/photos/hill.png"
    assert grants.read("photos") == house / "flow/photos"
    assert grants.read(str(house / "flow/photos/hill.png")).name == "hill.png"
    with grants.open("photos/hill.png") as file:
        assert file.read() == b"hill"


def test_nothing_is_granted_by_itself(house: Path) -> None:
    with pytest.raises(UserError, match="outside what this workflow may read"):
        Grants(house / "flow").read("photos/hill.png")


def test_a_single_file_can_be_granted(house: Path) -> None:
    grants = Grants(house / "flow", (house / "secret/key.png",))
    assert grants.read("../secret/key.png").read_bytes() == b"key"
    with pytest.raises(UserError, match="outside"):
        grants.read("photos/hill.png")


def test_a_folder_with_a_longer_name_is_another_folder(house: Path) -> None:
    (house / "flow-private").mkdir()
    (house / "flow-private/x.png").write_bytes(b"")
    with pytest.raises(UserError, match="outside"):
        Grants(house / "flow", (house / "flow",)).read("../flow-private/x.png")


@pytest.mark.parametrize("path", ["../secret/key.png", "photos/../../secret/key.png", "/etc/fstab"])
def test_climbing_out_is_refused(house: Path, path: str) -> None:
    with pytest.raises(UserError, match="outside"):
        Grants(house / "flow", (house / "flow",)).read(path)


def test_the_sentence_is_the_same_whether_a_file_outside_exists(house: Path) -> None:
    grants = Grants(house / "flow", (house / "flow",))
    sentences = []
    for name in ("key.png", "nil.png"):
        with pytest.raises(UserError) as caught:
            grants.read(f"../secret/{name}")
        sentences.append(str(caught.value).replace(name, "NAME"))
    assert sentences[0] == sentences[1]


def test_links_are_followed_before_the_test(house: Path) -> None:
    flow = house / "flow"
    (flow / "out.png").symlink_to(house / "secret/key.png")
    (flow / "outside").symlink_to(house / "secret")
    (flow / "in.png").symlink_to(flow / "photos/hill.png")
    grants = Grants(flow, (flow,))
    assert grants.read("in.png") == flow / "photos/hill.png"
    for path in ("out.png", "outside/key.png"):
        with pytest.raises(UserError, match="outside"):
            grants.read(path)
        with pytest.raises(UserError, match="outside"):
            grants.open(path)


def test_a_root_that_is_a_link_grants_what_it_leads_to(house: Path) -> None:
    (house / "alias").symlink_to(house / "flow")
    assert Grants(house / "alias", (house / "alias",)).read("photos/hill.png").exists()


def test_a_link_that_is_swapped_after_the_test_gives_nothing(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = house / "flow"
    grants = Grants(flow, (flow,))
    monkeypatch.setattr(Grants, "_locate", lambda self, path: house / "secret/key.png")
    with pytest.raises(UserError, match="outside"):
        grants.open("photos/hill.png")


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("", "No file"),
        ("a\0b.png", "NUL"),
        ("//server/share/a.png", "network"),
        ("\\\\server\\share\\a.png", "network"),
        ("\\\\?\\C:\\a.png", "network"),
        ("~/a.png", "home folder"),
        ("~root/a.png", "home folder"),
        ("C:a.png", "drive letter"),
        ("con", "device"),
        ("photos/NUL.png", "device"),
        ("photos/Com1", "device"),
    ],
)
def test_forms_that_are_no_path_of_a_workflow(house: Path, path: str, word: str) -> None:
    with pytest.raises(UserError, match=word):
        Grants(house, (house, Path("/"))).read(path)


@pytest.mark.skipif(os.name == "nt", reason="a drive letter is a proper path there")
def test_a_windows_path_is_named_as_such(house: Path) -> None:
    with pytest.raises(UserError, match="drive letter"):
        Grants(house, (house,)).read("C:\\pictures\\a.png")


def test_missing_files_and_loops_of_links(house: Path) -> None:
    flow = house / "flow"
    (flow / "round.png").symlink_to(flow / "round.png")
    grants = Grants(flow, (flow,))
    with pytest.raises(UserError, match=r"'nil\.png' does not exist"):
        grants.read("nil.png")
    with pytest.raises(UserError, match=r"round\.png"):
        grants.read("round.png")
    with pytest.raises(UserError, match="cannot be read"):
        grants.read("x" * 5000)


def test_devices_and_pipes_are_no_files(house: Path) -> None:
    flow = house / "flow"
    os.mkfifo(flow / "pipe.png")
    grants = Grants(flow, (flow, Path("/dev")))
    for path in ("pipe.png", "/dev/zero"):
        with pytest.raises(UserError, match="device or a pipe"):
            grants.read(path)
        with pytest.raises(UserError, match="device or a pipe"):
            grants.open(path)


def test_a_folder_cannot_be_opened_as_a_file(house: Path) -> None:
    with pytest.raises(UserError, match="is a folder"):
        Grants(house, (house,)).open("flow")


def test_provenance_names_no_folder_outside_the_workflow(house: Path) -> None:
    grants = Grants(house / "flow", ())
    assert grants.portable("photos/hill.png") == "photos/hill.png"
    assert grants.portable(str(house / "flow/photos/hill.png")) == "photos/hill.png"
    assert grants.portable(str(house / "secret/key.png")) == "key.png"
    assert grants.portable("../secret/key.png") == "key.png"
    assert grants.portable("C:\\Users\\me\\key.png") == "key.png"
