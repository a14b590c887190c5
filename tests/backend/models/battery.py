"""The battery of tests that each family passes against diffusers' pipelines on tiny models.

A family's module has one class, with a ``Case`` of what is its own and with the tests that only
this family needs::

    class TestFlux(PictureParity):
        case = Case(tiny.write, FluxPipeline, ...)

Fixtures of the class are the model's folder (``folder``), Weft's path on it (``weft``), the
pipeline (``pipe``), and what the pipelines make of texts (``from_texts``), of a picture
(``image_to_image``) and of a part of it (``in_paint``). Where a pipeline has to be asked in another
way, the class says so in a method: ``pipeline``, ``told``, ``packed`` or ``latents``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.diffusion import sample
from backend.diffusion.noise import sample_seed
from tests.backend.models import parity
from tests.backend.models.mistakes import Mistake
from tests.backend.models.parity import (
    MARGIN,
    NEGATIVE,
    PROMPTS,
    TOLERANCE,
    Weft,
    difference,
    injected,
    mask_image,
    picture,
    pixels,
)

STRENGTH, PAINTED = 0.6, 0.8
"""How much of a run is done on a picture, and where a part of it is painted anew."""

CHANGED: Mapping[str, Mapping[str, Any]] = {
    "another guidance": {"cfg": 3.3},
    "texts swapped": {"prompts": PROMPTS[::-1]},
    "no negative texts": {"negative": ["", ""]},
    "another seed": {"seed": 4},
}
"""Settings of a run that have to show."""


@dataclass(frozen=True)
class Variant:
    """Another model of a family: what writes it, and the settings for both sides."""

    write: Callable[[Path], Any]
    weft: Mapping[str, Any] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """What is a family's own.

    ``write`` writes the tiny model. ``pipeline`` makes pictures from texts, ``from_picture`` from
    a picture, ``in_paint`` parts of one; they are told ``told`` beside the texts, the size and the
    steps, and ``scale(cfg)`` for the guidance; but the one from a picture no size, unless it is
    ``picture_sized``. ``weft`` are Weft's settings for the same.
    ``mistakes`` and ``changed`` settings have to show in pictures from texts, ``picture_mistakes``
    in those from pictures.
    """

    write: Callable[[Path], Path]
    pipeline: Any
    from_picture: Any = None
    in_paint: Any = None
    picture_sized: bool = True
    told: Mapping[str, Any] = field(default_factory=dict)
    scale: Callable[[float], Mapping[str, float]] = lambda cfg: {"guidance_scale": cfg}
    weft: Mapping[str, Any] = field(default_factory=dict)
    variants: Mapping[str, Variant] = field(default_factory=dict)
    mistakes: Mapping[str, Mistake] = field(default_factory=dict)
    changed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    picture_mistakes: Mapping[str, Mistake] = field(default_factory=dict)


def unsized(told: Mapping[str, Any]) -> dict[str, Any]:
    """For pipelines that take the size from a picture."""
    return {name: value for name, value in told.items() if name not in ("width", "height")}


class Parity:
    """The tests of every family: pictures, or videos, from texts."""

    case: Case

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """A test for each of the case's entries, called by its name."""
        case = self.case
        entries: Mapping[str, Mapping[str, Any]] = {
            "variant": case.variants,
            "mistake": case.mistakes,
            "picture_mistake": case.picture_mistakes,
            "changed": {**CHANGED, **case.changed},
        }
        for name, values in entries.items():
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, list(values.values()), ids=list(values))

    @classmethod
    def ours(cls, folder: Path, **settings: Any) -> Weft:
        """Weft's path on a model folder."""
        return Weft.of(folder, **{**cls.case.weft, **settings})

    @classmethod
    def pipeline(cls, kind: Any, folder: Path) -> Any:
        """A pipeline on a model folder."""
        return parity.pipeline(kind, folder)

    @classmethod
    def told(cls, pipe: Any, weft: Weft) -> dict[str, Any]:
        """What a pipeline is told, whatever it makes; the lists are its own to write into."""
        width, height = weft.size
        return {
            "prompt": [*PROMPTS],
            "negative_prompt": [*NEGATIVE],
            "width": width,
            "height": height,
            "num_inference_steps": weft.steps,
            "output_type": "latent",
            **cls.case.scale(parity.CFG),
            **cls.case.told,
        }

    @classmethod
    def packed(cls, latents: torch.Tensor) -> torch.Tensor:
        """Latents ``[b, c, h, w]`` as the pipeline takes them."""
        return latents

    @classmethod
    def latents(cls, result: Any) -> torch.Tensor:
        """The latents ``[b, c, h, w]`` that a pipeline made."""
        found: torch.Tensor = result[0]
        return found

    @classmethod
    def made(cls, pipe: Any, weft: Weft, **changes: Any) -> Any:
        """What a pipeline makes of Weft's noise and the texts."""
        noise = cls.packed(weft.noise())
        return pipe(**{**cls.told(pipe, weft), "latents": noise, **changes})

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return cls.case.write(tmp_path_factory.mktemp("model"))

    @pytest.fixture(scope="class")
    @classmethod
    def weft(cls, folder: Path) -> Weft:
        return cls.ours(folder)

    @pytest.fixture(scope="class")
    @classmethod
    def pipe(cls, folder: Path) -> Any:
        return cls.pipeline(cls.case.pipeline, folder)

    @pytest.fixture(scope="class")
    @classmethod
    def from_texts(cls, pipe: Any, weft: Weft) -> torch.Tensor:
        return cls.latents(cls.made(pipe, weft))

    def test_from_texts_equals_diffusers(self, weft: Weft, from_texts: torch.Tensor) -> None:
        assert difference(weft.run(weft.empty()), from_texts) < TOLERANCE

    def test_unguided_equals_diffusers(self, weft: Weft, pipe: Any) -> None:
        theirs = self.latents(self.made(pipe, weft, **self.case.scale(1.0)))
        assert difference(weft.run(weft.empty(), cfg=1.0), theirs) < TOLERANCE

    def test_other_models_equal_diffusers(self, variant: Variant, tmp_path: Path) -> None:
        folder = tmp_path / "model"
        variant.write(folder)
        ours, pipe = self.ours(folder, **variant.weft), self.pipeline(self.case.pipeline, folder)
        theirs = self.latents(self.made(pipe, ours, **variant.told))
        assert difference(ours.run(ours.empty()), theirs) < TOLERANCE

    def test_decoding_equals_diffusers(
        self, weft: Weft, pipe: Any, from_texts: torch.Tensor
    ) -> None:
        theirs = self.made(pipe, weft, output_type="np")[0]
        assert difference(weft.decode(from_texts), torch.from_numpy(theirs)) < TOLERANCE

    def test_a_batch_equals_its_samples_alone(self, weft: Weft, from_texts: torch.Tensor) -> None:
        for index in range(2):
            one = slice(index, index + 1)
            texts = {"prompts": PROMPTS[one], "negative": NEGATIVE[one]}
            alone = weft.run(weft.empty(1), sample_seed(3, index), **texts)
            assert difference(alone, from_texts[one]) < TOLERANCE

    def test_one_text_serves_a_whole_batch(self, weft: Weft) -> None:
        one = weft.run(weft.empty(), prompts=PROMPTS[:1], negative=NEGATIVE[:1])
        same = weft.run(weft.empty(), prompts=PROMPTS[:1] * 2, negative=NEGATIVE[:1] * 2)
        assert difference(one, same) < TOLERANCE

    def test_mistakes_are_far_off(
        self,
        mistake: Mistake,
        weft: Weft,
        from_texts: torch.Tensor,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        mistake(monkeypatch)
        assert difference(weft.run(weft.empty()), from_texts) > MARGIN * TOLERANCE

    def test_wrong_settings_are_far_off(
        self, changed: Mapping[str, Any], weft: Weft, from_texts: torch.Tensor
    ) -> None:
        assert difference(weft.run(weft.empty(), **changed), from_texts) > MARGIN * TOLERANCE


class PictureParity(Parity):
    """The tests of families that also go on from pictures, whole or in part."""

    @pytest.fixture(scope="class")
    @classmethod
    def image_to_image(cls, folder: Path, weft: Weft) -> torch.Tensor:
        kind = cls.case.from_picture
        pipe = cls.pipeline(kind, folder)
        told = cls.told(pipe, weft)
        if not cls.case.picture_sized:
            told = unsized(told)
        with injected(kind):
            return cls.latents(pipe(**told, image=pixels(), strength=STRENGTH))

    @pytest.fixture(scope="class")
    @classmethod
    def in_paint(cls, folder: Path, weft: Weft) -> torch.Tensor:
        kind = cls.case.in_paint
        pipe = cls.pipeline(kind, folder)
        given = {"image": pixels(), "mask_image": mask_image(), "strength": PAINTED}
        with injected(kind):
            return cls.latents(pipe(**cls.told(pipe, weft), **given))

    def test_image_to_image_equals_diffusers(
        self, weft: Weft, image_to_image: torch.Tensor
    ) -> None:
        ours = weft.run(weft.encode(picture(), seed=11), 12, 1 - STRENGTH)
        assert difference(ours, image_to_image) < TOLERANCE

    def test_in_paint_equals_diffusers(self, weft: Weft, in_paint: torch.Tensor) -> None:
        assert difference(weft.run(weft.masked(), 12, 1 - PAINTED), in_paint) < TOLERANCE

    def test_mistakes_with_pictures_are_far_off(
        self,
        picture_mistake: Mistake,
        weft: Weft,
        image_to_image: torch.Tensor,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        picture_mistake(monkeypatch)
        ours = weft.run(weft.encode(picture(), seed=11), 12, 1 - STRENGTH)
        assert difference(ours, image_to_image) > MARGIN * TOLERANCE

    def test_wrong_starts_are_far_off(self, weft: Weft, image_to_image: torch.Tensor) -> None:
        """Another part of the run, or the posterior's mean for a sample of it."""
        encoded = weft.encode(picture(), seed=11)
        for latent, start in ((encoded, 1 - 0.75), (weft.encode(picture()), 1 - STRENGTH)):
            ours = weft.run(latent, 12, start)
            assert difference(ours, image_to_image) > MARGIN * TOLERANCE

    def test_wrong_masks_are_far_off(self, weft: Weft, in_paint: torch.Tensor) -> None:
        latent = weft.masked()
        assert latent.mask is not None
        for wrong in (1 - latent.mask, np.ones_like(latent.mask), np.roll(latent.mask, 1, axis=2)):
            ours = weft.run(latent.but(mask=wrong), 12, 1 - PAINTED)
            assert difference(ours, in_paint) > MARGIN * TOLERANCE

    def test_a_rest_without_noise_is_far_off(
        self, weft: Weft, in_paint: torch.Tensor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What is kept of a picture has to have the noise of each level."""

        def clean(start: Any, mask: torch.Tensor) -> Any:
            return lambda x, sigma, left: (1 - mask[:, None]) * start.original + mask[:, None] * x

        monkeypatch.setattr(sample, "keep", clean)
        assert difference(weft.run(weft.masked(), 12, 1 - PAINTED), in_paint) > MARGIN * TOLERANCE
