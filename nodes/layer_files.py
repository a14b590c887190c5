"""Nodes that read files of layers and write them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from backend.sdk import Context, Facts, FilePath, Layers, NameTemplate, UserError, facts_of, node

NO_LAYERS = facts_of("Layers")


@node(
    category="Layers/File",
    lane="file",
    aliases=("psd", "photoshop", "ora", "openraster", "krita", "gimp", "open", "read", "import"),
)
def load_layers(
    ctx: Context, file: FilePath = "", unknown_modes: Literal["refuse", "normal"] = "refuse"
) -> Layers:
    """Read the layers of a Photoshop (PSD, PSB) or OpenRaster (ORA) file.

    `file` is relative to the workflow's folder and must be granted, as for Load image. Pixels,
    names, blend modes, opacities, offsets and visibility come as they are; masks are applied.
    Groups are opened where that changes nothing, else they become one layer. Notes tell of what
    has no pixels, such as adjustments and effects. A layer with a blend mode that Weft does not
    have is refused by name, unless `unknown_modes` is `normal`.

    Example: load_layers(file="poster.psd") -> layer(which="Logo").
    """
    if not file.strip():
        raise UserError("No file is chosen. Choose a PSD or OpenRaster file.")
    return ctx.read_layers(file, unknown_modes)


@load_layers.facts
def _(p: Any) -> Facts:
    from backend.media.layer_files import probe_layers

    if p.lookup is None or not p.file:
        return NO_LAYERS
    return probe_layers(p.lookup.file(p.file))


@node(
    category="Layers/File",
    effect=True,
    lane="file",
    aliases=("psd", "photoshop", "ora", "openraster", "krita", "gimp", "write", "export", "output"),
)
def save_layers(
    ctx: Context,
    layers: Layers,
    name: NameTemplate = "{node}-{counter:4}",
    format: Literal["psd", "ora"] = "psd",
    depth: Literal["8", "16"] = "8",
    overwrite: Literal["number", "replace", "refuse"] = "number",
) -> Layers:
    """Write layers into the output folder, as a file that paint programs open.

    `psd` opens in Photoshop, Krita, GIMP and Affinity, `ora` (OpenRaster) in Krita, GIMP and
    MyPaint. Both keep pixels, names, blend modes, opacities, offsets and visibility, and hold the
    flat picture for programs without layers. `name` has the same fields as for Save image; `depth`
    is 8 or 16 bits a channel. The workflow stands in a file beside it, NAME.psd.weft.json. The
    layers go through unchanged.

    Example: make_layers -> save_layers(name="posters/{date}-{counter}", format="psd").
    """
    from backend.media.layer_files import SUFFIXES, write_layers

    def write(path: Path, provenance: Mapping[str, Any]) -> None:
        write_layers(path, layers, format, depth, provenance, ctx.note, ctx.check)

    ctx.save(name, SUFFIXES[format], write, overwrite=overwrite)
    return layers


@save_layers.facts
def _(p: Any, layers: Facts | None = None) -> Facts:
    return layers or NO_LAYERS
