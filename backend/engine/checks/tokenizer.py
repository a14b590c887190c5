"""A tokenizer without the model libraries: what families ask of one to say where tokens are.

It reads ``tokenizer.json`` by the library that transformers itself reads it by, so the tokens are
the same; that of CLIP also from ``vocab.json`` and ``merges.txt``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import backend
from backend.catalog.errors import CatalogError

CLIP = Path(backend.__file__).resolve().parent.parent / "resources/tokenizers/clip-l/tokenizer.json"

LARGEST = 64 * 2**20
"""Bytes of a file of a tokenizer at most."""


class LightTokenizer:
    """The tokenizer in a folder.

    It is called as those of transformers are, with one text, and gives their lists without padding.
    """

    is_fast = True

    def __init__(self, folder: Path) -> None:
        """Read it.

        Raises:
            CatalogError: it is of a form that only the model libraries read, or broken.
        """
        self._folder = folder
        try:
            self._inner = _read(folder)
        except CatalogError:
            raise
        except Exception as error:  # the library raises plain exceptions for whatever it finds
            raise CatalogError(
                f"The tokenizer in {folder} cannot be read ({str(error)[:200]}). Get it again."
            ) from error

    def __call__(
        self,
        text: str,
        *,
        truncation: bool = False,
        max_length: int | None = None,
        add_special_tokens: bool = True,
        **_: Any,
    ) -> dict[str, Sequence[Any]]:
        """Ids, masks and offsets of the tokens of one text."""
        if truncation and max_length:
            self._inner.enable_truncation(max_length)
        else:
            self._inner.no_truncation()
        found = self._inner.encode(text, add_special_tokens=add_special_tokens)
        return {
            "input_ids": found.ids,
            "attention_mask": found.attention_mask,
            "special_tokens_mask": found.special_tokens_mask,
            "offset_mapping": found.offsets,
        }

    def convert_ids_to_tokens(self, number: int) -> str:
        """A token as it is written."""
        return str(self._inner.id_to_token(number))

    def apply_chat_template(self, messages: Any, **options: Any) -> str:
        """Messages in the template of the tokenizer.

        Raises:
            ValueError: it has none.
        """
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        settings = _settings(self._folder)
        place = self._folder / "chat_template.jinja"
        text = place.read_text("utf-8") if place.is_file() else settings.get("chat_template")
        if not isinstance(text, str):
            raise ValueError("it has no chat template")
        room = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        names = ("bos_token", "eos_token", "pad_token", "unk_token")
        special = {name: _content(settings[name]) for name in names if name in settings}
        options.pop("tokenize", None)
        return room.from_string(text).render(messages=messages, **{**special, **options})


def _read(folder: Path) -> Any:
    from tokenizers import Tokenizer, models

    whole = folder / "tokenizer.json"
    if whole.is_file():
        made = Tokenizer.from_str(_text(whole))
        made.no_padding()
        return made
    words, merges = folder / "vocab.json", folder / "merges.txt"
    if not (_settings(folder).get("tokenizer_class", "").startswith("CLIP") and words.is_file()):
        raise CatalogError(
            "The tokens of this text encoder are counted when it runs: its tokenizer has no "
            "tokenizer.json."
        )
    made = Tokenizer.from_str(_text(CLIP))
    made.model = models.BPE.from_file(
        str(words), str(merges), unk_token="<|endoftext|>", end_of_word_suffix="</w>"
    )
    made.no_padding()
    return made


def _text(path: Path) -> str:
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path.name} has more than {LARGEST // 2**20} MiB")
    return path.read_text("utf-8")


def _settings(folder: Path) -> Mapping[str, Any]:
    place = folder / "tokenizer_config.json"
    found = json.loads(_text(place)) if place.is_file() else {}
    return found if isinstance(found, dict) else {}


def _content(token: Any) -> str:
    """A special token, which stands there as text or as an object around it."""
    return str(token.get("content", "")) if isinstance(token, Mapping) else str(token or "")
