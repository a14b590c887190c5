"""Layer files read in a process of their own."""

import pytest

from backend.media.apart import Decoder
from backend.sdk import UserError
from backend.values import digest
from tests.backend.media.layer_bench import image_xml, ora, read, stack, written


@pytest.fixture(scope="module")
def decoder():
    made = Decoder()
    yield made
    made.close()


@pytest.mark.parametrize("form", ["psd", "ora"])
def test_layers_come_as_they_do_in_this_process(decoder, tmp_path, form):
    path = written(tmp_path / f"a.{form}", stack(), form)
    apart, notes = decoder.layers(path)
    assert digest(apart) == digest(read(path)[0])
    assert notes == []
    assert not apart.layers[0].pixels.flags.writeable


def test_what_is_refused_and_what_is_told_comes_through(decoder, tmp_path):
    path = ora(
        tmp_path / "a.ora",
        image_xml('<layer name="glow" src="data/a.png" composite-op="svg:magic"/>'),
    )
    with pytest.raises(UserError, match="svg:magic"):
        decoder.layers(path)
    found, notes = decoder.layers(path, "normal")
    assert found.names == ("glow",)
    assert "svg:magic" in notes[0]


def test_a_broken_file_is_a_sentence_and_the_worker_goes_on(decoder, tmp_path):
    whole = written(tmp_path / "a.psd", stack(), "psd")
    (tmp_path / "cut.psd").write_bytes(whole.read_bytes()[:900])
    with pytest.raises(UserError, match=r"cut\.psd"):
        decoder.layers(tmp_path / "cut.psd")
    assert decoder.layers(whole)[0].count == stack().count
