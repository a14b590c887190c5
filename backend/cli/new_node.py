"""``weft new node NAME``: a node and its test to start from, both valid as they are written."""

from __future__ import annotations

import contextlib
import keyword
import os
import re
from pathlib import Path

from backend.cli.errors import FAILED, Stop, wrong_usage
from backend.cli.flow import node_types
from backend.cli.places import is_checkout, root
from backend.cli.streams import put

NODE = '''\
"""The node {name}: say here what belongs in this file."""

from __future__ import annotations

from typing import Annotated

from backend.sdk import Context, Facts, Image, Range, node


@node(category="Image")
def {name}(
    ctx: Context,
    image: Image,
    strength: Annotated[float, Range(0, 1, 0.01)] = 0.5,
) -> Image:
    """Darken an image.

    Every colour channel is multiplied by 1 - ``strength``; alpha stays as it is.

    Args:
        image: Any image or batch of images.
        strength: 0 leaves the image alone, 1 makes it black.

    Example:
        A ``strength`` of 0.2 gives a slightly darker picture.
    """
    ctx.check()
    pixels = image.pixels.copy()
    colors = slice(0, 3 if image.has_alpha else image.channels)
    pixels[..., colors] *= 1 - strength
    return image.but(pixels)


@{name}.facts
def _(p: object, image: Facts | None) -> Facts:
    """The result has the size, the channels and the count of the input."""
    return image or Facts("Image")
'''

TEST = '''\
"""{name}: darkens colours and leaves alpha alone."""

from __future__ import annotations

{imports}


def context():
    """As much of a Context as this node asks for."""
    return SimpleNamespace(check=lambda: None)


def test_{name}_scales_the_colours_and_keeps_alpha():
    image = Image(np.full((1, 2, 3, 4), 0.8, np.float32))

    result = {name}(context(), image, strength=0.25)

    np.testing.assert_allclose(result.pixels[..., :3], 0.6, rtol=1e-6)
    np.testing.assert_array_equal(result.pixels[..., 3], image.pixels[..., 3])


def test_{name}_with_strength_0_changes_nothing():
    image = Image(np.linspace(0, 1, 12, dtype=np.float32).reshape(1, 2, 2, 3))

    result = {name}(context(), image, strength=0.0)

    np.testing.assert_array_equal(result.pixels, image.pixels)
'''

IN_WEFT = """\
from types import SimpleNamespace

import numpy as np

from backend.sdk import Image
from nodes.{name} import {name}
"""

ELSEWHERE = """\
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from backend.engine.registry import scan_nodes
from backend.sdk import Image

NODES = scan_nodes(Path(__file__).parents[2] / "nodes")
{name} = NODES.type("{name}")
"""


def write_node(name: str, into: Path | None) -> None:
    """Write the two files, or neither.

    Raises:
        Stop: the name cannot be one, one of the files is there already, or cannot be written.
    """
    check_name(name)
    base = into if into is not None else (root() if is_checkout() else Path.cwd())
    # Elsewhere the name `nodes` means those of Weft, so the test goes by the folder.
    imports = (IN_WEFT if base.resolve() == root() else ELSEWHERE).format(name=name).rstrip()
    files = {
        base / "nodes" / f"{name}.py": NODE.format(name=name),
        base / "tests" / "nodes" / f"test_{name}.py": TEST.format(name=name, imports=imports),
    }
    for path in files:
        if path.exists():
            raise wrong_usage(f"{path} is there already; choose another name or remove it first.")
    written: list[Path] = []
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, text)
            written.append(path)
    except OSError as error:
        for path in written:
            with contextlib.suppress(OSError):
                path.unlink()
        where = error.filename or base
        raise Stop(f"{where} cannot be written: {error.strerror}.", FAILED) from None
    for path in files:
        put(str(path))
    if base.resolve() != root():
        put(f"Weft finds nodes in {root() / 'nodes'}; put the node there to use it.")


def _write(path: Path, text: str) -> None:
    """Create a file; never over another one, even if that has just appeared."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)


def check_name(name: str) -> None:
    """Refuse what cannot be a node's id and a Python name at once.

    Raises:
        Stop: with what to write instead.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name) or keyword.iskeyword(name):
        raise wrong_usage(
            f"{name!r} cannot be a node's name: write lower-case letters, digits and _, "
            "beginning with a letter, like soft_glow."
        )
    if name in node_types().specs:
        raise wrong_usage(f"There is a node type {name} already; `weft nodes {name}` shows it.")
