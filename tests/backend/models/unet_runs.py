"""Runs of UNet models: what Weft's comparisons with diffusers need beside ``parity``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from backend.diffusion import sample
from backend.models import fill
from backend.values import Conditioning, Float32, Guider, Latent, Noise, Schedule, Solver, Term
from tests.backend.models import parity
from tests.backend.models.parity import HEIGHT, NEGATIVE, PROMPTS, WIDTH

STEPS = 5
CFG = 3.0
COMMON: dict[str, Any] = {
    "prompt": PROMPTS,
    "negative_prompt": NEGATIVE,
    "guidance_scale": CFG,
    "num_inference_steps": STEPS,
    "output_type": "latent",
}
SIZED: dict[str, Any] = {**COMMON, "width": WIDTH, "height": HEIGHT}


@dataclass
class UnetRuns(parity.Weft):
    """Weft's path on one model folder; conditionings carry the numbers in ``told``, by role.

    ``filled`` are the posterior's seed and the mask for an in-paint model.
    """

    told: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    filled: tuple[int, Float32] | None = None

    def text(self, texts: Sequence[str], role: str = "positive", **options: Any) -> Conditioning:
        said = self.family.encode_text(self.refs.text, texts, options, self.load, "cpu")
        said = replace(said, params={**said.params, **self.told.get(role, {})})
        if self.filled is None:
            return said
        seed, mask = self.filled
        holed = self.encode(fill.with_hole(parity.picture(), mask), seed)
        return fill.add(said, holed, mask)

    def result(self, latent: Latent, seed: int = 3, cfg: float = CFG, solver: str = "euler",
               prompts: Sequence[str] = PROMPTS, negative: Sequence[str] = NEGATIVE,
               **schedule: Any) -> Latent:  # fmt: skip
        terms = (
            Term("positive", self.text(prompts)),
            Term("negative", self.text(negative, "negative")),
        )
        return sample.sample(
            self.family.denoiser(self.refs.model, self.load, "cpu"),
            Guider("cfg", {"cfg": cfg}, self.refs.model, terms),
            Solver(solver),
            Schedule("native", **{"steps": STEPS, **schedule}),
            Noise("gaussian", seed=seed),
            latent,
        )

    def latents(self, latent: Latent, **settings: Any) -> torch.Tensor:
        """The samples of ``result``."""
        return torch.from_numpy(self.result(latent, **settings).samples.copy())
