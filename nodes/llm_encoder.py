"""A language model as a text encoder for a model that was trained with another."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeAlias

from backend.models.explain import explained
from backend.models.family import part_of
from backend.models.refiner.encode import Way, encode
from backend.models.refiner.file import read_settings
from backend.models.refiner.load import reference
from backend.sdk import (
    Conditioning,
    Context,
    Facts,
    FilePath,
    LanguageModel,
    Multiline,
    Peak,
    ScalarList,
    UserError,
    facts_of,
    node,
)

JoinName: TypeAlias = Literal["trained", "concat", "mean"]


@node(
    category="Conditioning",
    lane="device",
    title="LLM Encoder",
    aliases=("language model encoder", "llm prompt", "refiner", "li-dit", "text encoder"),
)
def llm_encoder(
    ctx: Context,
    model: LanguageModel,
    file: FilePath = "",
    text: Multiline = "",
    layers: ScalarList = (),
    join: JoinName = "trained",
    template: Multiline = "",
) -> Conditioning:
    """Let a language model read the prompt, in place of a model's own text encoder.

    A refiner, `file`, turns what the language model makes of each word into what the denoiser
    understands; it was trained for one language model and one family of denoisers (`python -m
    backend.train refiner`), and another is refused. What the refiner was trained with is used where
    a parameter is left empty. `layers` are the layers that are taken: 0 are the embeddings, 1 the
    first, -1 the last. `join` puts several one after the other or takes their mean. `template`
    stands around the prompt, which goes where it says {text}; instructions such as "Describe this
    picture: {text}" help large models.
    Link it wherever encode_text goes, to the negative as well, with an empty text.

    Example: load_language_model("primer-language") -> llm_encoder(text="a red circle above a blue
    square", file="primer-language-refiner.safetensors") -> sample.positive.
    """
    path = ctx.read(_named(file))
    way = Way(_whole(layers), None if join == "trained" else join, template)
    with explained():
        refiner = ctx.load(reference(path))
        tokenizer = ctx.load(part_of(model, "tokenizer")).hf
        made, cut = encode(refiner, ctx.load(model), tokenizer, text, way)
    if cut:
        ctx.note(
            f"The text has {cut} tokens more than the {refiner.settings.reads} that this refiner "
            "reads; they were cut off."
        )
    return made


@llm_encoder.facts
def _(p: Any, model: Facts | None) -> Facts:
    if p.layers is not None:
        _whole(p.layers)
    if not p.file:
        return facts_of("Conditioning", count=1)
    path: Path = p.lookup.file(p.file)
    with explained():
        known = read_settings(path)
        if None not in (p.layers, p.join, p.template):
            Way(_whole(p.layers), None if p.join == "trained" else p.join, p.template).of(known)
    told = 4 * (known.tokens * known.sequence + known.pooled)
    return facts_of("Conditioning", space=known.space, count=1).but(bytes=told)


@llm_encoder.peak
def _(p: Any, model: Facts | None) -> Peak:
    """A pass of the model, whose states of all layers are kept; they are about as large as its keys
    and values, twice that at 32 bits. A byte of a text is a token at most."""
    uses = (("model", 1),)
    if model is None or not model.token_bytes or p.text is None or p.template is None:
        return Peak(None, uses)
    return Peak(8 * model.token_bytes * (len(f"{p.text}{p.template}".encode()) + 1), uses)


def _named(file: str) -> str:
    if not file:
        raise UserError(
            "No refiner is chosen. Choose the safetensors file that was trained for this language "
            "model and the denoiser."
        )
    return file


def _whole(layers: tuple[float, ...]) -> tuple[int, ...]:
    """The numbers of layers.

    Raises:
        UserError: one is no whole number.
    """
    for layer in layers:
        if layer % 1:
            raise UserError(f"Layers have whole numbers, and {layer:g} is none. Write -1 or 3.")
    return tuple(int(layer) for layer in layers)
