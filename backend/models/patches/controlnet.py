"""ControlNet: a network beside the denoiser reads a picture and adds to what its blocks give."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.catalog.controlnets import TRANSFORMER, UNION
from backend.catalog.errors import CatalogError
from backend.diffusion.around import Around, Moment
from backend.diffusion.errors import DiffusionError
from backend.models.controlnet.file import NetFacts, facts_of_net
from backend.models.controlnet.fit import check_fits
from backend.models.controlnet.patch import KIND, MASK, PICTURE, reference_of
from backend.models.family import describe
from backend.models.numerics import dtype_of
from backend.models.patch import PatchKind, Rows, Stage, within
from backend.values import Patch

if TYPE_CHECKING:
    from torch import Tensor

Given = Mapping[str, Any]
"""The arguments of one call of a network, by name."""

_DOWN, _MIDDLE = "down_block_additional_residuals", "mid_block_additional_residual"
_DOUBLE, _SINGLE = "controlnet_block_samples", "controlnet_single_block_samples"


def make(stage: Stage, patch: Patch, rows: Rows) -> Around:
    """Add to the denoiser's blocks what a ControlNet makes of a picture (arXiv:2302.05543).

    The net is asked before each call with the very arguments of that call, and its residuals, times
    ``strength``, go to the denoiser as arguments of its own: ``y = F(x) + s Z(F_c(x + Z(c)))``
    (eq. 2). Several nets add up. Each term of the guidance has residuals of its own, by its own
    text. A mask weighs them by place.

    Params: ``begin`` and ``end``, the range of steps as fractions; ``mode``, the number of the kind
    of picture, for nets of several kinds.

    Raises:
        DiffusionError: the strength is below 0, there is no such mode, or a mask is given to a net
            that says the same of every place.
        CatalogError: the net's files are broken, or it was made for another model.
    """
    told = facts_of_net(reference_of(patch))
    check_fits(told, stage.model)
    mode = _checked(told, patch)
    net = stage.load(reference_of(patch))
    guidance = describe(stage.model).defaults.guidance
    control = _Control(told, net, patch, mode, guidance or 3.5)

    @contextmanager
    def around(moment: Moment) -> Iterator[None]:
        if not within(patch, moment):
            yield
            return
        asked = _asked(told, moment, rows(moment))

        def add(module: Any, args: tuple[Any, ...], given: dict[str, Any]) -> Any:
            if not any(asked):
                return None
            return args, {**given, **control.added(module, args, given, moment, asked)}

        handle = stage.net.register_forward_pre_hook(add, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()

    return around


def _checked(told: NetFacts, patch: Patch) -> int:
    """The mode, once it is sure that strength, mode and mask are such as the net can take."""
    mode = patch.params.get("mode", 0)
    mode = mode if isinstance(mode, int) else 0
    if not 0 <= patch.strength < math.inf:
        raise DiffusionError(
            f"The strength of a ControlNet is {patch.strength:g}. Give one from 0 on; 0 leaves it "
            "out."
        )
    if told.modes and not 0 <= mode < told.modes:
        raise DiffusionError(
            f"This ControlNet knows the kinds of picture 0 to {told.modes - 1}, not {mode}."
        )
    if told.pooled and MASK in patch.tensors:
        raise DiffusionError(
            "This ControlNet says the same of every place of the picture, so that a mask cannot "
            "keep it to a part. Leave the mask out."
        )
    return mode


def _asked(told: NetFacts, moment: Moment, rows: Sequence[bool]) -> tuple[bool, ...]:
    """Which terms of a moment the net is asked for. One that says the same of every place is
    trained to speak with the positive text alone."""
    return tuple(
        rows[k * moment.count] and not (told.pooled and term.role == "negative")
        for k, term in enumerate(moment.terms)
    )


@dataclass(eq=False)
class _Control:
    """A ControlNet with its picture; ``guidance`` is the embedded one where the denoiser has
    none. ``_kept`` holds the picture and the mask at the size of the last call."""

    told: NetFacts
    net: Any
    patch: Patch
    mode: int
    guidance: float
    _kept: dict[Any, Tensor] = field(default_factory=dict)

    def added(
        self,
        base: Any,
        args: tuple[Any, ...],
        given: Given,
        moment: Moment,
        asked: tuple[bool, ...],
    ) -> Given:
        """The arguments of the denoiser that change."""
        import torch

        count = moment.count
        place = [k for k, one in enumerate(asked) for _ in range(count) if one]
        take = [k * count + n for k, one in enumerate(asked) if one for n in range(count)]
        some = None if all(asked) else (torch.tensor(take), len(asked) * count)
        like = args[0] if args else given["hidden_states"]
        picture = _rows(self._picture(moment, like), moment, len(place))
        mask = self._mask(moment, like)
        flux = self.told.kind == TRANSFORMER
        ask = self._of_flux if flux else self._of_unet
        with torch.no_grad(), self._explained():
            found = ask(args, given, picture, moment, some)
        weigh = _weigher(mask, moment, len(place), some, like, flux)
        return _to_flux(base, given, found, weigh) if flux else _to_unet(given, found, weigh)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What a net fails with whose config says something else than it was made by."""
        try:
            yield
        except (TypeError, ValueError, LookupError, ArithmeticError, AssertionError) as error:
            if isinstance(error, CatalogError):
                raise
            raise CatalogError(
                f"The ControlNet {Path(self.patch.source).name} cannot be asked with its config "
                f"({str(error)[:120]}). Get config and weights again, from the same source."
            ) from error

    def _of_unet(
        self, args: tuple[Any, ...], given: Given, picture: Tensor, moment: Moment, some: Any
    ) -> tuple[Any, Any]:
        own = dtype_of(self.net)
        x, time = (_some(each, some) for each in args[:2])
        texts = _some(given["encoder_hidden_states"], some)
        added = given.get("added_cond_kwargs")
        told: dict[str, Any] = {
            "encoder_hidden_states": texts.to(own),
            "conditioning_scale": float(self.patch.strength),
            "return_dict": False,
        }
        if added:
            told["added_cond_kwargs"] = {n: _some(each, some) for n, each in added.items()}
        seen: Any = picture.to(own)
        if self.told.kind == UNION:
            kinds = x.new_zeros(len(x), self.told.modes)
            kinds[:, self.mode] = 1
            told |= {"control_type": kinds, "control_type_idx": [self.mode]}
            seen = [seen]
        channels = int(self.net.config.in_channels)  # behind them an in-paint model has more
        down, middle = self.net(x[:, :channels].to(own), time, controlnet_cond=seen, **told)
        return list(down), middle

    def _of_flux(
        self, args: tuple[Any, ...], given: Given, picture: Tensor, moment: Moment, some: Any
    ) -> tuple[Any, Any]:
        import torch

        from backend.models.patches2x2 import pack

        own, config = dtype_of(self.net), self.net.config
        hidden = _some(given["hidden_states"], some)[:, : moment.image, : config.in_channels]
        guidance = None
        if config.guidance_embeds:
            usual = torch.full((len(hidden),), self.guidance, device=hidden.device)
            said = given.get("guidance")
            guidance = usual if said is None else _some(said, some)
        told: dict[str, Any] = {}
        if self.told.modes:
            told["controlnet_mode"] = torch.full(
                (len(hidden), 1), self.mode, dtype=torch.long, device=hidden.device
            )
        found: tuple[Any, Any] = self.net(
            hidden_states=hidden.to(own),
            controlnet_cond=pack(picture).to(own),
            conditioning_scale=float(self.patch.strength),
            encoder_hidden_states=_some(given["encoder_hidden_states"], some).to(own),
            pooled_projections=_some(given["pooled_projections"], some).to(own),
            timestep=_some(given["timestep"], some),
            img_ids=given["img_ids"][: moment.image],
            txt_ids=given["txt_ids"],
            guidance=guidance,
            return_dict=False,
            **told,
        )
        return found

    def _picture(self, moment: Moment, like: Tensor) -> Tensor:
        """The picture ``[1 or count, c, h, w]`` for the cells that a call sees."""
        key = PICTURE, moment.whole
        if key not in self._kept:
            self._kept = {}
            self._kept[key] = self._sized(moment.whole[-2:]).to(like.device)
        factor = 1 if self.told.sees == "latent" else self.told.factor
        return _cut(self._kept[key], moment, factor)

    def _sized(self, size: tuple[int, ...]) -> Tensor:
        import torch

        array = torch.from_numpy(self.patch.tensors[PICTURE].copy())
        height, width = size
        if self.told.sees == "latent":
            if tuple(array.shape[-2:]) != (height, width):
                raise DiffusionError(
                    f"The control picture has {array.shape[-1]}x{array.shape[-2]} cells, and the "
                    f"latent {width}x{height}. Resize the picture to the size that is made."
                )
            return array
        factor = self.told.factor
        wanted = height * factor, width * factor
        _check_proportions("control picture", array.shape[1:3], wanted, factor)
        return fitted(array.permute(0, 3, 1, 2), wanted).clamp(0, 1)

    def _mask(self, moment: Moment, like: Tensor) -> Tensor | None:
        """The mask ``[1 or count, 1, h, w]`` for the cells that a call sees."""
        import torch

        if MASK not in self.patch.tensors:
            return None
        key = MASK, moment.whole
        if key not in self._kept:
            whole = torch.from_numpy(self.patch.tensors[MASK].copy())[:, None]
            self._kept[key] = fitted(whole, moment.whole[-2:]).clamp(0, 1).to(like.device)
        return _cut(self._kept[key], moment, 1)


def _check_proportions(what: str, have: Sequence[int], want: tuple[int, int], factor: int) -> None:
    """Refuse a picture that would be distorted by more than a cell.

    Raises:
        DiffusionError: the proportions differ.
    """
    high, wide = int(have[0]), int(have[1])
    if abs(wide * want[0] - high * want[1]) > factor * max(high, wide):
        raise DiffusionError(
            f"The {what} is {wide}x{high} pixels, and {want[1]}x{want[0]} are made: other "
            "proportions. Crop it to these, or make another size."
        )


def fitted(x: Tensor, size: Sequence[int]) -> Tensor:
    """``[b, c, h, w]`` resized; as it is where it has the size."""
    from torch.nn.functional import interpolate

    if tuple(x.shape[-2:]) == tuple(size):
        return x
    return interpolate(x, tuple(size), mode="bilinear", antialias=True, align_corners=False)


def _cut(whole: Tensor, moment: Moment, factor: int) -> Tensor:
    """The part of a picture, of ``factor`` pixels a cell, that a tile sees."""
    import torch

    if moment.window is None:
        return whole
    rows, columns = (
        (torch.tensor(side)[:, None] * factor + torch.arange(factor)).flatten().to(whole.device)
        for side in (moment.window.rows, moment.window.columns)
    )
    return whole.index_select(-2, rows).index_select(-1, columns)


def _rows(each: Tensor, moment: Moment, rows: int) -> Tensor:
    """The entries for the rows that a net is asked for.

    Raises:
        DiffusionError: there are several, but not one for each picture.
    """
    count = moment.count
    if len(each) > 1 and count == 1 and moment.first < len(each):
        each = each[moment.first : moment.first + 1]
    if len(each) not in (1, count):
        raise DiffusionError(
            f"There are {len(each)} control pictures or masks for {count} pictures. Give one, or "
            "as many."
        )
    return each.expand(count, *each.shape[1:]).repeat(rows // count, 1, 1, 1)


def _some(each: Tensor, some: Any) -> Tensor:
    """The rows that a net is asked for."""
    return each if some is None else each.index_select(0, some[0].to(each.device))


Weigher = Callable[["Tensor"], "Tensor"]


def _weigher(
    mask: Tensor | None, moment: Moment, rows: int, some: Any, like: Tensor, flux: bool
) -> Weigher:
    """What weighs a residual by the mask, and puts it into the rows of the whole batch."""

    def spread(more: Tensor) -> Tensor:
        more = more.to(like.dtype)
        if some is None:
            return more
        index, whole = some
        full = more.new_zeros(whole, *more.shape[1:])
        return full.index_copy(0, index.to(more.device), more)

    if mask is None:
        return spread
    several = _rows(mask, moment, rows)

    def weighed(more: Tensor) -> Tensor:
        if not flux:
            return spread(more * fitted(several, more.shape[-2:]).to(more))
        side = round(math.sqrt(several.shape[-2] * several.shape[-1] / more.shape[1]))
        sizes = several.shape[-2] // side, several.shape[-1] // side
        return spread(more * fitted(several, sizes).flatten(1)[..., None].to(more))

    return weighed


def _to_unet(given: Given, found: tuple[Any, Any], weigh: Weigher) -> Given:
    down, middle = [weigh(each) for each in found[0]], weigh(found[1])
    if given.get(_DOWN) is not None:
        down = [a + b for a, b in zip(given[_DOWN], down, strict=True)]
        middle = given[_MIDDLE] + middle
    return {_DOWN: down, _MIDDLE: middle}


def _to_flux(base: Any, given: Given, found: tuple[Any, Any], weigh: Weigher) -> Given:
    """Nets of fewer blocks than the denoiser serve several of its blocks with each; so that nets of
    unlike depth add up, each has a residual for every block here."""
    from torch.nn.functional import pad

    behind = given["hidden_states"].shape[1]  # references have tokens too, and are left alone
    told: dict[str, Any] = {}
    for name, more, blocks in (
        (_DOUBLE, found[0], base.transformer_blocks),
        (_SINGLE, found[1], base.single_transformer_blocks),
    ):
        if not more:
            continue
        own = [weigh(each) for each in more]
        own = [pad(each, (0, 0, 0, behind - each.shape[1])) for each in own]
        step = math.ceil(len(blocks) / len(own))
        every = [own[i // step] for i in range(len(blocks))]
        before = given.get(name)
        told[name] = every if before is None else _sums(before, every)
    return told


def _sums(first: Sequence[Tensor], second: Sequence[Tensor]) -> list[Tensor]:
    """Sums in pairs; a pair that comes again is one tensor."""
    made: dict[tuple[int, int], Tensor] = {}
    for a, b in zip(first, second, strict=True):
        pair = id(a), id(b)
        if pair not in made:
            made[pair] = a + b
    return [made[id(a), id(b)] for a, b in zip(first, second, strict=True)]


CONTROLNET = PatchKind(KIND, "ControlNet", make, rank=20)
"""Behind the patches that call the denoiser on their own account."""
