"""Language models: load one, let it write, rewrite and fill forms, and describe pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from backend.catalog.errors import CatalogError
from backend.catalog.folder import read_folder
from backend.diffusion.noise import sample_seed
from backend.models.explain import explained
from backend.models.language.choose import Choice
from backend.models.language.plans import asking
from backend.models.language.reference import FAMILY_NAME, check, language_facts, reference
from backend.models.language.rewriting import WAYS, instruction
from backend.models.language.schema import read_schema
from backend.sdk import (
    Context,
    Facts,
    Image,
    LanguageModel,
    ModelRef,
    Multiline,
    Peak,
    Range,
    SeedParam,
    UserError,
    facts_of,
    node,
)

if TYPE_CHECKING:
    WayName: TypeAlias = str
else:
    WayName = Literal[tuple(WAYS)]

MaxTokens = Annotated[int, Range(1, 32768, 1)]
Temperature = Annotated[float, Range(0, 2, 0.05)]
TopP = Annotated[float, Range(0.01, 1, 0.01)]
TopK = Annotated[int, Range(0, 1000, 1)]

PICTURE_TOKENS = 4096
"""Tokens that a picture takes at most in common image-text models, for the forecast of memory."""


@node(category="Language", aliases=("llm", "vlm", "causal lm", "transformers", "qwen", "llama"))
def load_language_model(ctx: Context, model: ModelRef = "") -> LanguageModel:
    """Name a language model that runs here, on this machine.

    `model` is a folder as transformers saves it: config.json, the weights in safetensors, and the
    tokenizer. Any causal language model and any image-text model of transformers will do; code
    that comes with a model is never run. Nothing is loaded yet.

    Example: load_language_model -> rewrite_prompt -> encode_text.
    """
    with explained():
        return reference(read_folder(ctx.model_folder(model)))


@load_language_model.facts
def _(p: Any) -> Facts:
    if not p.model:
        return facts_of("LanguageModel")
    folder = p.lookup.model(p.model)
    if folder is None:
        return facts_of("LanguageModel")
    try:
        check(folder)
    except CatalogError as error:
        raise UserError(str(error)) from error
    known = language_facts(folder)
    return facts_of(
        "LanguageModel",
        family=FAMILY_NAME,
        identity=folder.identity(),
        bytes=known.nbytes,
        token_bytes=known.token_bytes or None,
        context=known.context or None,
    )


@node(category="Language", lane="device", aliases=("llm", "chat", "ask", "answer", "complete"))
def generate_text(
    ctx: Context,
    model: LanguageModel,
    prompt: Multiline = "",
    system: Multiline = "",
    max_tokens: MaxTokens = 256,
    temperature: Temperature = 0.7,
    top_p: TopP = 0.95,
    top_k: TopK = 50,
    seed: SeedParam = 0,
) -> str:
    """Let a language model answer a prompt.

    `system` says how it should behave. A model with a chat template gets both as a conversation;
    one without goes on from where the text ends. The answer has at most `max_tokens` tokens, about
    three quarters of a word each. `temperature` 0 always takes the likeliest token; higher ones
    are bolder. Only the `top_k` likeliest tokens are drawn from (0: all), and of these the fewest
    that together have the probability `top_p`. The same seed gives the same text.

    Example: generate_text(prompt="Name five birds of the sea.") -> split_text -> a picture each.
    """
    from backend.models.language.write import Task, write_text

    with explained():
        choice = Choice(temperature, top_p, top_k)
        return write_text(ctx, model, Task(prompt, system, max_tokens, choice, seed))


@generate_text.facts
def _(p: Any, model: Facts | None) -> Facts:
    return facts_of("Text")


@generate_text.peak
def _(p: Any, model: Facts | None) -> Peak:
    return writing_peak(model, p.max_tokens, p.prompt, p.system)


@node(category="Language", lane="device", aliases=("enhance prompt", "expand", "translate", "llm"))
def rewrite_prompt(
    ctx: Context,
    model: LanguageModel,
    text: Multiline = "",
    way: WayName = "enlarge",
    instruction: Multiline = "",
    count: Annotated[int, Range(1, 100, 1)] = 1,
    max_tokens: MaxTokens = 256,
    temperature: Temperature = 0.7,
    seed: SeedParam = 0,
) -> list[str]:
    """Rewrite a prompt with a language model, once or several times.

    `enlarge` makes a rich description of a short text, `shorten` the other way; `translate` gives
    English, `keywords` a line of them, `vary` another prompt in the same spirit. `instruction`
    adds your own words, and with `own` stands alone. `count` asks for so many texts, each with its
    own seed drawn from `seed`; at `temperature` 0 they are all the same.

    Example: rewrite_prompt(text="a cat on a roof", count=4) -> encode_text makes four prompts.
    """
    from backend.models.language.write import Task, write_text

    if way == "own" and not instruction.strip():
        raise UserError("There is no instruction. Write what should be done with the text.")
    if not text.strip():
        raise UserError("There is no text to rewrite. Write or link one.")
    system = _instruction(way, instruction)
    with explained():
        tasks = (
            Task(text, system, max_tokens, Choice(temperature), sample_seed(seed, index))
            for index in range(count)
        )
        return [write_text(ctx, model, task) for task in tasks]


_instruction = instruction


@rewrite_prompt.facts
def _(p: Any, model: Facts | None) -> Facts:
    return facts_of("Text").listed(p.count)


@rewrite_prompt.peak
def _(p: Any, model: Facts | None) -> Peak:
    return writing_peak(model, p.max_tokens, p.text, p.instruction, count=p.count)


SCHEMA = '{"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}'


@node(category="Language", lane="device", aliases=("structured", "form", "json schema", "extract"))
def generate_json(
    ctx: Context,
    model: LanguageModel,
    prompt: Multiline = "",
    schema: Multiline = SCHEMA,
    system: Multiline = "",
    max_tokens: MaxTokens = 1024,
    temperature: Temperature = 0.7,
    seed: SeedParam = 0,
) -> str:
    """Let a language model fill in JSON that follows a schema, always.

    Each token is chosen among those that the schema allows, and the text is closed in time, so
    that within `max_tokens` it is whole; a schema for which that is too few is refused. `schema`
    is JSON Schema with: type, properties, required, items, enum, const, anyOf, $ref into $defs,
    minLength, maxLength, minimum, maximum, their exclusive forms, minItems and maxItems. Anything
    else is refused. Numbers have at most six digits after the point.

    Example: generate_json(prompt="Invent a ship.", schema=a schema with a name and a length).
    """
    from backend.models.language.write import Task, write_json

    with explained():
        wanted = read_schema(schema)
        task = Task(asking(prompt, schema), system, max_tokens, Choice(temperature), seed)
        return write_json(ctx, model, task, wanted)


@generate_json.facts
def _(p: Any, model: Facts | None) -> Facts:
    if p.schema is not None:
        with explained():
            read_schema(p.schema)
    return facts_of("Text")


@generate_json.peak
def _(p: Any, model: Facts | None) -> Peak:
    return writing_peak(model, p.max_tokens, p.prompt, p.schema, p.system)


@node(
    category="Language", lane="device", aliases=("vlm", "describe", "interrogate", "image to text")
)
def caption_image(
    ctx: Context,
    model: LanguageModel,
    image: Image,
    prompt: Multiline = "Describe this picture.",
    max_tokens: MaxTokens = 256,
    temperature: Temperature = 0.0,
    seed: SeedParam = 0,
) -> list[str]:
    """Describe pictures, or answer a question about them, with an image-text model.

    Each picture of a batch gets a text of its own. At `temperature` 0 it is always the likeliest
    one; above, the seed matters. What is transparent is shown on white.

    Example: load_image -> caption_image(prompt="What is written here?").
    """
    from backend.models.language.write import Task, write_captions

    with explained():
        task = Task(prompt, "", max_tokens, Choice(temperature), seed)
        return write_captions(ctx, model, image, task)


@caption_image.facts
def _(p: Any, model: Facts | None, image: Facts | None) -> Facts:
    return facts_of("Text").listed(image.count if image else None)


@caption_image.peak
def _(p: Any, model: Facts | None, image: Facts | None) -> Peak:
    count = image.count if image is not None else None
    return writing_peak(model, p.max_tokens, p.prompt, more=PICTURE_TOKENS, count=count)


def writing_peak(
    model: Facts | None,
    max_tokens: int | None,
    *texts: str | None,
    more: int = 0,
    count: int | None = 1,
) -> Peak:
    """The peak of writing with the model at ``model``.

    Twice the key-value cache at 16 bits, which is that in float32: a byte of a text is a token
    at most. Every token that is written is a pass."""
    uses = (("model", (max_tokens or 1) * (count or 1)),)
    if model is None or not model.token_bytes or max_tokens is None or None in texts:
        return Peak(None, uses)
    written = sum(len((text or "").encode()) for text in texts)
    return Peak(2 * model.token_bytes * (written + max_tokens + more), uses)
