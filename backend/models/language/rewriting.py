"""Ways to rewrite a prompt for a picture, as instructions to a language model. Light."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

WAYS: Mapping[str, str] = MappingProxyType(
    {
        "enlarge": (
            "Rewrite the text as a rich description of one picture in 60 to 120 words. Keep every "
            "subject, number, colour, place and quoted word of it. Add what can be seen: "
            "materials, light, background, point of view. Tell no story and name no feelings."
        ),
        "shorten": (
            "Shorten the text to at most 20 words. Keep the subjects, their number, their colours "
            "and where they are; leave out everything else."
        ),
        "translate": (
            "Translate the text into English. Keep names and quoted words as they are, and add "
            "nothing."
        ),
        "keywords": (
            "Turn the text into a line of short keywords divided by commas, the most important "
            "first: subject, what it does, place, style, light."
        ),
        "vary": (
            "Write another text for a picture with the same subject and mood, but with another "
            "place, time of day or point of view."
        ),
        "own": "",
    }
)
"""By name; ``own`` leaves it all to the user's words."""

_ONLY = "Answer with the new text alone, without quotes, headings or remarks."


def instruction(way: str, own: str) -> str:
    """The system text for a way of rewriting, with what the user adds to it."""
    return " ".join(part for part in (WAYS[way], own.strip(), _ONLY) if part)
