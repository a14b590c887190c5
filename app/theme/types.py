"""How each socket type looks: an outline that carries the meaning, and a hue that helps.

Two types share an outline only where one family of things is meant (weights are squares, parts of
sampling hexagons, what conditions an arrow); those differ enough in hue for every kind of sight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from app.theme.colours import Colours


@dataclass(frozen=True, slots=True)
class TypeLook:
    """An outline of ``app.theme.outlines``, and the hue on dark and on light grounds."""

    outline: str
    dark: str
    light: str

    def hue(self, colours: Colours) -> str:
        """The hue on the grounds of a theme."""
        return self.dark if colours.dark else self.light


TYPES: Mapping[str, TypeLook] = MappingProxyType(
    {
        "Image": TypeLook("circle", "#58B4F0", "#0A6FB3"),
        "Mask": TypeLook("half", "#6CCB86", "#227A41"),
        "Layers": TypeLook("slabs", "#3CCBC4", "#04756F"),
        "Video": TypeLook("play", "#F4809F", "#B82A58"),
        "Audio": TypeLook("bars", "#BFD257", "#5E6B06"),
        "Latent": TypeLook("diamond", "#EE86DA", "#A82C93"),
        "Noise": TypeLook("scatter", "#B9A7C4", "#6B5878"),
        "Conditioning": TypeLook("arrow", "#F9A24B", "#A95303"),
        "Embedding": TypeLook("arrow", "#7CC8E8", "#0F6690"),
        "Model": TypeLook("square", "#A894FA", "#6A45D6"),
        "LanguageModel": TypeLook("square", "#A894FA", "#6A45D6"),
        "ControlNet": TypeLook("square", "#E58FB4", "#A8376B"),
        "Upscaler": TypeLook("square", "#5CC8A8", "#0B7A5C"),
        "VAE": TypeLook("square", "#F0694F", "#A3260E"),
        "TextEncoder": TypeLook("square", "#F2D65A", "#957600"),
        "Guider": TypeLook("hexagon", "#EE8A3C", "#B25A00"),
        "Solver": TypeLook("hexagon", "#43CFE0", "#00728A"),
        "Schedule": TypeLook("hexagon", "#F7EDC4", "#3D3612"),
        "Text": TypeLook("capsule", "#E4D9BE", "#6E5F3A"),
        "Number": TypeLook("dot", "#A3BAD6", "#456488"),
        "Integer": TypeLook("cell", "#7FD3BA", "#1F7561"),
        "Boolean": TypeLook("toggle", "#E7A0B1", "#9C4561"),
        "Color": TypeLook("drop", "#E6A3F2", "#8A3A99"),
        "Mesh": TypeLook("triangle", "#9CCB6B", "#4A7516"),
        "Points": TypeLook("trio", "#9CCB6B", "#4A7516"),
        "Motion": TypeLook("chevrons", "#63C7E8", "#0B6C8C"),
        "Layout": TypeLook("bracket", "#E8B04C", "#8A5A00"),
        "Table": TypeLook("table", "#C3C7CE", "#545962"),
        "Report": TypeLook("page", "#C3C7CE", "#545962"),
    }
)

ANY = TypeLook("ring", "#A8ADB6", "#5C616A")
"""What takes any type, until something is joined to it."""

CATEGORIES: Mapping[str, str] = MappingProxyType(
    {
        "Model": "Model", "Text": "TextEncoder", "Conditioning": "Conditioning",
        "Sampling": "Latent", "Latent": "Latent", "Image": "Image", "Mask": "Mask",
        "Layers": "Layers", "Layout": "Layout", "Audio": "Audio", "Video": "Video",
        "Language": "Text", "Table": "Table",
    }
)  # fmt: skip
"""The type whose hue a category of nodes takes, by the first part of its name."""


def look_of(kind: str) -> TypeLook:
    """How a type looks; one that is not in the table, such as ``T``, as any."""
    return TYPES.get(kind, ANY)


def category_look(category: str) -> TypeLook:
    """How a category of nodes looks: as the type that it mainly makes, or as any."""
    return look_of(CATEGORIES.get(category.partition("/")[0], ""))


ICONS: Mapping[str, str] = MappingProxyType(
    {
        "Model": "box", "Model/Patches": "layers", "Text": "type", "Conditioning": "type",
        "Sampling": "sparkles", "Sampling/Parts": "sliders-horizontal",
        "Sampling/Pipeline": "waypoints", "Latent": "square-dashed", "Image": "image",
        "Image/File": "save", "Image/Filter": "aperture", "Image/Geometry": "crop",
        "Image/Compositing": "blend", "Image/Batch": "layers", "Image/Grid": "grid-3x3",
        "Mask": "contrast", "Layers": "layers", "Layout": "scan", "Audio": "music",
        "Video": "film", "Language": "message-square", "Table": "table", "List": "list",
        "Flow": "repeat", "Number": "hash", "Subgraphs": "boxes",
    }
)  # fmt: skip
"""The icon of a category of nodes, by its whole name or the first part of it."""


def category_icon(category: str) -> str:
    """The icon of a category of nodes; shapes for one that is not in the table."""
    return ICONS.get(category) or ICONS.get(category.partition("/")[0], "shapes")
