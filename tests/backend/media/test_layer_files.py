"""Layer files: there and back, files of other programs, and hostile ones."""

import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow
from psd_tools import PSDImage
from psd_tools.constants import BlendMode, Tag

from backend.media.layer_files import probe_layers, write_layers
from backend.media.metadata import read_provenance
from backend.media.pixels.flatten import flatten
from backend.sdk import UserError
from backend.values import Layer, Layers, digest
from tests.backend.media.layer_bench import (
    codes,
    image_xml,
    ora,
    png,
    psd_head,
    read,
    stack,
    stack_of,
    written,
)

FORMS = ["psd", "ora"]


@pytest.mark.parametrize("depth", ["8", "16"])
@pytest.mark.parametrize("form", FORMS)
def test_layers_come_back_as_they_went(tmp_path, form, depth):
    given = stack(int(depth))
    back, notes = read(written(tmp_path / f"a.{form}", given, form, depth))
    assert not notes
    assert (back.width, back.height, back.names) == (given.width, given.height, given.names)
    for old, new in zip(given.layers, back.layers, strict=True):
        assert (new.mode, new.x, new.y, new.visible) == (old.mode, old.x, old.y, old.visible)
        assert new.opacity == pytest.approx(old.opacity, abs=1e-6)
        assert np.abs(new.pixels - old.pixels).max() < 0.01 / 65535
    assert flatten(back).pixels == pytest.approx(flatten(given).pixels, abs=2e-4)


@pytest.mark.parametrize("form", FORMS)
def test_a_file_says_its_size_before_it_is_read(tmp_path, form):
    facts = probe_layers(written(tmp_path / f"a.{form}", stack(), form))
    assert (facts.width, facts.height) == (32, 24)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_layers_give_the_same_bytes(tmp_path, form):
    first, second = (written(tmp_path / f"{n}.{form}", stack(), form) for n in "ab")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("form", FORMS)
def test_a_file_carries_its_provenance(tmp_path, form):
    path = tmp_path / f"a.{form}"
    write_layers(path, stack(), form, provenance={"weft": 1, "workflow": {"nodes": []}})
    assert read_provenance(path) == {"weft": 1, "workflow": {"nodes": []}}


def test_an_openraster_is_as_its_specification_says(tmp_path):
    path = written(tmp_path / "a.ora", stack(), "ora")
    with zipfile.ZipFile(path) as archive:
        first, *others = archive.infolist()
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        assert path.read_bytes()[38:54] == b"image/openraster"
        names = {entry.filename for entry in others}
        assert {"stack.xml", "mergedimage.png", "Thumbnails/thumbnail.png"} <= names
        merged = np.asarray(Pillow.open(archive.open("mergedimage.png")).convert("RGBA"))
        assert max(Pillow.open(archive.open("Thumbnails/thumbnail.png")).size) <= 256
    assert np.abs(merged / 255 - flatten(stack()).pixels[0]).max() <= 0.51 / 255
    rows = list(stack_of(path).iter("layer"))
    assert rows[-1].get("name") == "Background"  # the topmost comes first
    assert rows[-2].get("composite-op") == "svg:src-over"


def test_a_psd_opens_without_layers_too(tmp_path):
    path = written(tmp_path / "a.psd", stack(), "psd")
    flat = np.asarray(PSDImage.open(path).topil().convert("RGB"), np.float32)
    pixels = flatten(stack()).pixels[0]
    wanted = pixels[..., :3] * pixels[..., 3:] + 1 - pixels[..., 3:]
    assert np.abs(flat / 255 - wanted).max() <= 0.51 / 255


def test_a_psd_looks_as_psd_tools_draws_it(tmp_path):
    from psd_tools.composite import composite

    ground = Layer(np.dstack([codes((24, 32), 0)[..., :3], np.ones((24, 32), np.float32)]), "g")
    for number, each in enumerate(stack().layers[1:-1]):
        shown = each.but(visible=True, opacity=0.8)
        path = written(tmp_path / f"{number}.psd", Layers(32, 24, (ground, shown)), "psd")
        color, _, alpha = composite(PSDImage.open(path), force=True)
        pixels = flatten(read(path)[0]).pixels[0]
        assert np.abs(color - pixels[..., :3]).max() < 1e-3, each.mode
        assert np.abs(alpha - 1).max() < 1e-3


def test_a_long_or_odd_name_does_not_spoil_a_file(tmp_path):
    told: list[str] = []
    odd = Layers(
        4, 3, (Layer(codes((3, 4), 1), "a\x00<&>\ud800\x07"), Layer(codes((3, 4), 1), "n" * 900))
    )
    for form in FORMS:
        write_layers(tmp_path / f"a.{form}", odd, form, note=told.append)
        assert read(tmp_path / f"a.{form}")[0].count == 2
    assert "255" in told[0]


def test_a_psd_has_a_largest_side(tmp_path):
    wide = Layers(30_001, 1, (Layer(codes((1, 2), 1)),))
    with pytest.raises(UserError, match="30000"):
        write_layers(tmp_path / "a.psd", wide, "psd")
    assert not (tmp_path / "a.psd").exists()
    assert read(written(tmp_path / "a.ora", wide, "ora"))[0].width == 30_001


def psd(path, *, depth=8, mode="RGB", size=(8, 6), change=lambda document: None):
    document = PSDImage.new(mode, size, depth=depth)
    for number, name in enumerate(("low", "high")):
        document.create_pixel_layer_from_array(codes((4, 5), number), name=name, left=number)
    change(document)
    document.save(path)
    return path


def test_masks_of_layers_are_applied(tmp_path):
    def mask(document):
        half = Pillow.fromarray(np.full((2, 3), 51, np.uint8))
        document[1].create_mask(half, top=1, left=2)

    (_, high), notes = (lambda found: (found[0].layers, found[1]))(
        read(psd(tmp_path / "a.psd", change=mask))
    )
    wanted = np.zeros((4, 5), np.float32)
    wanted[1:3, 1:4] = codes((4, 5), 1)[1:3, 1:4, 3] * 0.2
    assert high.pixels[..., 3] == pytest.approx(wanted, abs=1e-5)
    assert not notes


def test_a_disabled_mask_hides_nothing(tmp_path):
    def mask(document):
        document[1].create_mask(Pillow.new("L", (2, 2), 0)).disabled = True

    found = read(psd(tmp_path / "a.psd", change=mask))[0]
    assert np.array_equal(found.layers[1].pixels, codes((4, 5), 1))


def test_groups_of_a_psd_are_opened_or_merged(tmp_path):
    def group(document):
        made = document.create_group(name="plain")
        made.append(document[0])
        half = document.create_group(name="half")
        half.append(document[0])
        half.opacity = 128

    found, notes = read(psd(tmp_path / "a.psd", change=group))
    assert found.names == ("plain/low", "half")
    assert found.layers[1].opacity == pytest.approx(128 / 255)
    assert len(notes) == 1
    assert "half" in notes[0]


def test_clipped_layers_are_one_with_what_they_clip_to(tmp_path):
    def clip(document):
        document[1].clipping = True
        document[0].opacity = 128

    found, notes = read(psd(tmp_path / "a.psd", change=clip))
    assert found.names == ("low",)
    (one,) = found.layers
    assert one.pixels[..., 3] == pytest.approx(codes((4, 5), 0)[..., 3], abs=1e-6)
    below, above = codes((4, 5), 0)[:, 1:, :3], codes((4, 5), 1)[:, :-1]
    mixed = above[..., :3] * above[..., 3:] + below * (1 - above[..., 3:])
    assert one.pixels[:, 1:, :3] == pytest.approx(mixed, abs=1e-5)
    assert "clipped" in notes[0]


def test_a_blend_mode_that_weft_lacks_is_refused_by_name_or_told(tmp_path):
    def mode(document):
        document[1].blend_mode = BlendMode.VIVID_LIGHT

    path = psd(tmp_path / "a.psd", change=mode)
    with pytest.raises(UserError, match=r"'high'.*'vLit'.*unknown modes"):
        read(path)
    found, notes = read(path, unknown_modes="normal")
    assert found.layers[1].mode == "normal"
    assert "vLit" in notes[0]
    other = ora(
        tmp_path / "a.ora",
        image_xml('<layer name="glow" src="data/a.png" composite-op="krita:magic"/>'),
    )
    with pytest.raises(UserError, match=r"'glow'.*'krita:magic'"):
        read(other)
    assert read(other, unknown_modes="normal")[0].layers[0].mode == "normal"


def test_text_is_a_picture_and_that_is_told(tmp_path, monkeypatch):
    from psd_tools.api.layers import PixelLayer

    monkeypatch.setattr(PixelLayer, "kind", property(lambda self: "type"))
    found, notes = read(psd(tmp_path / "a.psd"))
    assert found.count == 2
    assert "'low' is text" in notes[0]


def test_adjustments_are_left_out_and_told(tmp_path):
    def adjust(document):
        document[1].tagged_blocks.set_data(Tag.INVERT)

    found, notes = read(psd(tmp_path / "a.psd", change=adjust))
    assert found.names == ("low",)
    assert "'high'" in notes[0]
    assert "adjustment" in notes[0]


def test_the_end_of_text_that_krita_writes_is_no_part_of_a_name(tmp_path):
    def name(document):
        document[0].name = "low 層\0"

    assert read(psd(tmp_path / "a.psd", change=name))[0].names == ("low 層", "high")


def test_a_psd_without_layers_is_one_layer(tmp_path):
    picture = Pillow.fromarray(np.arange(60, dtype=np.uint8).reshape(4, 5, 3))
    PSDImage.frompil(picture).save(tmp_path / "flat.psd")
    found = read(tmp_path / "flat.psd")[0]
    assert found.names == ("Background",)
    assert np.array_equal(np.rint(found.layers[0].pixels[..., :3] * 255), np.asarray(picture))


def test_grey_documents_become_rgb(tmp_path):
    document = PSDImage.new("L", (4, 3))
    document.create_pixel_layer_from_array(codes((3, 4), 1)[..., ::3], name="grey")
    document.save(tmp_path / "a.psd")
    (one,) = read(tmp_path / "a.psd")[0].layers
    assert one.pixels[..., 2] == pytest.approx(codes((3, 4), 1)[..., 0])
    assert one.pixels[..., 3] == pytest.approx(codes((3, 4), 1)[..., 3])


def test_groups_of_an_openraster_keep_what_is_visible(tmp_path):
    inside = (
        '<stack name="top" opacity="0.5"><layer name="a" src="data/a.png" x="2"/></stack>'
        '<stack name="low" visibility="hidden"><layer src="data/a.png" opacity="0.25"/></stack>'
    )
    found, notes = read(ora(tmp_path / "a.ora", image_xml(inside)))
    assert found.names == ("low/", "top")
    assert [each.visible for each in found.layers] == [False, True]
    assert [each.opacity for each in found.layers] == [0.25, 0.5]
    assert len(notes) == 1


LAYER = '<layer name="a" src="data/a.png"/>'


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"stack_xml": image_xml(LAYER), "mimetype": b"application/x-krita"}, "x-krita"),
        ({"stack_xml": image_xml(LAYER), "mimetype": None}, "no type"),
        ({"stack_xml": None}, "stack.xml.*missing"),
        ({"stack_xml": "<image"}, "no XML"),
        ({"stack_xml": "<html/>"}, "no image"),
        ({"stack_xml": image_xml("")}, "without a layer"),
        ({"stack_xml": image_xml(LAYER, w="x")}, "'w'.*no number"),
        ({"stack_xml": image_xml(LAYER, w="-4")}, "canvas"),
        ({"stack_xml": image_xml(LAYER, w="200000", h="200000")}, "pixels, above"),
        ({"stack_xml": image_xml('<layer name="a"/>')}, "names no picture"),
        ({"stack_xml": image_xml('<layer src="../../etc/passwd"/>')}, "missing"),
        ({"stack_xml": image_xml(LAYER), "parts": {"data/a.png": b"text"}}, "a.png"),
        ({"stack_xml": image_xml(LAYER), "parts": {"data/a.png": png()[:60]}}, "damaged"),
        ({"stack_xml": image_xml('<layer src="data/a.png" opacity="7"/>')}, "opacity"),
        ({"stack_xml": image_xml('<layer src="data/a.png" x="nan"/>')}, "'x'"),
        ({"stack_xml": image_xml('<layer src="data/a.png" x="99999999"/>')}, "lies at"),
        ({"stack_xml": image_xml(LAYER * 1001)}, "1000 layers"),
        ({"stack_xml": image_xml("<stack>" * 70 + LAYER + "</stack>" * 70)}, "deeper"),
        ({"stack_xml": '<!DOCTYPE a [<!ENTITY b "c">]>' + image_xml(LAYER)[21:]}, "entities"),
        ({"stack_xml": image_xml(LAYER) + " " * (5 << 20)}, "too large"),
    ],
)
def test_a_bad_openraster_gets_a_sentence(tmp_path, told, words):
    path = ora(tmp_path / "bad.ora", **told)
    with pytest.raises(UserError, match=words) as caught:
        read(path)
    assert "bad.ora" in str(caught.value)


def test_a_zip_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("backend.media.ora.LARGEST_PART", 1 << 20)
    path = ora(tmp_path / "bomb.ora", image_xml(LAYER), {"data/a.png": b"\0" * (2 << 20)})
    with pytest.raises(UserError, match="too large"):
        read(path)


def test_a_wide_picture_in_a_small_file_is_refused(tmp_path):
    wide = bytearray(png())
    wide[16:24] = struct.pack(">II", 20_000, 20_000)
    wide[29:33] = struct.pack(">I", zlib.crc32(wide[12:29]))
    path = ora(tmp_path / "wide.ora", image_xml(LAYER), {"data/a.png": bytes(wide)})
    with pytest.raises(UserError, match=r"wide\.ora.*(20000|pixels)"):
        read(path)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"colours": 4, "channels": 4}, "CMYK"),
        ({"colours": 9}, "Lab"),
        ({"depth": 32}, "32 bits"),
        ({"depth": 1, "colours": 0}, "bitmap"),
        ({"width": 0}, "0x6"),
        ({"width": 200_000, "height": 200_000}, "above"),
        ({"version": 9}, "version 9"),
    ],
)
def test_other_kinds_of_psd_get_a_sentence(tmp_path, told, words):
    path = tmp_path / "bad.psd"
    path.write_bytes(psd_head(**told) + bytes(40))
    for look in (read, probe_layers):
        with pytest.raises(UserError, match=words) as caught:
            look(path)
        assert "bad.psd" in str(caught.value)


def read_or_sentence(path):
    """The layers of a file, or the sentence with which it is refused, which names the file."""
    try:
        return read(path, unknown_modes="normal")[0]
    except UserError as error:
        said = str(error)
    assert path.name in said
    return said


@pytest.mark.parametrize("form", FORMS)
def test_a_cut_file_gets_a_sentence_wherever_it_was_cut(tmp_path, form):
    whole = written(tmp_path / f"a.{form}", stack(), form).read_bytes()
    path = tmp_path / f"cut.{form}"
    ends = [0, 3, 4, 20, 26, 40, 200, *range(500, len(whole) - 1, len(whole) // 23)]
    there = read(tmp_path / f"a.{form}")[0]
    refused = 0
    for end in ends:
        path.write_bytes(whole[:end])
        found = read_or_sentence(path)
        refused += isinstance(found, str)
        if isinstance(found, Layers):  # only the flat picture, which comes last, was cut
            assert form == "psd"
            assert digest(found) == digest(there)
    assert refused > len(ends) // 2


@pytest.mark.parametrize("form", FORMS)
def test_bytes_gone_wrong_give_layers_or_a_sentence(tmp_path, form):
    whole = bytearray(written(tmp_path / f"a.{form}", stack(), form).read_bytes())
    path, rng = tmp_path / f"odd.{form}", np.random.default_rng(1)
    for _ in range(60):
        broken = bytearray(whole)
        for place in rng.integers(0, len(whole), 8):
            broken[place] = rng.integers(0, 256)
        path.write_bytes(broken)
        assert read_or_sentence(path)


def test_what_is_no_layer_file_gets_a_sentence(tmp_path):
    for name, data in {"a.png": png(), "a.psd": b"hello", "empty.ora": b""}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError, match=f"{name}.*no file of layers"):
            read(tmp_path / name)
