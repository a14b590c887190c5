"""The tokenizer of the world's language models: a byte-level BPE with the world's words whole.

Any text can be written in it, byte by byte where it knows no word. Numbers of boxes are two tokens
each ("0." and two digits), and what stands between them in JSON is one.
"""

from __future__ import annotations

from typing import Any, Final

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from backend.train.text import COMMON_WORDS, grammar_words, pair_merges

START: Final = "<s>"
END: Final = "</s>"
REWRITE: Final = "<|rewrite|>"
BOXES: Final = "<|boxes|>"
ANSWER: Final = "<|answer|>"
IMAGE: Final = "<image>"
SPECIALS: Final = (START, END, REWRITE, BOXES, ANSWER, IMAGE)

JSON_PIECES: Final = ('[{"box":[', '],"caption":"', '"},{"box":[', '"}]')
_SCHEMA_MARK: Final = "\\n\\nAnswer in JSON by this schema:"

TEMPLATE: Final = (
    f"{START}{{% set told = namespace(way='') %}}{{% for m in messages %}}"
    f"{{% if m.role == 'system' %}}{{% set told.way = '{REWRITE}' %}}"
    "{% else %}{% set parts = m.content.split('" + _SCHEMA_MARK + "') %}"
    f"{{% if parts | length > 1 %}}{BOXES}{{{{ parts[0] }}}}{ANSWER}"
    f"{{% elif told.way %}}{{{{ told.way }}}}{{{{ m.content }}}}{ANSWER}"
    "{% else %}{{ m.content }}{% endif %}{% endif %}{% endfor %}"
)
"""What the model was trained for, by what it is asked: with a system text it rewrites the prompt,
with a schema it writes boxes, else it goes on from the prompt."""

SEEING_TEMPLATE: Final = f"{START}{IMAGE}{ANSWER}"
"""The image-text model describes its picture, whatever it is asked."""

_SPLIT: Final = "|".join(
    [r'\[\{"box":\[', r'\],"caption":"', r'"\},\{"box":\[', r'"\}\]', r",?0\.", r"\d{1,2}",
     r" ?\p{L}+", r" ?[^\s\p{L}\p{N}]", r"\s+"]
)  # fmt: skip
_SPACE: Final = "Ġ"  # how the byte level writes a space


def _pieces() -> tuple[str, ...]:
    """Every piece that is to be one token, in the letters of the byte level."""
    words = sorted({*grammar_words(), *COMMON_WORDS, "an", "into", "make", "draw", "under", "over"})
    digits = [f"{number:02d}" for number in range(100)]
    begun = [f"{_SPACE}{word}" for word in words]
    capital = [word.capitalize() for word in words]
    return tuple([*begun, *words, *capital, *digits, *JSON_PIECES, "0.", ",0."])


def build(length: int, template: str = TEMPLATE) -> Any:
    """The tokenizer, for texts of ``length`` tokens, as transformers saves and reads it."""
    merges = pair_merges([list(piece) for piece in _pieces()])
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    joined = [first + second for first, second in merges]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys([*letters, *joined]))}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(list(SPECIALS))
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token=START,
        eos_token=END,
        pad_token=END,
        additional_special_tokens=[REWRITE, BOXES, ANSWER, IMAGE],
        chat_template=template,
        model_max_length=length,
        clean_up_tokenization_spaces=False,
    )
