"""What is fuzzed: each target makes an input from a seed and tries it, as the product would."""

from __future__ import annotations

import io
import json
import random
import struct
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.stress.mutate import mutate_bytes, mutate_document

ROOT = Path(__file__).resolve().parents[2]


class Target:
    """One kind of input. What ``attempt`` raises is a fault; sentences are answers."""

    count = 0

    def __init__(self, folder: Path) -> None:
        """``folder`` is granted; ``secret.png`` beside it is not."""
        self.folder = folder

    @abstractmethod
    def make(self, random: random.Random) -> bytes:
        """An input."""

    @abstractmethod
    def attempt(self, data: bytes) -> str:
        """Try it; returns in a word what came of it."""

    def close(self) -> None:
        """Let go of what was held."""


class Workflows(Target):
    """Documents: opened, checked, planned, and run where no model is needed."""

    count = 20_000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        from backend.engine.engine import Engine
        from backend.engine.registry import scan_nodes
        from backend.media.grants import Grants
        from backend.media.outputs import OutputFolder

        self.registry = scan_nodes()
        self.types = sorted(self.registry.specs)
        self.engine = Engine(
            self.registry,
            grants=Grants(folder, (folder,)),
            output=OutputFolder(folder / "output"),
        )
        files = sorted((ROOT / "workflows").glob("*.weft.json"))
        self.seeds: list[dict[str, Any]] = [json.loads(path.read_text()) for path in files]
        self.seeds += [MATH, LISTS, PICTURES]
        _picture(folder / "photo.png")

    def make(self, random: random.Random) -> bytes:
        return mutate_document(random, random.choice(self.seeds), self.types)

    def attempt(self, data: bytes) -> str:
        from backend.cli.run import needs_device
        from backend.graph.format import FormatError, dump, load, parse

        path = self.folder / "flow.weft.json"
        path.write_bytes(data)
        try:
            workflow = load(path)
        except FormatError:
            return "refused"
        text = dump(workflow)
        if dump(parse(text, "again")) != text:
            raise AssertionError("a document is not written as it was read")
        if self.engine.check(workflow).flat is None:
            return "invalid"
        if needs_device(workflow, self.registry.specs) or _long(workflow):
            return "checked"
        return self.engine.run(workflow).status

    def close(self) -> None:
        self.engine.close()


class Images(Target):
    """Pictures, read as a node reads them: apart."""

    count = 5_000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        from backend.media.apart import Decoder

        self.decoder = Decoder(seconds=8)
        self.seeds = _pictures()

    def make(self, random: random.Random) -> bytes:
        return mutate_bytes(random, random.choice(self.seeds))

    def attempt(self, data: bytes) -> str:
        from backend.media.images import probe_image
        from backend.media.metadata import read_provenance
        from backend.sdk import UserError

        path = self.folder / "photo.png"
        path.write_bytes(data)
        read_provenance(path)
        for read in (probe_image, self.decoder.images):
            try:
                read(path)
            except UserError as error:
                if "status -" in str(error):
                    return "worker died"
                return "refused"
        return "read"

    def close(self) -> None:
        self.decoder.close()


class Headers(Target):
    """Headers of safetensors and GGUF files: read, identified, opened as a model."""

    count = 5_000

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        from backend.catalog.identify import shipped_knowledge

        self.knowledge = shipped_knowledge()
        self.seeds = _weights(folder)

    def make(self, random: random.Random) -> bytes:
        kind, data, size = random.choice(self.seeds)
        return kind + struct.pack("<Q", size) + mutate_bytes(random, data)

    def attempt(self, data: bytes) -> str:
        from backend.catalog.errors import CatalogError
        from backend.catalog.identify import identify_file
        from backend.catalog.source import open_model

        kind, (size,), content = data[:1], struct.unpack("<Q", data[1:9]), data[9:]
        path = self.folder / ("m.safetensors" if kind == b"s" else "m.gguf")
        with path.open("wb") as file:
            file.write(content)
            file.truncate(max(size, len(content)))  # the weights: zeros that take no space
        said = "refused"
        for look in (lambda: open_model(path), lambda: identify_file(path, self.knowledge)):
            try:
                look()
                said = "told"
            except CatalogError:
                continue
        return said


TARGETS: Mapping[str, type[Target]] = {
    "workflows": Workflows, "images": Images, "headers": Headers,
}  # fmt: skip

MATH = {
    "weft": 1,
    "nodes": {
        "a": {"type": "number", "params": {"value": 3}},
        "e": {
            "type": "expression",
            "params": {"expression": "x * 2 + 1"},
            "inputs": {"values": {"x": "a.number"}},
        },
        "t": {"type": "text", "params": {"value": "a red circle"}},
        "m": {
            "type": "regex_match",
            "params": {"pattern": "r(e)d"},
            "inputs": {"text": "t.text"},
        },
        "s": {"type": "show", "inputs": {"value": "e.number"}},
        "s2": {"type": "show", "inputs": {"value": "m.matched"}},
    },
}
LISTS = {
    "weft": 1,
    "nodes": {
        "r": {"type": "range", "params": {"count": 5}},
        "p": {"type": "product", "inputs": {"a": "r.integers", "b": "r.numbers"}},
        "s": {"type": "show", "inputs": {"value": "p.a"}},
    },
}
PICTURES = {
    "weft": 1,
    "nodes": {
        "l": {"type": "load_image", "params": {"file": "photo.png"}},
        "b": {"type": "blur", "params": {"radius": 2}, "inputs": {"image": "l.image"}},
        "r": {"type": "resize", "params": {"width": 9}, "inputs": {"image": "b.image"}},
        "c": {"type": "crop", "params": {"width": 8, "height": 8}, "inputs": {"image": "r.image"}},
        "k": {"type": "save_image", "params": {"name": "x", "overwrite": "replace"},
              "inputs": {"image": "c.image"}},
    },
}  # fmt: skip


def _long(workflow: Any) -> bool:
    """Whether a sound document asks for much work: large pictures or many turns are no fault."""
    from backend.cli.params import inner_graphs

    graphs = [workflow.graph, *(one.graph for one in workflow.subgraphs.values())]
    numbers = (
        value
        for graph in graphs
        for inner in inner_graphs(graph)
        for node in inner.nodes.values()
        for value in node.params.values()
    )
    return any(isinstance(v, int | float) and abs(v) > 2000 for v in numbers)


def _picture(path: Path) -> None:
    from PIL import Image

    codes = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    Image.fromarray(codes).save(path, "PNG")


def _pictures() -> list[bytes]:
    """Small pictures of every format, depth and compression that is read."""
    from PIL import Image

    found: list[bytes] = []
    rng = np.random.default_rng(1)
    for mode in ("L", "RGB", "RGBA", "P", "LA", "1", "I;16"):
        codes = rng.integers(0, 256, (17, 23, 4), np.uint8)
        base = Image.fromarray(codes)
        picture = base.convert("I").convert("I;16") if mode == "I;16" else base.convert(mode)
        for form, more in (
            ("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}),
            ("TIFF", {"compression": "tiff_adobe_deflate"}),
            ("JPEG", {}), ("JPEG", {"progressive": True}),
            ("WEBP", {}), ("WEBP", {"lossless": True}),
        ):  # fmt: skip
            held = io.BytesIO()
            try:
                picture.save(held, form, **more)
            except (OSError, KeyError, ValueError):
                continue  # the format has no such mode
            found.append(held.getvalue())
    return found


def _weights(folder: Path) -> list[tuple[bytes, bytes, int]]:
    """Headers of real forms, and small whole files."""
    from backend.catalog.identify import shipped_knowledge
    from tests.backend.catalog.headers import filled, gguf, safetensors

    found: list[tuple[bytes, bytes, int]] = []
    packs = shipped_knowledge().book.packs.values()
    forms = [part.forms[0] for pack in packs for part in pack.parts if part.forms]
    for index, form in enumerate(forms[:12]):
        path = safetensors(folder / f"{index}.safetensors", filled(form))
        found.append((b"s", *_head(path)))
        path = gguf(folder / f"{index}.gguf", filled(form), arch="flux")
        found.append((b"g", *_head(path)))
    header = json.dumps(
        {
            "w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
            "__metadata__": {"a": "b"},
        }
    ).encode()
    found.append((b"s", struct.pack("<Q", len(header)) + header, 16))
    return found


def _head(path: Path) -> tuple[bytes, int]:
    """What stands before the zeros of a sparse file, and its whole size; the file is removed."""
    with path.open("rb") as file:
        head = file.read(1 << 20).rstrip(b"\0")
    size = path.stat().st_size
    path.unlink()
    return head, size
