"""Writing text: one loop over tokens with the model's own ``generate``, cancelled at any token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from backend.diffusion.errors import DiffusionError
from backend.models.language.choose import Choice, choose_token

if TYPE_CHECKING:
    from torch import Tensor


class Chooser(Protocol):
    """Turns scores into tokens, and says when the text is done."""

    def next(self, scores: Tensor) -> int | None:
        """The token to write next by the scores ``[vocabulary]``; ``None`` if the text is done."""


@dataclass
class FreeChoice:
    """Chooses without any condition until the model ends its text."""

    choice: Choice
    seed: int
    ends: frozenset[int]
    _generator: Any = None

    def next(self, scores: Tensor) -> int | None:
        """See ``Chooser``."""
        import torch

        if self._generator is None:
            self._generator = torch.Generator("cpu").manual_seed(self.seed)
        token = choose_token(scores, self.choice, self._generator)
        return None if token in self.ends else token


@dataclass
class Watch:
    """What a run of ``write_tokens`` tells while it goes: ``check`` may raise, and does so before
    the next token."""

    check: Callable[[], None]
    progress: Callable[[float, float], None]


def write_tokens(
    module: Any, inputs: Mapping[str, Any], chooser: Chooser, max_tokens: int, watch: Watch
) -> list[int]:
    """The tokens that a model writes after ``inputs`` (``input_ids`` ``[1, n]`` and what else its
    ``forward`` takes), at most ``max_tokens``; the token that ends the text is left out.

    Raises:
        DiffusionError: the model cannot go on from such inputs.
    """
    import torch
    from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

    steering = _Steering(chooser, max_tokens, watch)
    own = module.generation_config
    settings = GenerationConfig(
        max_new_tokens=max_tokens,
        do_sample=False,
        bos_token_id=own.bos_token_id,
        decoder_start_token_id=own.decoder_start_token_id,
        # The steering ends the text. Padding is never made, but the library asks for it.
        pad_token_id=own.pad_token_id or 0,
    )
    try:
        module.generate(
            **inputs,
            generation_config=settings,
            logits_processor=LogitsProcessorList([steering.scores]),
            stopping_criteria=StoppingCriteriaList([steering.stopped]),
        )
    except torch.OutOfMemoryError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, DiffusionError):
            raise
        raise DiffusionError(
            f"{type(module).__name__} cannot write from these inputs ({str(error)[:200]}). Choose "
            "another model, or get its config and tokenizer files again."
        ) from error
    watch.progress(max_tokens, max_tokens)
    return steering.tokens


@dataclass
class _Steering:
    """Stands in ``generate`` as a logits processor that leaves one token, and as its end."""

    chooser: Chooser
    total: int
    watch: Watch
    tokens: list[int] = field(default_factory=list)
    done: bool = False

    def scores(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        import torch

        self.watch.check()
        self.watch.progress(len(self.tokens), self.total)
        token = self.chooser.next(scores[0])
        if token is None:
            self.done, token = True, 0
        else:
            self.tokens.append(token)
        only = torch.full_like(scores, -torch.inf)
        only[:, token] = 0
        return only

    def stopped(self, input_ids: Tensor, scores: Tensor, **more: Any) -> Tensor:
        import torch

        return torch.full((input_ids.shape[0],), self.done, device=input_ids.device)
