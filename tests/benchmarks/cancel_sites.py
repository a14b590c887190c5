"""The sites of the cancel benchmark: workflows, and in each the step that is to be cancelled."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NODES = '''
import numpy as np

from backend.sdk import Context, FilePath, Image, node


@node(category="Benchmark")
def big_picture(ctx: Context, width: int = 64, height: int = 64, count: int = 1) -> Image:
    """Smooth colours with a little noise: neither quick nor slow to compress."""
    rng = np.random.default_rng(width)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    plane = (np.sin(rows / 97) + np.cos(columns / 61)) / 4 + 0.5
    grain = rng.random((height, width, 3), np.float32) * np.float32(0.02)
    return Image(np.broadcast_to(plane[None, ..., None] + grain, (count, height, width, 3)))


@node(category="Benchmark", lane="file")
def name_of(ctx: Context, file: FilePath = "") -> str:
    """A file by its name only; the engine reads all of it, to know whether it changed."""
    return file
'''
TRIES = 20
Tree = dict[str, Any]


@dataclass(frozen=True)
class Site:
    """A name, the nodes of a workflow by the number of the try, and the step that is cancelled.

    Where ``step`` is empty it is the run itself: the work is done before any step begins.
    """

    name: str
    nodes: Callable[[int], Tree]
    step: str
    tries: int = TRIES


def picture(width: int, height: int, count: int = 1) -> Tree:
    """The node of a picture."""
    return {"type": "big_picture", "params": {"width": width, "height": height, "count": count}}


def primer(side: int, **more: Tree) -> Tree:
    """Primer with a text and an empty latent."""
    return {
        "model": {"type": "load_model", "params": {"model": "primer"}},
        "text": {
            "type": "encode_text",
            "version": 2,
            "params": {"text": "a red circle"},
            "inputs": {"text_encoder": "model.text_encoder"},
        },
        "empty": {
            "type": "empty_latent",
            "params": {"width": side, "height": side},
            "inputs": {"model": "model.model"},
        },
        **more,
    }


def sample(steps: int, seed: int) -> Tree:
    """The node that samples from what ``primer`` gives."""
    return {
        "type": "sample",
        "params": {"steps": steps, "cfg": 1.0, "seed": seed},
        "inputs": {
            "model": "model.model",
            "positive": "text.conditioning",
            "latent": "empty.latent",
        },
    }


def sampling(side: int, steps: int) -> Callable[[int], Tree]:
    """Primer samples; each try has a seed of its own, so that nothing is remembered."""
    return lambda i: primer(side, x=sample(steps, i))


def long_text(i: int) -> Tree:
    """A prompt of many chunks."""
    part = "circle left of a blue square"
    text = f"{i} " + " BREAK ".join(f"a (red:1.{k:02}) {part}" for k in range(30))
    nodes = primer(64)
    nodes["x"] = {**nodes.pop("text"), "params": {"text": text}}
    del nodes["empty"]
    return nodes


def decoding(side: int, tile: int) -> Callable[[int], Tree]:
    """Primer's VAE decodes a latent of one step, another at each try."""

    def nodes(i: int) -> Tree:
        made = primer(
            side,
            x={
                "type": "vae_decode",
                "version": 2,
                "params": {"tile": tile, "overlap": 0},
                "inputs": {"vae": "model.vae", "latent": "grow.latent"},
            },
            grow=sample(1, i),
        )
        return made

    return nodes


def encoding(side: int, tile: int) -> Callable[[int], Tree]:
    """Primer's VAE encodes a picture."""
    return lambda i: {
        "model": {"type": "load_model", "params": {"model": "primer"}},
        "picture": picture(side, side),
        "x": {
            "type": "vae_encode",
            "version": 2,
            "params": {"tile": tile, "overlap": 0, "posterior": "sample", "seed": i},
            "inputs": {"vae": "model.vae", "image": "picture.image"},
        },
    }


def on_picture(kind: str, side: int, **params: Any) -> Callable[[int], Tree]:
    """A node on a large picture; the side grows by the try, so that nothing is remembered."""
    key = next((name for name, value in params.items() if callable(value)), "")

    def nodes(i: int) -> Tree:
        given = {**params, key: params[key](i)} if key else params
        return {
            "picture": picture(side, side),
            "x": {"type": kind, "params": given, "inputs": {"image": "picture.image"}},
        }

    return nodes


def loading(name: str, source: Path) -> Callable[[int], Tree]:
    """A picture file is read, under another name at each try."""
    return named("load_image", name, source)


def named(kind: str, name: str, source: Path) -> Callable[[int], Tree]:
    """A node gets a file, under another name at each try."""

    def nodes(i: int) -> Tree:
        link = source.with_name(f"{i}-{name}")
        if not link.exists():
            os.link(source, link)
        return {"x": {"type": kind, "params": {"file": link.name}}}

    return nodes


def spooling(i: int) -> Tree:
    """Frames go to the spool."""
    return {
        "picture": picture(512, 512, 60),
        "x": {
            "type": "images_to_video",
            "params": {"rate": 10 + i},
            "inputs": {"images": ["picture.image"]},
        },
    }


def looping(i: int) -> Tree:
    """A zone of many cheap steps."""
    return {
        "start": {"type": "number", "params": {"value": i}},
        "x": {
            "type": "repeat",
            "params": {"times": 4000},
            "inputs": {"carry": {"x": "start.number"}},
            "body": {
                "nodes": {
                    "r": {
                        "type": "round_number",
                        "params": {"digits": 3},
                        "inputs": {"number": "$.x"},
                    },
                },
                "outputs": {"x": "r.number"},
            },
        },
    }


def mapping(i: int) -> Tree:
    """A node on each item of a long list."""
    return {
        "row": {"type": "range", "params": {"count": 20_000, "start": i}},
        "x": {"type": "round_number", "inputs": {"number": "row.numbers"}},
    }


def models(folder: Path) -> list[Site]:
    """Sites of tiny models of other kinds, which are written first."""
    from tests.backend.models.language import tiny_language
    from tests.backend.models.pipelines.zoo import ZOO

    ZOO["StableDiffusionXLPipeline"].write(folder / "whole")
    (folder / "language").mkdir()
    written = tiny_language.write(folder / "language", "llama")

    def whole(i: int) -> Tree:
        return {
            "m": {"type": "load_pipeline", "params": {"model": "whole"}},
            "x": {
                "type": "pipeline_image",
                "params": {
                    "prompt": "a",
                    "steps": 20,
                    "width": 64,
                    "height": 64,
                    "seed": i,
                },
                "inputs": {"model": "m.model"},
            },
        }

    def writing(i: int) -> Tree:
        return {
            "m": {
                "type": "load_language_model",
                "params": {"model": str(written.relative_to(folder))},
            },
            "x": {
                "type": "generate_text",
                "params": {"prompt": "a", "max_tokens": 400, "seed": i},
                "inputs": {"model": "m.language_model"},
            },
        }

    return [
        Site("pipeline-backed, tiny SDXL 64 x 64", whole, "x"),
        Site("language model, tiny, 400 tokens", writing, "x"),
    ]


def picture_files(folder: Path) -> Mapping[str, Path]:
    """Large picture files of each kind."""
    import numpy as np

    from backend.media.images import ImageOptions, write_image
    from backend.values import Image

    rows, columns = np.mgrid[0:4000, 0:4000].astype(np.float32)
    plane = (np.sin(rows / 97) + np.cos(columns / 61)) / 4 + 0.5
    image = Image(np.repeat(plane[None, ..., None], 3, axis=3))
    made = {}
    for kind, depth in (("png", "8"), ("png", "16"), ("tiff", "16"), ("jpeg", "8")):
        path = folder / f"source-{depth}.{kind}"
        write_image(path, image, ImageOptions(kind, depth))  # type: ignore[arg-type]
        made[f"{kind} {depth}"] = path
    return made


def large_file(folder: Path) -> Callable[[int], Tree]:
    """A file of 4 GiB that a step names, which takes its content before it begins."""
    path = folder / "large.bin"
    with path.open("wb") as file:
        file.truncate(4 << 30)
    return named("name_of", "large.bin", path)


def sites(folder: Path) -> list[Site]:
    """All sites of one process."""
    files = picture_files(folder)
    side = 4000
    saved = [
        Site(f"write {form} {depth} bits, {side} x {side}",
             on_picture("save_image", side, format=form, depth=depth, name=lambda i: f"p{i}"), "x")
        for form, depth in (("png", "8"), ("png", "16"), ("tiff", "16"), ("jpeg", "8"))
    ]  # fmt: skip
    read = [
        Site(f"read {name} bits, 4000 x 4000", loading(path.name, path), "x")
        for name, path in files.items()
    ]
    return [
        Site("sampling, Primer 64 x 64", sampling(64, 28), "x", 100),
        Site("sampling, Primer 512 x 512", sampling(512, 10), "x", 100),
        Site("sampling, Primer 1024 x 1024", sampling(1024, 4), "x"),
        Site("text encoding, 30 chunks", long_text, "x"),
        Site("VAE decode, whole, 512 x 512", decoding(512, 0), "x"),
        Site("VAE decode, tiles of 256, 1024 x 1024", decoding(1024, 256), "x"),
        Site("VAE encode, whole, 512 x 512", encoding(512, 0), "x"),
        Site("VAE encode, tiles of 256, 1024 x 1024", encoding(1024, 256), "x"),
        *models(folder),
        *read,
        *saved,
        Site("write webp, 3000 x 3000",
             on_picture("save_image", 3000, format="webp", name=lambda i: f"w{i}"), "x"),
        Site("blur by 4, 4000 x 4000", on_picture("blur", side, radius=lambda i: 4 + i / 1e4), "x"),
        Site("blur by 60, 4000 x 4000",
             on_picture("blur", side, radius=lambda i: 60 + i / 1e4), "x"),
        Site("resize to 5000 x 5000, lanczos",
             on_picture("resize", side, width=5000, height=lambda i: 5000 + i, mode="stretch"),
             "x"),
        Site("resize in linear light, 4000 to 2000",
             on_picture("resize", side, width=2000, height=lambda i: 2000 + i, mode="stretch",
                        linear=True), "x"),
        Site("levels, 4000 x 4000",
             on_picture("levels", side, gamma=lambda i: 1.5 + i / 1e4), "x"),
        Site("frames to the spool, 60 of 512 x 512", spooling, "x"),
        Site("content of a file of 4 GiB", large_file(folder), ""),
        Site("zone of 4000 turns", looping, "x"),
        Site("list of 20 000 items", mapping, "x"),
    ]  # fmt: skip
