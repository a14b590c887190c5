"""What the language nodes do: answer, rewrite, fill a schema, describe pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.diffusion.errors import DiffusionError
from backend.graph.prompts import check_characters
from backend.models.family import part_of
from backend.models.language.choose import Choice
from backend.models.language.constrain import JsonChoice
from backend.models.language.generate import Chooser, FreeChoice, Watch, write_tokens
from backend.models.language.pictures import picture_inputs, pictures_of
from backend.models.language.prompt import check_length, prompt_tokens
from backend.models.language.schema import Node
from backend.sdk import Context
from backend.values import Image, LanguageModel


@dataclass(frozen=True, slots=True)
class Task:
    """What to write: a prompt under a system text, in at most ``max_tokens``, and how.

    Raises:
        PromptError: half of a character is in them.
    """

    prompt: str
    system: str = ""
    max_tokens: int = 256
    choice: Choice = field(default_factory=Choice)
    seed: int = 0

    def __post_init__(self) -> None:
        check_characters(f"{self.system}\n{self.prompt}" if self.system else self.prompt)


def write_text(ctx: Context, model: LanguageModel, task: Task) -> str:
    """The answer of a model, without spaces around it.

    Raises:
        CatalogError: the model's files cannot be used.
        DiffusionError: the prompt is empty or too long, or the model cannot answer.
    """
    loaded = _Loaded.of(ctx, model)
    inputs = loaded.text_inputs(task)
    chooser = FreeChoice(task.choice, task.seed, loaded.ends)
    return loaded.decoded(_write(ctx, loaded, inputs, chooser, task.max_tokens))


def write_json(ctx: Context, model: LanguageModel, task: Task, schema: Node) -> str:
    """The answer of a model as JSON that follows a schema, whatever the model is like.

    Raises:
        CatalogError: the model's files cannot be used.
        DiffusionError: the prompt is too long, or no text by the schema fits in ``max_tokens``.
    """
    loaded = _Loaded.of(ctx, model)
    inputs, table = loaded.text_inputs(task), loaded.tokenizer.table
    chooser = JsonChoice(table, schema, task.choice, task.seed, task.max_tokens, loaded.ends)
    tokens = _write(ctx, loaded, inputs, chooser, task.max_tokens)
    return b"".join(map(table.text, tokens)).decode()


def write_captions(ctx: Context, model: LanguageModel, image: Image, task: Task) -> list[str]:
    """An answer about each picture of a batch; each has what ``task.seed`` gives it alone.

    Raises:
        CatalogError: the model's files cannot be used, or it has no processor for pictures.
        DiffusionError: the prompt with the picture is too long, or the model cannot answer.
    """
    loaded = _Loaded.of(ctx, model)
    processor = ctx.load(part_of(model, "processor"))
    captions = []
    pictures = pictures_of(image)
    for index, picture in enumerate(pictures):
        ctx.check()
        inputs = picture_inputs(processor, picture, task.system, task.prompt)
        if "input_ids" in inputs:
            loaded.check_fits(int(inputs["input_ids"].shape[1]), task.max_tokens)
        chooser = FreeChoice(task.choice, task.seed, loaded.ends)
        share = (index, len(pictures))
        tokens = _write(ctx, loaded, loaded.placed(inputs), chooser, task.max_tokens, share)
        captions.append(loaded.decoded(tokens))
    return captions


@dataclass(frozen=True)
class _Loaded:
    """A model's network and tokenizer."""

    module: Any
    tokenizer: Any

    @classmethod
    def of(cls, ctx: Context, model: LanguageModel) -> _Loaded:
        tokenizer = ctx.load(part_of(model, "tokenizer"))
        return cls(ctx.load(model), tokenizer)

    @property
    def ends(self) -> frozenset[int]:
        """The tokens by which the model or its tokenizer ends a text."""
        own = self.module.generation_config.eos_token_id
        ends = [own] if isinstance(own, int) else list(own or ())
        return frozenset(e for e in (*ends, self.tokenizer.hf.eos_token_id) if e is not None)

    def text_inputs(self, task: Task) -> Mapping[str, Any]:
        import torch

        sees = self.module.config is not self.module.config.get_text_config()
        tokens = prompt_tokens(self.tokenizer.hf, task.system, task.prompt, parts=sees)
        self.check_fits(len(tokens), task.max_tokens)
        ids = torch.tensor([tokens])
        return self.placed({"input_ids": ids, "attention_mask": torch.ones_like(ids)})

    def check_fits(self, prompt: int, answer: int) -> None:
        config = self.module.config.get_text_config(decoder=True)
        limit = getattr(config, "max_position_embeddings", None)
        check_length(prompt, answer, limit if isinstance(limit, int) and limit > 0 else 0)

    def placed(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """The inputs where the network is, numbers with a point in its precision."""
        place, dtype = self.module.device, self.module.dtype
        return {
            name: (value.to(place, dtype) if value.is_floating_point() else value.to(place))
            if hasattr(value, "is_floating_point")
            else value
            for name, value in inputs.items()
        }

    def decoded(self, tokens: list[int]) -> str:
        return str(self.tokenizer.hf.decode(tokens, skip_special_tokens=True)).strip()


def _write(
    ctx: Context,
    loaded: _Loaded,
    inputs: Mapping[str, Any],
    chooser: Chooser,
    max_tokens: int,
    share: tuple[int, int] = (0, 1),
) -> list[int]:
    """Write one text; ``share`` says the how-manieth of how many it is, for the progress."""
    if not hasattr(loaded.module, "generate"):
        raise DiffusionError(
            f"{type(loaded.module).__name__} cannot write text by itself. Choose another model."
        )
    index, count = share

    def progress(done: float, total: float) -> None:
        ctx.progress(index + done / total, count)

    return write_tokens(loaded.module, inputs, chooser, max_tokens, Watch(ctx.check, progress))
