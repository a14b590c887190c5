"""What tests of layer files share: stacks, and files made by hand."""

import io
import struct
import zipfile
from xml.etree import ElementTree

import numpy as np
from PIL import Image as Pillow

from backend.media.layer_files import read_layers, write_layers
from backend.values import Layer, Layers
from backend.values.layers import MODES


def codes(shape, seed, depth=8):
    """Seeded pixels that a file of so many bits holds exactly."""
    most = 2**depth - 1
    drawn = np.random.default_rng(seed).integers(0, most + 1, (*shape, 4))
    return (drawn / np.float32(most)).astype(np.float32)


def stack(depth=8):
    """A stack with every mode, and layers that hang over every side or lie outside."""
    ground = codes((24, 32), 0, depth)
    ground[..., 3] = 1
    rows = [Layer(ground, "Background")]
    for i, mode in enumerate(MODES):
        name, place = f"Fläche {i} 層 🎨", (-6 + 2 * i, -5 + 2 * i)
        rows.append(
            Layer(codes((9 + i, 7 + i), i + 1, depth), name, mode, i / 51, *place, i % 4 != 3)
        )
    rows.append(Layer(codes((3, 3), 99, depth), "far off", x=-400, y=900))
    return Layers(32, 24, tuple(rows))


def written(path, layers, form, depth="8"):
    write_layers(path, layers, form, depth)
    return path


def read(path, **told):
    with path.open("rb") as file:
        return read_layers(file, path.name, **told)


def png(width=4, height=3, color=(200, 100, 50, 255)):
    file = io.BytesIO()
    Pillow.new("RGBA", (width, height), color).save(file, "PNG")
    return file.getvalue()


def ora(path, stack_xml, parts=None, mimetype=b"image/openraster"):
    """An OpenRaster made by hand."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        if mimetype is not None:
            archive.writestr("mimetype", mimetype, zipfile.ZIP_STORED)
        if stack_xml is not None:
            archive.writestr("stack.xml", stack_xml)
        for name, data in (parts or {"data/a.png": png()}).items():
            archive.writestr(name, data)
    return path


def image_xml(inside, w="8", h="6"):
    return f'<?xml version="1.0"?><image w="{w}" h="{h}"><stack>{inside}</stack></image>'


def stack_of(path):
    with zipfile.ZipFile(path) as archive:
        return ElementTree.fromstring(archive.read("stack.xml"))


def psd_head(width=8, height=6, channels=3, depth=8, colours=3, version=1):
    return struct.pack(">4sH6xHIIHH", b"8BPS", version, channels, height, width, depth, colours)
