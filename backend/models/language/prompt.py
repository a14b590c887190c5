"""From a system text and a prompt to what a model reads: its chat template, or plain text."""

from __future__ import annotations

from typing import Any

from backend.catalog.errors import CatalogError
from backend.diffusion.errors import DiffusionError


def chat_text(owner: Any, system: str, prompt: str, *, parts: bool, images: int = 0) -> str | None:
    """The conversation as the chat template of a tokenizer or processor writes it, ready for the
    answer; ``None`` without a template.

    ``parts`` writes messages as lists of parts, as image-text models want them, with ``images``
    pictures before the prompt. A template that knows no system role gets the system text at the
    head of the prompt.

    Raises:
        CatalogError: the template does not work.
    """
    if not getattr(owner, "chat_template", None):
        return None
    import jinja2

    # Models that can think aloud first are asked not to: the answer is the text.
    knows = "enable_thinking" in str(owner.chat_template)
    quiet = {"enable_thinking": False} if knows else {}

    def write(system: str, prompt: str) -> str:
        told: list[Any] = [{"type": "image"}] * images + [{"type": "text", "text": prompt}]
        messages = [{"role": "user", "content": told if parts else prompt}]
        if system:
            content: Any = [{"type": "text", "text": system}] if parts else system
            messages.insert(0, {"role": "system", "content": content})
        options = {"tokenize": False, "add_generation_prompt": True, **quiet}
        return str(owner.apply_chat_template(messages, **options))

    try:
        if system:
            try:
                return write(system, prompt)
            except jinja2.TemplateError:
                return write("", f"{system}\n\n{prompt}")
        return write("", prompt)
    except (jinja2.TemplateError, ValueError, TypeError, LookupError) as error:
        raise CatalogError(
            f"The chat template of this model does not work ({str(error)[:200]}). Get the "
            "tokenizer files of the model again."
        ) from error


def prompt_tokens(tokenizer: Any, system: str, prompt: str, *, parts: bool) -> list[int]:
    """The tokens of a conversation of one prompt.

    Raises:
        DiffusionError: there are none.
        CatalogError: the chat template does not work.
    """
    text = chat_text(tokenizer, system, prompt, parts=parts)
    if text is not None:
        tokens = tokenizer(text, add_special_tokens=False)["input_ids"]
    else:
        tokens = tokenizer(plain_text(system, prompt))["input_ids"]
    if not tokens and tokenizer.bos_token_id is not None:
        tokens = [tokenizer.bos_token_id]
    if not tokens:
        raise DiffusionError("The prompt is empty. Write what the model should answer.")
    return [int(token) for token in tokens]


def plain_text(system: str, prompt: str) -> str:
    """A prompt for a model without a chat template: it just goes on from there."""
    return f"{system}\n\n{prompt}" if system else prompt


def check_length(prompt: int, answer: int, context: int) -> None:
    """Refuse a prompt and an answer that together are longer than the model reads; all in tokens,
    ``context`` 0 for a model without a limit.

    Raises:
        DiffusionError: they are.
    """
    if not context or prompt + answer <= context:
        return
    room = context - prompt
    if room < 1:
        raise DiffusionError(
            f"The prompt has {prompt} tokens, but this model reads at most {context}, the answer "
            "included. Shorten the prompt or choose a model with a longer context."
        )
    raise DiffusionError(
        f"The prompt has {prompt} tokens and this model reads at most {context}, so the answer "
        f"can have at most {room}, not {answer}. Lower max_tokens or shorten the prompt."
    )
