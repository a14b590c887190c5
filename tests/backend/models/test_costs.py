"""The need of text encoders against what really lives at once, counted by a dispatch mode."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from backend.models.costs import _one_text, calls_of
from tests.backend.models.test_peak import measured

SMALL = {"vocab_size": 100, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
T5 = {
    "d_model": 128, "d_ff": 320, "d_kv": 16, "num_heads": 8, "num_layers": 2,
    "feed_forward_proj": "gated-gelu", **SMALL,
}  # fmt: skip
PLAIN = {
    "hidden_size": 128, "intermediate_size": 512, "num_attention_heads": 8,
    "num_hidden_layers": 2, **SMALL,
}  # fmt: skip
GEMMA = {**PLAIN, "num_key_value_heads": 4, "head_dim": 16}


@pytest.mark.parametrize(
    ("kind", "config", "tokens"),
    [
        ("T5Encoder", T5, 64),
        ("T5Encoder", T5, 256),
        ("UMT5Encoder", T5, 128),
        ("Gemma2", GEMMA, 256),
        ("CLIPText", PLAIN, 77),
    ],
)
def test_a_text_encoder_needs_about_what_the_formula_says(
    kind: str, config: dict[str, Any], tokens: int
) -> None:
    made = getattr(transformers, kind.removesuffix("Encoder") + "Config")(**config)
    net = getattr(transformers, f"{kind}Model")(made).eval()
    ids = torch.ones(1, tokens, dtype=torch.long)
    really = measured(net, lambda: net(input_ids=ids, output_hidden_states=True))
    # CLIP keeps no scores.
    assert 0.5 < really / _one_text(made.to_dict(), tokens) < 1.35


def test_a_config_within_a_config_counts() -> None:
    assert _one_text({"text_config": PLAIN, "hidden_size": 1}, 64) == _one_text(PLAIN, 64) > 0
    assert _one_text({}, 64) == 0


@pytest.mark.parametrize(("solver", "steps", "calls"), [
    ("euler", 10, 10), ("heun", 10, 19), ("unipc", 10, 10), ("none such", 10, 10), ("heun", 0, 0),
    (None, 3, 3),
])  # fmt: skip
def test_calls_of_a_solver(solver: str | None, steps: int, calls: int) -> None:
    assert calls_of(solver, steps) == calls
