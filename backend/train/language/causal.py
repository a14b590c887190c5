"""Training the world's language model: it goes on with captions, rewrites prompts, writes boxes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from backend.train.language import corpus, tokenizer
from backend.train.language.loop import LoopPlan, Loss, train
from backend.train.vae import Log

_UNASKED = -100  # the target that cross entropy leaves out


def _polish(steps: int, rate: float, seed: int) -> LoopPlan:
    return LoopPlan(steps, rate, rate, 20, 0.3, 0.98, 50, seed)


@dataclass(frozen=True)
class Polish:
    """A short training after the first, with ``parts`` texts of each task in a step."""

    parts: tuple[int, ...]
    loop: LoopPlan


@dataclass(frozen=True)
class CausalPlan:
    """Sizes of the language model and of its training; ``parts`` texts of each task in a step.

    Then come short trainings, ``polish``, mostly of rewriting, which is learnt last.
    """

    width: int = 192
    layers: int = 5
    heads: int = 6
    inner: int = 512
    length: int = 2048
    parts: tuple[int, ...] = (12, 16, 24, 0)
    loop: LoopPlan = field(default_factory=lambda: LoopPlan(1000, hold=0.5))
    polish: tuple[Polish, ...] = (
        Polish((2, 24, 4, 0), _polish(200, 2e-3, 4)),
        Polish((2, 24, 4, 0), _polish(240, 3e-3, 5)),
        Polish((2, 6, 4, 20), _polish(160, 3e-3, 6)),
    )


def build(plan: CausalPlan) -> tuple[LlamaForCausalLM, Any]:
    """An untrained model and its tokenizer."""
    words = tokenizer.build(plan.length)
    torch.manual_seed(plan.loop.seed)
    model = LlamaForCausalLM(config(plan, words))
    # On a CPU the backward pass of the fused attention is slow for texts as short as these.
    model.set_attn_implementation("eager")
    return model, words


def config(plan: CausalPlan, words: Any) -> LlamaConfig:
    """The settings of the model for a tokenizer."""
    return LlamaConfig(
        vocab_size=len(words),
        hidden_size=plan.width,
        intermediate_size=plan.inner,
        num_hidden_layers=plan.layers,
        num_attention_heads=plan.heads,
        num_key_value_heads=plan.heads // 3,
        max_position_embeddings=plan.length,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        tie_word_embeddings=True,
    )


def batch(words: Any, texts: Sequence[corpus.Text]) -> tuple[Tensor, Tensor]:
    """Token numbers ``[texts, length]`` padded behind, and targets: the next token where it is to
    be written, nothing where it is given."""
    rows = []
    for given, wanted in texts:
        first, second = (
            words(text, add_special_tokens=False)["input_ids"] for text in (given, wanted)
        )
        rows.append((first, second))
    length = max(len(first) + len(second) for first, second in rows)
    ids = torch.full((len(rows), length), words.pad_token_id)
    targets = torch.full((len(rows), length), _UNASKED)
    for number, (first, second) in enumerate(rows):
        every = torch.tensor(first + second)
        ids[number, : len(every)] = every
        targets[number, len(first) - 1 : len(every) - 1] = torch.tensor(second)
    return ids, targets


def loss_of(model: Any, ids: Tensor, targets: Tensor, **more: Any) -> Tensor:
    """The mean cross entropy of the tokens that are to be written."""
    with torch.autocast("cpu", torch.bfloat16):
        scores = model(input_ids=ids, use_cache=False, **more).logits
    return functional.cross_entropy(
        scores.float().flatten(0, 1), targets.flatten(), ignore_index=_UNASKED
    )


def train_causal(
    folder: Path, plan: CausalPlan, log: Log = print, stop_at: int | None = None
) -> Path:
    """Train the model in ``folder``, or go on there; gives the exported model's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    model, words = build(plan)
    model.train()

    def lessons(loop: LoopPlan, parts: Sequence[int]) -> Loss:
        def step_loss(step: int) -> Tensor:
            losses = []
            for task, count in zip(corpus.TASKS, parts, strict=True):
                first = step * count
                texts = [corpus.draw(loop.seed, first + i, task) for i in range(count)]
                if texts:
                    losses.append(loss_of(model, *batch(words, texts)))
            return torch.stack(losses).mean()

        return step_loss

    train(model, lessons(plan.loop, plan.parts), plan.loop, folder / "causal.pt", log, stop_at)
    for number, more in enumerate(plan.polish if stop_at is None else ()):
        path = folder / f"polish-{number}.pt"
        train(model, lessons(more.loop, more.parts), more.loop, path, log)
    return export(model, words, folder / "model")


def export(model: Any, words: Any, folder: Path) -> Path:
    """Write a model in bf16 with its tokenizer, whole or not at all. The model is bf16 after."""
    temporary = folder.with_name(folder.name + ".part")
    shutil.rmtree(temporary, ignore_errors=True)
    model.to(torch.bfloat16).save_pretrained(temporary)
    words.save_pretrained(temporary)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    return folder
