"""The card of a family: plain data that catalogue, checks, plan and studio work with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from backend.diffusion.errors import DiffusionError

Tier = Literal["native", "pipeline"]
Role = Literal["model", "text", "vae"]


@dataclass(frozen=True)
class Geometry:
    """How pictures become latents.

    ``factor`` pixels become one latent cell each way, with ``channels`` channels; the denoiser
    takes ``patch`` x ``patch`` cells as a token. ``frame_factor`` is 0 for still images; for video
    1 + (frames - 1) / frame_factor frames are coded.
    """

    channels: int
    factor: int
    patch: int = 1
    frame_factor: int = 0

    @property
    def multiple(self) -> int:
        """Pixels of which width and height must be a multiple."""
        return self.factor * self.patch

    def shape(self, width: int, height: int, count: int = 1, frames: int = 1) -> tuple[int, ...]:
        """Latent shape ``(count, channels[, frames], height, width)`` for pixels.

        Raises:
            DiffusionError: the size is no multiple of what the model can take.
        """
        if width < 1 or height < 1 or width % self.multiple or height % self.multiple:
            near = [max(self.multiple, round(s / self.multiple) * self.multiple) for s in
                    (width, height)]  # fmt: skip
            raise DiffusionError(
                f"This model makes sizes that are multiples of {self.multiple} pixels, not "
                f"{width}x{height}. The nearest is {near[0]}x{near[1]}."
            )
        plane = (height // self.factor, width // self.factor)
        if not self.frame_factor:
            return (count, self.channels, *plane)
        if frames < 1 or (frames - 1) % self.frame_factor:
            below = 1 + max(frames - 1, 0) // self.frame_factor * self.frame_factor
            raise DiffusionError(
                f"This model makes 1 + a multiple of {self.frame_factor} frames, not {frames}. The "
                f"nearest are {below} and {below + self.frame_factor}."
            )
        return (count, self.channels, 1 + (frames - 1) // self.frame_factor, *plane)

    def tokens(self, shape: Sequence[int]) -> int:
        """Tokens of one sample of a latent of this shape."""
        frames = shape[2] if len(shape) == 5 else 1
        return frames * (shape[-2] // self.patch) * (shape[-1] // self.patch)


@dataclass(frozen=True)
class Space:
    """A named latent or text space, and the config values of a component that betray it."""

    name: str
    component: str
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Site:
    """A run of attention layers: the module path with ``{i}`` (several where blocks nest), the
    config key of their number ("" where it follows from the blocks), and how text and image tokens
    meet there: ``text image`` and ``image text`` in one sequence of that order, ``self`` image
    tokens alone, ``cross`` image tokens that look at text."""

    name: str
    path: str
    layers: str
    stream: Literal["text image", "image text", "self", "cross"]


@dataclass(frozen=True)
class Block:
    """A run of blocks that can be left out: the module path with ``{i}``, and the arguments of a
    block's call that its results take the place of, in the order in which it returns them."""

    name: str
    path: str
    returns: tuple[str, ...]


@dataclass(frozen=True)
class Rope:
    """What makes a network's rotary positions.

    ``path`` names the part of the network, and ``call`` its method that is asked ("" for the part
    itself); it is ``told`` the places of tokens, ``[..., tokens, axes]``, or a video's latent.
    ``axes`` say what each axis counts, "height" and "width" among them, and ``widths`` which
    attributes of the part hold the channels of each. ``theta`` is the base where the part has none.
    """

    path: str
    axes: tuple[str, ...]
    call: str = "forward"
    widths: tuple[str, ...] = ("axes_dim",)
    theta: float = 10000.0
    told: Literal["places", "latent"] = "places"


@dataclass(frozen=True)
class Peak:
    """Activation need beside weights, as a formula.

    Denoiser: ``token_widths * hidden width * tokens`` elements for a sample; VAE:
    ``pixel_channels * widest channels at full size`` elements for a pixel.
    """

    token_widths: float
    pixel_channels: float


@dataclass(frozen=True)
class Defaults:
    """What a family samples with when nothing else is said; sizes in pixels.

    ``guidance`` is the embedded guidance of distilled models, another thing than ``cfg``, and
    ``guider`` the kind of guidance that ``cfg`` goes to. A model of videos makes ``frames`` of
    them, to be shown at ``rate`` a second.
    """

    steps: int
    cfg: float
    guidance: float
    width: int
    height: int
    solver: str = "euler"
    schedule: str = "native"
    guider: str = "cfg"
    frames: int = 1
    rate: float = 24.0


@dataclass(frozen=True)
class Card:
    """One family as data.

    ``classes`` lists, by component, the class names that may be loaded for it; no other name in a
    ``model_index.json`` is looked up. A model whose components in ``marks`` are of these classes,
    and which has none of those in ``without``, is of this family. ``roles`` say which components a
    Model, TextEncoder or VAE link stands for, the one that gives its name to the link first;
    ``full_precision`` are components that stay in float32 on every
    device, and ``rope`` where its rotary positions are made, if they can be made otherwise.
    ``references`` says that its denoiser reads the tokens of other pictures behind its own, so that
    a model or an adapter can be trained to heed them.
    """

    name: str
    title: str
    tier: Tier
    classes: Mapping[str, tuple[str, ...]]
    marks: tuple[str, ...]
    roles: Mapping[Role, tuple[str, ...]]
    latent_spaces: tuple[Space, ...]
    text_spaces: tuple[Space, ...]
    geometry: Geometry
    defaults: Defaults
    peak: Peak
    capabilities: frozenset[str] = frozenset()
    sites: tuple[Site, ...] = ()
    blocks: tuple[Block, ...] = ()
    full_precision: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    rope: Rope | None = None
    references: bool = False


@dataclass(frozen=True)
class ModelFacts:
    """What one model of a family speaks and needs, read from its configs.

    ``width`` is the hidden width of the denoiser and ``vae_width`` the VAE's channels at full
    size, both for the peak formula; ``settings`` are family facts that travel as plain data.
    ``experts`` are the parts that take over from the denoiser, with the noise level below which
    each does, descending; each is a denoiser of the same kind.
    """

    family: str
    latent_space: str
    text_space: str
    geometry: Geometry
    defaults: Defaults
    capabilities: frozenset[str]
    width: int
    vae_width: int
    peak: Peak
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    experts: tuple[tuple[str, float], ...] = ()

    @property
    def token_bytes(self) -> int:
        """Peak activation bytes of a denoiser call for each token of each sample, in float32."""
        return int(self.peak.token_widths * self.width * 4)

    @property
    def pixel_bytes(self) -> int:
        """Peak activation bytes of coding one picture, for each of its pixels, in float32."""
        return int(self.peak.pixel_channels * self.vae_width * 4)
