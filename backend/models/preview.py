"""What a preview shows: true colours where the space of the latents is known, shapes where not.

Every picture that a VAE codes teaches its space (``learn``), and the fit goes to a small file in
the user's cache folder, so the next process knows it from the start. A model folder may bring a fit
of its own, ``preview.json``. None of this touches a result.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import blake3
import numpy as np

from backend.catalog.errors import CatalogError
from backend.models.family import Load
from backend.models.preview_fit import Factors, Fit, read_factors, write_factors
from backend.models.tiny_decoder import TinyView, reference
from backend.settings import SettingError, cache_folder
from backend.values import VAE, Float32, Image, Model, Video, Weights

if TYPE_CHECKING:
    from torch import Tensor

NAME = "preview"
SHIPPED = "preview.json"
"""The fit that a model folder brings for the space of its latents."""

View = Callable[["Tensor"], Image | None]
"""A look at clean latents; ``None`` where there is no time for one."""
SHARE = 0.005
"""The part of a run's time that previews may take; a tiny decoder keeps to a larger one itself."""
FIRST = 0.001
"""Seconds that the first preview of a run is taken to cost, before one was measured."""


def default_root() -> Path:
    """The folder of fits in this user's cache; it can be deleted at any time.

    Raises:
        CatalogError: the settings are broken.
    """
    try:
        return cache_folder() / "previews"
    except SettingError as error:
        raise CatalogError(str(error)) from error


class SpaceColours:
    """What is known of the colours of one latent space, for each VAE that spoke it.

    Previews go by the VAE that was used last. Threads may share it.
    """

    nbytes = 2**14
    """About what the sums take."""

    def __init__(self, space: str, root: Path) -> None:
        """``root`` is the folder of the files; nothing is written before the first picture."""
        self.space = space
        self._root = root
        self._fits: dict[str, Fit] = {}
        self._last = ""
        self._lock = threading.Lock()

    def learn(self, vae: VAE, samples: Float32, image: Image) -> None:
        """Learn from latents ``[b, c, h, w]`` and their pictures.

        The fit is written after the first picture of this process, the 4th, the 16th, the 64th and
        so on, since writing takes longer than learning; a folder that cannot be written to is no
        fault.
        """
        with self._lock:
            fit = self._fits.get(vae.identity)
            if fit is None or fit.channels != samples.shape[1]:
                fit = Fit(samples.shape[1], self._start(vae, samples.shape[1]))
            self._fits[vae.identity] = fit
            self._last = vae.identity
            before = fit.pictures
            for latent, pixels in zip(samples, image.pixels, strict=False):
                fit.add(latent, Image(pixels[None], image.space))
            found = fit.solve()
            if found and _round(before) != _round(fit.pictures):
                with contextlib.suppress(OSError):
                    write_factors(self._path(vae.identity), self.space, found)

    def factors(self, source: str = "") -> Factors | None:
        """The fit to show latents by: of the VAE that was used last, here or in an earlier process,
        else what the model at ``source`` brings."""
        with self._lock:
            if self._last:
                return self._fits[self._last].solve()
        files = sorted(self._root.glob(f"{_plain(self.space)}-*.json"), key=_age)
        known = (read_factors(path, self.space) for path in files)
        return next((each for each in known if each), None) or self._brought(source)

    def _start(self, vae: VAE, channels: int) -> Factors | None:
        found = read_factors(self._path(vae.identity), self.space) or self._brought(vae.source)
        return found if found and found.channels == channels else None

    def _brought(self, source: str) -> Factors | None:
        folder = source and not source.startswith("{")  # else it names separate files
        return read_factors(Path(source) / SHIPPED, self.space) if folder else None

    def _path(self, identity: str) -> Path:
        digest = blake3.blake3(f"{self.space}\n{identity}".encode()).hexdigest()
        return self._root / f"{_plain(self.space)}-{digest[:16]}.json"


def _round(pictures: int) -> int:
    """Between which powers of four a number lies."""
    return (pictures.bit_length() + 1) // 2


def _plain(space: str) -> str:
    """A space's name as part of a file name."""
    return re.sub(r"[^A-Za-z0-9_]", "_", space)[:64]


def _age(path: Path) -> float:
    with contextlib.suppress(OSError):
        return -path.stat().st_mtime
    return 0.0


@dataclass(frozen=True)
class PreviewLoader:
    """Gives what is known of a space; ``root`` is the folder of its files."""

    family: str = NAME
    root: Path | None = None

    def load(self, weights: Weights, device: str) -> SpaceColours:
        """The colours of the space ``weights.part``."""
        return SpaceColours(weights.part, self.root or default_root())


LOADER = PreviewLoader()


def space_colours(space: str, load: Load) -> SpaceColours:
    """What this process knows of the colours of a space."""
    found: SpaceColours = load(Weights(NAME, space, "", ""))
    return found


def learn(vae: VAE, samples: Float32, image: Image, load: Load) -> None:
    """Let the space of a VAE learn from latents and their pictures; of latents with a frames axis,
    which must have a single frame here, the frame."""
    stills = samples[:, :, 0] if samples.ndim == 5 else samples
    space_colours(vae.space, load).learn(vae, stills, image)


def learn_video(vae: VAE, samples: Float32, video: Video, step: int, load: Load) -> None:
    """Let the space of a VAE learn from the middle of a video and its latent ``[1, c, t, h, w]``,
    of which each frame but the first stands for ``step`` frames."""
    index = samples.shape[2] // 2
    frame = frame_of(index, step)
    space_colours(vae.space, load).learn(vae, samples[:, :, index], video.read(frame, frame + 1))


def learning(
    vae: VAE, samples: Float32, frames: Iterable[Image], step: int, load: Load
) -> Iterator[Image]:
    """Hand on the decoded frames of a latent ``[1, c, t, h, w]``; its space learns from one frame
    of each latent frame."""
    wanted = {frame_of(index, step): index for index in range(samples.shape[2])}
    first = 0
    for batch in frames:
        for frame in range(first, first + batch.count):
            if frame in wanted:
                image = Image(batch.pixels[frame - first][None], batch.space)
                space_colours(vae.space, load).learn(vae, samples[:, :, wanted[frame]], image)
        first += batch.count
        yield batch


def frame_of(index: int, step: int) -> int:
    """The frame in the middle of those that a latent frame stands for."""
    return 1 + (index - 1) * step + (step - 1) // 2 if index else 0


def viewer(model: Model, space: str, load: Load) -> View:
    """How the latents of a run are shown: by the tiny decoder that the model names, else by what is
    known of their space, else as ``rough_picture``.

    Raises:
        CatalogError: the tiny decoder cannot be loaded.
    """
    if model.preview:
        tiny = TinyView(load(reference(model.preview)))
        return lambda x0: tiny(still(x0))
    known = space_colours(space, load).factors(model.source)

    def view(x0: Tensor) -> Image:
        shown = still(x0)
        if known is None or known.channels != shown.shape[1]:
            return rough_picture(x0)
        return Image(known.colours(np.asarray(shown.float().cpu().numpy())))

    return view


class Shown:
    """Shows a run: the last step, and those before it for which there is time."""

    def __init__(
        self,
        view: View,
        show: Callable[[Callable[[], Image | None]], None],
        share: float = SHARE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``show`` calls what it is given, or not where it has just shown another. ``share`` is
        the part of the run's time that there is for it; the run begins now, by ``clock`` in
        seconds."""
        self._view, self._show, self._share, self._clock = view, show, share, clock
        self._began = clock()
        self._spent = FIRST

    def __call__(self, x0: Tensor, last: bool = False) -> None:
        """Show clean latents, unless it is not yet time."""
        if not last and self._spent > self._share * (self._clock() - self._began):
            return
        begin = self._clock()

        def picture() -> Image | None:
            nonlocal begin
            seen = still(x0).cpu()  # waits for the step, whose time is none of the preview's
            begin = self._clock()
            return self._view(seen)

        self._show(picture)
        self._spent += self._clock() - begin


def still(x0: Tensor) -> Tensor:
    """Latents of pictures ``[b, c, h, w]``; of videos the middle frame."""
    return x0[:, :, x0.shape[2] // 2] if x0.ndim == 5 else x0


def rough_picture(x0: Tensor) -> Image:
    """A rough look at clean latents: the first three channels, each stretched to 0..1 per sample.

    Of a video the middle frame. It needs to know nothing and shows shapes, not true colours.
    """
    import torch

    shown = still(x0)[:, :3].float()
    shown = shown if shown.shape[1] == 3 else shown[:, :1].expand(-1, 3, -1, -1)
    low, high = torch.aminmax(shown.flatten(2), dim=2)
    low, high = low[:, :, None, None], high[:, :, None, None]
    picture = (shown - low) / (high - low).clamp_min(1e-6)
    return Image(picture.permute(0, 2, 3, 1).contiguous().cpu().numpy())
