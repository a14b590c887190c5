"""From a prompt to a conditioning, by a language model and a refiner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from backend.diffusion.errors import DiffusionError
from backend.graph.prompts import check_characters
from backend.models.language.prompt import check_length
from backend.models.refiner.file import PLACE, Join, Settings
from backend.values import Conditioning

if TYPE_CHECKING:
    from torch import Tensor

    from backend.models.refiner.network import Refiner


@dataclass(frozen=True)
class Way:
    """What is taken of a language model where it is to be other than a refiner was trained for."""

    layers: tuple[int, ...] = ()
    join: Join | None = None
    template: str = ""

    def of(self, settings: Settings) -> Settings:
        """The refiner's settings with these in their place.

        Raises:
            DiffusionError: the states would be of another width, or a template has no place for
                the text.
        """
        found = replace(
            settings,
            layers=self.layers or settings.layers,
            join=self.join or settings.join,
            template=self.template or settings.template,
        )
        if found.template.count(PLACE) != 1:
            raise DiffusionError(
                f"The template says {found.template.count(PLACE)} times where the text goes. Write "
                f"{PLACE} once, as in 'Describe this picture: {PLACE}'."
            )
        if found.taken != settings.taken:
            raise DiffusionError(
                f"{_joined(found)} of this language model have {found.taken} numbers a token, and "
                f"the refiner takes {settings.taken} ({_joined(settings)}). Choose as many layers, "
                "or another refiner."
            )
        return found


def _joined(settings: Settings) -> str:
    layers = ", ".join(map(str, settings.layers))
    if len(settings.layers) == 1:
        return f"Layer {layers}"
    return f"Layers {layers} ({'one after the other' if settings.join == 'concat' else 'mean'})"


class States(NamedTuple):
    """Hidden states ``[texts, words, taken]`` of the prompts' own tokens, a mask of them bool
    ``[texts, words]``, and for each text how many tokens it has."""

    values: Tensor
    mask: Tensor
    lengths: tuple[int, ...]


def check_fits(module: Any, settings: Settings) -> None:
    """Refuse a language model that a refiner was not trained for, as far as sizes tell.

    Raises:
        DiffusionError: its states have another width, or it has no such layers.
    """
    config = module.config.get_text_config(decoder=True)
    width, depth = int(config.hidden_size), int(config.num_hidden_layers)
    if width != settings.states:
        raise DiffusionError(
            f"The refiner was trained for a language model whose states are {settings.states} "
            f"wide, and those of this one are {width}. Choose that model, or train a refiner for "
            "this one."
        )
    wrong = [layer for layer in settings.layers if not -depth - 1 <= layer <= depth]
    if wrong:
        raise DiffusionError(
            f"There is no layer {wrong[0]}: this language model has {depth} layers, numbered from "
            "1; 0 are the embeddings, and -1 is the last."
        )


def states_of(module: Any, tokenizer: Any, texts: Sequence[str], settings: Settings) -> States:
    """What a language model makes of prompts, without the tokens of the template around them.

    A text is cut at ``settings.reads`` tokens. Texts are padded behind, which a causal model does
    not see.

    Raises:
        DiffusionError: template and text are longer than the model reads.
    """
    import torch

    before, _, after = settings.template.partition(PLACE)
    first, last = _tokens(tokenizer, before), _tokens(tokenizer, after)
    start = tokenizer.bos_token_id
    head = [*([] if start is None or start in first[:1] else [start]), *first]
    own = [_tokens(tokenizer, text) for text in texts]
    rows = [[*head, *tokens[: settings.reads], *last] for tokens in own]
    length = max([1, *map(len, rows)])
    limit = getattr(module.config.get_text_config(decoder=True), "max_position_embeddings", None)
    check_length(length, 0, limit if isinstance(limit, int) else 0)
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    seen = torch.zeros(len(rows), length, dtype=torch.long)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row, dtype=torch.long)
        seen[number, : max(1, len(row))] = 1  # a model of no start token reads token 0 of ""
    with torch.no_grad():
        found = module.base_model(
            input_ids=ids.to(module.device),
            attention_mask=seen.to(module.device),
            output_hidden_states=True,
            use_cache=False,
        ).hidden_states
    layers = [found[layer].float() for layer in settings.layers]
    joined = torch.cat(layers, -1) if settings.join == "concat" else torch.stack(layers).mean(0)
    most = max([1, *(min(len(tokens), settings.reads) for tokens in own)])
    values = torch.nn.functional.pad(joined, (0, 0, 0, most))[:, len(head) : len(head) + most]
    counts = torch.tensor([min(len(tokens), settings.reads) for tokens in own])
    mask = torch.arange(most)[None] < counts[:, None]
    return States(values, mask.to(values.device), tuple(len(tokens) for tokens in own))


def _tokens(tokenizer: Any, text: str) -> list[int]:
    if not text:
        return []
    return [int(token) for token in tokenizer(text, add_special_tokens=False)["input_ids"]]


def encode(
    refiner: Refiner, module: Any, tokenizer: Any, text: str, way: Way
) -> tuple[Conditioning, int]:
    """The conditioning of one text, and how many of its tokens were cut off.

    Raises:
        DiffusionError: language model, refiner and ``way`` do not fit together.
        PromptError: half of a character is in the text or the template.
    """
    import torch

    check_characters(f"{way.template}{text}")
    settings = way.of(refiner.settings)
    check_fits(module, settings)
    found = states_of(module, tokenizer, [text], settings)
    place = next(refiner.parameters()).device
    with torch.no_grad():
        sequence, pooled = refiner(found.values.to(place), found.mask.to(place))
    if not torch.isfinite(sequence).all():
        raise DiffusionError(
            "The language model's states are not numbers. Its weights are damaged, or the "
            "precision is too low for them; get the model again."
        )
    tensors = {"sequence": sequence.cpu().numpy()}
    if settings.pooled:
        tensors["pooled"] = pooled.cpu().numpy()
    cut = max(0, found.lengths[0] - settings.reads)
    return Conditioning(settings.space, tensors, {}), cut
