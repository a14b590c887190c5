"""Everything a node author imports.

A node is a typed function: its signature is its sockets and parameters, its docstring its help::

    @node(category="Image")
    def brighten(ctx: Context, image: Image, by: Annotated[float, Range(0, 4)] = 1.5) -> Image:
        \"\"\"Multiply the colours of an image. ...\"\"\"
        return image.but(image.pixels * by)

Values without a default are sockets; scalars with a default are parameters, which a link may feed
too. ``Image | None = None`` is a socket that may stay open, ``*images: Image`` a growing row,
``**values: float`` links by name (so does ``values: dict[str, float]``), ``list[Image]`` takes the
list as a whole. ``T`` stands for any
type; all ``T`` of a node agree. Named outputs are a ``NamedTuple``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeAlias, TypeVar

from backend.graph.errors import UserError
from backend.graph.facts import Facts, facts_of
from backend.graph.signature import Kind, Range, read_signature
from backend.graph.spec import Lane, NodeSpec
from backend.values import (
    VAE,
    Audio,
    Box,
    Color,
    Conditioning,
    ControlNet,
    FrameDepth,
    Guider,
    Image,
    LanguageModel,
    Latent,
    Layer,
    Layers,
    Layout,
    Mask,
    Model,
    Noise,
    Schedule,
    Solver,
    TextEncoder,
    Upscaler,
    Video,
    Weights,
)

__all__ = [
    "VAE",
    "Audio",
    "Box",
    "Boxes",
    "Cancelled",
    "Color",
    "ColorParam",
    "Conditioning",
    "Context",
    "ControlNet",
    "Expression",
    "Facts",
    "FilePath",
    "FolderPath",
    "FrameDepth",
    "Guider",
    "Image",
    "LanguageModel",
    "Latent",
    "Layer",
    "Layers",
    "Layout",
    "Lookup",
    "Mask",
    "Model",
    "ModelRef",
    "Multiline",
    "NameTemplate",
    "NodeType",
    "Noise",
    "Peak",
    "Range",
    "Saved",
    "ScalarList",
    "Schedule",
    "SeedParam",
    "Solver",
    "T",
    "TextEncoder",
    "Upscaler",
    "UserError",
    "Video",
    "facts_of",
    "node",
]

T = TypeVar("T")


class Cancelled(BaseException):
    """Raised out of every ``ctx`` call once the run was cancelled; nodes let it pass.

    It is no ``Exception``, so that a node which guards against errors does not swallow it.
    """


SeedParam: TypeAlias = Annotated[int, Kind("seed"), Range(0, 2**63 - 1, 1)]
ColorParam: TypeAlias = Annotated[Color, Kind("color")]
Multiline: TypeAlias = Annotated[str, Kind("multiline")]
Expression: TypeAlias = Annotated[str, Kind("expression")]
FilePath: TypeAlias = Annotated[str, Kind("file")]
FolderPath: TypeAlias = Annotated[str, Kind("folder")]
ModelRef: TypeAlias = Annotated[str, Kind("model")]
NameTemplate: TypeAlias = Annotated[str, Kind("name")]
Boxes: TypeAlias = Annotated[tuple[Box, ...], Kind("boxes")]
ScalarList: TypeAlias = Annotated[tuple[float, ...], Kind("values")]


@dataclass(frozen=True, slots=True)
class Saved:
    """A file or folder that was written: its path below the output folder, and its content hash."""

    path: str
    hash: str


@dataclass(frozen=True, slots=True)
class Peak:
    """What one call of a node needs of the device, told before it runs.

    ``uses`` names the inputs whose weights it computes with, in order, each with its passes: how
    often their networks are called from the first block to the last. A ``Guider`` stands for its
    model, a ``TextEncoder`` for all encoders of a model, and ``vae.decoder`` for that part of a
    network. ``activation`` is the most bytes that it needs at once beside weights, in float32, and
    ``None`` where a size is not known yet. Both are formulas; what is measured corrects them.
    """

    activation: int | None = 0
    uses: tuple[tuple[str, int], ...] = ()


class Lookup(Protocol):
    """What a facts hook may ask about the outside: headers only, and only of granted files."""

    def model(self, ref: str, files: Mapping[str, str] = ...) -> Any | None:
        """The header facts of a model folder or checkpoint, or ``None`` if nothing is known of it.
        ``files`` are weight files, by component, that take the place of the folder's own.

        Raises:
            UserError: it is missing, not granted or broken; let it pass.
        """

    def model_files(self, refs: Sequence[str], config: str) -> Any | None:
        """The header facts of weight files that are one model together; ``config`` names its pack,
        "" lets the first file decide. ``None`` when nothing is known.

        Raises:
            UserError: one is missing, not granted, broken or strange to the model; let it pass.
        """

    def file(self, path: str) -> Path:
        """Where a granted file lies, to read its header.

        Raises:
            UserError: it is missing or not granted; let it pass.
        """

    def image(self, path: str) -> Facts | None:
        """Size, channels and count of an image file, or ``None`` when unknown or not granted."""


class Context(Protocol):
    """What a running node may ask of the engine. Every call raises ``Cancelled`` after a cancel."""

    @property
    def device(self) -> str:
        """``cpu`` or ``cuda:N``: where model nodes compute."""

    def check(self) -> None:
        """Do nothing, or raise ``Cancelled``. Call it in every long loop."""

    @property
    def frugal(self) -> bool:
        """Whether memory ran out in this call before: take as little as can be (small tiles, one
        after the other), even if that takes longer and rounds otherwise."""

    def progress(self, done: float, total: float) -> None:
        """Say how far the node is."""

    def note(self, text: str) -> None:
        """Tell the user a sentence while the node goes on, such as what it left out."""

    def preview(self, image: Image | Callable[[], Image | None]) -> None:
        """Show an intermediate picture, or what a function makes: that is called only where there
        is time to show one, and ``None`` shows nothing."""

    def read(self, path: str) -> Path:
        """A file or folder that may be read: relative to the workflow, inside the grants.

        Raises:
            UserError: it does not exist or is outside the grants.
        """

    def read_images(self, path: str) -> tuple[Image, ...]:
        """The pictures in a file that may be read, decoded in a process of their own.

        One batch where its pages are alike, else an image each; sRGB, float32 0..1, upright.

        Raises:
            UserError: as ``read``; it is no picture, is damaged, or is above the caps.
        """

    def read_sound(self, path: str) -> Audio:
        """The sound in a WAV or FLAC file that may be read, decoded in a process of its own.

        Raises:
            UserError: as ``read``; it is no sound, is damaged, or is above the caps.
        """

    def read_layers(self, path: str, unknown_modes: str = "refuse") -> Layers:
        """The layers in a PSD or OpenRaster file that may be read, decoded in a process of its
        own; what layers do not hold is told in notes. ``unknown_modes`` is ``refuse`` or
        ``normal``: what becomes of a layer with a blend mode that Weft does not have.

        Raises:
            UserError: as ``read``; it holds no layers, is damaged, is above the caps, or has a
                mode that is refused.
        """

    def save(
        self,
        name: str,
        suffix: str,
        write: Callable[[Path, Mapping[str, Any]], None],
        *,
        overwrite: str = "number",
    ) -> Saved:
        """Write one output file by the output protocol and record it.

        ``name`` is a name template below the output folder (``{node}``, ``{date}``, ``{seed}``,
        ``{counter}``, ``{NODE.PARAM}``), ``write`` fills a temporary file and gets the provenance
        to embed; ``overwrite`` is ``number``, ``replace`` or ``refuse``.

        Raises:
            UserError: the name leaves the output folder, or the file cannot be written.
        """

    def save_folder(
        self,
        name: str,
        write: Callable[[Path, Mapping[str, Any]], None],
        *,
        overwrite: str = "number",
    ) -> Saved:
        """Write one output folder, whole or not at all; ``write`` fills an empty temporary one.

        As ``save``, but ``overwrite`` is ``number`` or ``refuse``: no folder is ever replaced.
        """

    def spool(self, frames: Iterable[Image], rate: float, depth: FrameDepth = "16") -> Video:
        """Put frames, as they come, in a file of the cache folder: the video of them.

        ``frames`` are batches of one size; only one batch is held at a time. The file lives as
        long as somebody holds the video.

        Raises:
            UserError: there are none, sizes differ, or the cache folder is full.
        """

    def model_folder(self, ref: str) -> Path:
        """The folder of a built-in model (``primer``) or of a granted path."""

    def load(self, weights: Weights) -> Any:
        """The loaded component behind a reference, held and shared by the engine."""


Hook: TypeAlias = Callable[..., Any]


class NodeType:
    """A node type: its spec, its function, and its hooks. Calling it calls the function."""

    def __init__(self, spec: NodeSpec, function: Callable[..., Any]) -> None:
        self.spec = spec
        self.function = function
        self.hooks: dict[str, Hook] = {}
        self.migrations: dict[int, Hook] = {}
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__module__ = function.__module__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def facts(self, hook: Hook) -> Hook:
        """Register ``hook(p, **facts by input) -> facts`` of the outputs: light, before any run.

        It returns ``Facts`` for a single output or a dict by output name. ``p`` has the parameters
        as attributes and ``p.lookup``; an input that is not linked comes as ``None``.
        """
        return self._hook("facts", hook)

    def peak(self, hook: Hook) -> Hook:
        """Register ``hook(p, **facts by input) -> Peak``: what a call needs of the device.

        ``p`` and the facts are those of ``facts``, of one item where lists map the node. A node
        that loads weights has one::

            @upscale.peak
            def _(p, vae, image):
                if image is None or not image.width or not image.height:
                    return Peak(None, (("vae", 1),))
                return Peak(4 * 300 * image.width * image.height, (("vae", image.count or 1),))
        """
        return self._hook("peak", hook)

    def gives(self, hook: Hook) -> Hook:
        """Register ``hook(p, ctx, **inputs) -> outputs``: what a node gives, told before a run.

        Nodes that take and give nothing but models, encoders and VAEs are asked what they give to
        plan the memory of a run. Their function is called for that, unless they have this hook:
        where the function does more than read headers. ``ctx`` finds models and reads files only.
        """
        return self._hook("gives", hook)

    def needs(self, hook: Hook) -> Hook:
        """Register ``hook(p, known) -> set of input names`` still wanted, given what is known.

        It makes the node lazy: asked again with more known values until it names nothing new.
        """
        return self._hook("needs", hook)

    def fingerprint(self, hook: Hook) -> Hook:
        """Register ``hook(p, ctx) -> str`` for a source that depends on more than its inputs.

        Files, folders and models named by parameters are covered without it.
        """
        return self._hook("fingerprint", hook)

    def migrate(self, from_version: int) -> Callable[[Hook], Hook]:
        """Register ``hook(params, inputs) -> (params, inputs)`` that lifts an older node by one."""

        def register(hook: Hook) -> Hook:
            self.migrations[from_version] = hook
            return hook

        return register

    def _hook(self, name: str, hook: Hook) -> Hook:
        self.hooks[name] = hook
        return hook


def node(
    *,
    category: str,
    version: int = 1,
    title: str = "",
    effect: bool = False,
    lane: Lane = "cpu",
    zone: bool = False,
    aliases: tuple[str, ...] = (),
) -> Callable[[Callable[..., Any]], NodeType]:
    """Declare a function as a node type; its name is the type's stable id.

    Args:
        category: Where it stands in the menu, e.g. ``Image/Filter``.
        version: Raise it when parameters or sockets change, and register a migration.
        title: How it is called; by default the function's name in words.
        effect: It changes something outside (writes a file), so it is a root of every run.
        lane: ``device`` for model work, ``file`` for reading and writing, else ``cpu``.
        zone: It runs a body; the engine knows it by its type.
        aliases: Other words under which people look for it.

    Raises:
        TypeError: the signature says something that a node cannot have.
    """

    def declare(function: Callable[..., Any]) -> NodeType:
        spec = read_signature(function)
        name = function.__name__
        return NodeType(
            NodeSpec(
                type=name,
                version=version,
                title=title or name.replace("_", " ").capitalize(),
                category=category,
                help=inspect.getdoc(function) or "",
                inputs=spec.inputs,
                params=spec.params,
                outputs=spec.outputs,
                effect=effect,
                lane=lane,
                zone=zone,
                aliases=aliases,
            ),
            function,
        )

    return declare
