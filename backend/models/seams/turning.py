"""The rotary seam: what makes a network's rotary positions, under other rules for a call.

A card's ``Rope`` says what is called and what its axes count. While rules are laid on, that call
goes through a ``Turning``, which asks the network's own maker first and writes over the channels of
the axes that have a rule; all else keeps its bits. Taking it off puts back what was there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backend.diffusion.errors import DiffusionError
from backend.models.card import Rope
from backend.models.rotary import Rotation, plain

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Maker:
    """A network's maker of rotary positions: where it hangs, and the widths and the base that it
    has."""

    rope: Rope
    owner: Any
    name: str
    widths: tuple[int, ...]
    theta: float


def maker_of(net: Any, rope: Rope) -> Maker:
    """The maker that a card describes, in a network."""
    module = getattr(net, rope.path)
    found = [getattr(module, name) for name in rope.widths]
    widths = tuple(
        int(w) for each in found for w in (each if hasattr(each, "__iter__") else [each])
    )
    theta = float(getattr(module, "theta", rope.theta))
    owner, name = (module, rope.call) if rope.call else (net, rope.path)
    return Maker(rope, owner, name, widths, theta)


@dataclass(frozen=True, eq=False)
class Turning:
    """Stands for a maker: ``rules`` by the name of the axis, ``strength`` of the way to them.

    ``patch`` cells a side are a token, where the maker is told a latent instead of places.
    """

    maker: Maker
    inner: Any
    rules: Mapping[str, Rotation]
    strength: float
    patch: int

    def __call__(self, given: Tensor, *rest: Any) -> Any:
        made = self.inner(given, *rest)
        places = given if self.maker.rope.told == "places" else _grid(given, self.patch)
        if isinstance(made, tuple):
            return tuple(self._over(part, places, k) for k, part in enumerate(made))
        return self._over(made, places, None)

    def _over(self, made: Tensor, places: Tensor, part: int | None) -> Tensor:
        """What was made, cosines (part 0), sines (1) or complex numbers (none), the channels of
        the axes with a rule written over."""
        import torch

        made, each = made.clone(), 1 if part is None else 2
        images = pictured(
            *(places[..., self.maker.rope.axes.index(a)] for a in ("height", "width"))
        )
        end = 0
        for axis, (name, width) in enumerate(
            zip(self.maker.rope.axes, self.maker.widths, strict=True)
        ):
            end += width // 2 * each
            if name not in self.rules:
                continue
            angles, gain = self._angles(self.rules[name], places[..., axis], images, width)
            if part is None:
                new = torch.polar(torch.full_like(angles, gain), angles)
            else:
                new = (angles.sin() if part else angles.cos()).repeat_interleave(2, -1) * gain
            start = end - width // 2 * each
            shape = (*made.shape[:-1], end - start)
            made[..., start:end] = new.reshape(shape).to(made.device, made.dtype)
        return made

    def _angles(
        self, rule: Rotation, places: Tensor, images: Tensor, width: int
    ) -> tuple[Tensor, float]:
        """Angles ``[..., width / 2]`` in double precision, and the gain."""
        import torch

        exact = places.to("cpu" if places.device.type == "mps" else places.device).double()
        new, old = (
            torch.from_numpy(f).to(exact.device)
            for f in (rule.frequencies, plain(width, self.maker.theta))
        )
        moved = torch.where(images.to(exact.device), exact * rule.step + rule.start, exact)
        own, other = exact[..., None] * old, moved[..., None] * new
        part = self.strength
        return own + part * (other - own), 1 + part * (rule.gain - 1)


@contextmanager
def turning(
    maker: Maker, rules: Mapping[str, Rotation], strength: float, patch: int
) -> Iterator[None]:
    """Have rules for the axes of pictures while it is entered.

    Raises:
        DiffusionError: others are laid on already.
    """
    if isinstance(getattr(maker.owner, maker.name), Turning):
        raise DiffusionError(
            "Two patches scale the rotary positions of this model at the same step. Take one off, "
            "or give them ranges of steps that do not overlap."
        )
    with standing_in(maker, lambda inner: Turning(maker, inner, rules, strength, patch)):
        yield


@contextmanager
def standing_in(maker: Maker, make: Callable[[Any], Any]) -> Iterator[None]:
    """Have ``make(what is called now)`` called for positions while it is entered."""
    owner, name = maker.owner, maker.name
    own = vars(owner).get(name)
    setattr(owner, name, make(getattr(owner, name)))
    try:
        yield
    finally:
        if own is None:
            delattr(owner, name)
        else:
            setattr(owner, name, own)


def pictured(rows: Tensor, columns: Tensor) -> Tensor:
    """Which tokens are of pictures, from their rows and columns ``[..., tokens]``.

    Texts and what fills up a sequence stand at row and column 0. So does a picture's first token,
    which is told from them by its neighbour: the next column, or the next row of a single column.
    """
    inside = (rows > 0) | (columns > 0)
    beside = (rows + columns)[..., 1:] == 1
    first = inside.clone()
    first[..., :-1] |= beside
    return first


def _grid(latent: Tensor, patch: int) -> Tensor:
    """Places ``[tokens, 3]`` of a video's latent ``[b, c, frames, height, width]``."""
    import torch

    frames, height, width = latent.shape[-3:]
    sides = (frames, height // patch, width // patch)
    return torch.cartesian_prod(*(torch.arange(n, device=latent.device) for n in sides))
