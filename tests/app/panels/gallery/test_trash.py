"""What is deleted can be put back, with what belongs to it."""

import pytest

from app.panels.gallery import trash
from app.panels.gallery.trash import OWN, put_away, put_back


@pytest.fixture
def no_trash(monkeypatch):
    """A file system without a trash."""
    monkeypatch.setattr(trash, "to_system_trash", lambda path: None)


@pytest.fixture
def output(tmp_path):
    path = tmp_path / "sub" / "a.png"
    path.parent.mkdir()
    path.write_bytes(b"picture")
    (tmp_path / "sub" / "a.png.weft.json").write_bytes(b"told")
    return path


def test_a_file_goes_with_its_sidecar_and_comes_back(tmp_path, output):
    gone = put_away(output, tmp_path)
    assert not list(output.parent.iterdir())
    put_back(gone)
    assert output.read_bytes() == b"picture"
    assert (output.parent / "a.png.weft.json").read_bytes() == b"told"


def test_without_a_trash_it_lies_in_a_folder_of_its_own(no_trash, tmp_path, output):
    gone = put_away(output, tmp_path)
    assert gone.is_own
    assert gone.lies.parent == tmp_path / OWN
    output.parent.rmdir()
    put_back(gone)
    assert output.read_bytes() == b"picture"


def test_two_of_one_name_do_not_replace_each_other(no_trash, tmp_path, output):
    first = put_away(output, tmp_path)
    output.write_bytes(b"other")
    second = put_away(output, tmp_path)
    put_back(second)
    assert output.read_bytes() == b"other"
    with pytest.raises(FileExistsError):
        put_back(first)
    assert output.read_bytes() == b"other"


def test_what_is_not_there_cannot_be_put_away(tmp_path):
    with pytest.raises(FileNotFoundError):
        put_away(tmp_path / "none.png", tmp_path)
