"""Text: constants, templates, patterns, and lists of texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from backend.graph.patterns import MAX_MATCHES, compile_pattern
from backend.graph.templates import parse_template
from backend.media.metadata import write_sidecar
from backend.sdk import (
    Context,
    Facts,
    Multiline,
    NameTemplate,
    Range,
    UserError,
    facts_of,
    node,
)

MAX_TEXT = 1_000_000
"""Characters of a text that a node makes."""

MAX_PARTS = 100_000
"""Parts into which a text is split."""


@node(category="Text", aliases=("string", "prompt", "multiline"))
def text(ctx: Context, value: Multiline = "") -> str:
    """A text, of one line or many.

    Example: write a prompt once and link it to two encoders.
    """
    return value


@text.facts
def _(p: Any) -> Facts:
    return facts_of("Text", value=p.value)


@node(category="Text", aliases=("format", "fill in", "concatenate", "string format"))
def template(
    ctx: Context, values: dict[str, str] | None = None, template: Multiline = "a {subject}"
) -> str:
    """A text with values in it.

    Each link has a name; write the name in braces where its value should stand, and after a colon
    how: a width (`8`), zeros in front (`03`), digits after the point (`.2f`) or a whole number
    (`d`). Two braces, `{{`, make one.

    Example: `a {color} circle, take {n:03}` with color = red and n = 7 gives
    `a red circle, take 007`.
    """
    return parse_template(template).fill(values or {})


@template.facts
def _(p: Any, values: Mapping[str, Facts]) -> Facts:
    if p.template is None:
        return facts_of("Text")
    read = parse_template(p.template)
    known = {name: fact.value for name, fact in (values or {}).items()}
    if None in known.values():
        read.check(known)
        return facts_of("Text")
    return facts_of("Text", value=read.fill(known))


class Found(NamedTuple):
    """What a pattern found in a text."""

    matched: bool
    first: str
    groups: list[str]
    all: list[str]


@node(category="Text/Pattern", aliases=("regular expression", "search", "find", "extract"))
def regex_match(ctx: Context, text: str, pattern: str = "", ignore_case: bool = False) -> Found:
    r"""Look for a pattern (a regular expression) in a text.

    `matched` says whether it is there, `first` is the first place that matches, `groups` what its
    groups (in parentheses) took there, and `all` every place that matches. The syntax is RE2's: the
    usual one, without back-references and look-around.

    Example: `(\d+)x(\d+)` in `a picture of 640x480` matches; first is `640x480`, groups are 640
    and 480.
    """
    matches = list(compile_pattern(pattern, ignore_case=ignore_case).find(text, ctx.check))
    if not matches:
        return Found(False, "", [], [])
    return Found(True, matches[0].text, list(matches[0].groups), [m.text for m in matches])


@regex_match.facts
def _(p: Any, text: Facts) -> Mapping[str, Facts]:
    groups = None if p.pattern is None else compile_pattern(p.pattern).groups
    texts = facts_of("Text")
    return {
        "matched": facts_of("Boolean"),
        "first": texts,
        # A pattern without groups gives none, matched or not.
        "groups": texts.listed(0 if groups == 0 else None),
        "all": texts.listed(),
    }


@node(category="Text/Pattern", aliases=("regular expression", "substitute"))
def regex_replace(
    ctx: Context,
    text: str,
    pattern: str = "",
    replacement: str = "",
    ignore_case: bool = False,
    count: Annotated[int, Range(0, MAX_MATCHES, 1)] = 0,
) -> str:
    r"""Replace what matches a pattern (a regular expression) in a text.

    In the replacement `\1` or `\g<name>` stands for what a group took, `\n` for a new line.
    `count` replaces only the first so many; 0 replaces all.

    Example: pattern `(\w+) cat`, replacement `\1 dog`: `a red cat` becomes `a red dog`.
    """
    found = compile_pattern(pattern, ignore_case=ignore_case)
    return found.replace(text, replacement, count, ctx.check)


@regex_replace.facts
def _(p: Any, text: Facts) -> Facts:
    if p.pattern is not None and p.replacement is not None:
        compile_pattern(p.pattern).replace("", p.replacement)
    return facts_of("Text")


@node(category="Text", aliases=("concatenate", "combine"))
def join_text(
    ctx: Context,
    texts: list[str],
    by: Literal["separator", "lines", "words"] = "separator",
    separator: str = ", ",
) -> str:
    """Join a list of texts into one: with a separator, each on a line, or with spaces.

    Example: the list red, green, blue with the separator `, ` becomes `red, green, blue`.
    """
    separator = {"lines": "\n", "words": " "}.get(by, separator)
    size = sum(map(len, texts)) + len(separator) * max(len(texts) - 1, 0)
    if size > MAX_TEXT:
        raise UserError(f"The joined text has {size} characters; at most {MAX_TEXT} are made.")
    return separator.join(texts)


@join_text.facts
def _(p: Any, texts: Facts) -> Facts:
    return facts_of("Text")


@node(category="Text", aliases=("lines", "words", "list of texts"))
def split_text(
    ctx: Context,
    text: str,
    by: Literal["lines", "words", "separator"] = "lines",
    separator: str = ",",
    trim: bool = True,
    skip_empty: bool = True,
) -> list[str]:
    """Split a text into a list: at its line ends, at spaces, or at a separator.

    `trim` takes the spaces around each part away, `skip_empty` leaves empty parts out.

    Example: three prompts on three lines become a list of three; a node that gets the list runs
    once for each.
    """
    return _split(text, by, separator, trim, skip_empty)


@split_text.facts
def _(p: Any, text: Facts) -> Facts:
    settings = (text.value, p.by, p.separator, p.trim, p.skip_empty)
    length = None if None in settings else len(_split(*settings))
    return facts_of("Text").listed(length)


def _split(text: str, by: str, separator: str, trim: bool, skip_empty: bool) -> list[str]:
    if by == "separator" and not separator:
        raise UserError("There is no separator to split at; write one, or split by lines or words.")
    if by == "lines":
        parts = text.splitlines()
    elif by == "words":
        parts = text.split()
    else:
        parts = text.split(separator)
    if trim:
        parts = [part.strip() for part in parts]
    if skip_empty:
        parts = [part for part in parts if part]
    if len(parts) > MAX_PARTS:
        raise UserError(f"The text splits into {len(parts)} parts; at most {MAX_PARTS} are made.")
    return parts


@node(category="Text", aliases=("upper", "lower", "capitals"))
def change_case(
    ctx: Context, text: str, case: Literal["lower", "upper", "title", "sentence"] = "lower"
) -> str:
    """Write a text in small or capital letters.

    `title` begins each word with a capital, `sentence` only the first.

    Example: `a RED circle` in sentence case is `A red circle`.
    """
    return _cased(text, case)


@change_case.facts
def _(p: Any, text: Facts) -> Facts:
    known = text.value is not None and p.case is not None
    return facts_of("Text", value=_cased(text.value, p.case) if known else None)


def _cased(text: str, case: str) -> str:
    if case == "upper":
        return text.upper()
    if case == "title":
        return " ".join(word.capitalize() for word in text.split(" "))
    return text.capitalize() if case == "sentence" else text.lower()


@node(category="Text", aliases=("strip", "spaces"))
def trim_text(ctx: Context, text: str, inside: bool = False) -> str:
    """Take the spaces and line ends around a text away.

    `inside` also makes one space of every run of them within the text.

    Example: `  a  red circle ` becomes `a  red circle`, with `inside` `a red circle`.
    """
    return _trimmed(text, inside)


@trim_text.facts
def _(p: Any, text: Facts) -> Facts:
    known = text.value is not None and p.inside is not None
    return facts_of("Text", value=_trimmed(text.value, p.inside) if known else None)


def _trimmed(text: str, inside: bool) -> str:
    return " ".join(text.split()) if inside else text.strip()


@node(category="Text", effect=True, lane="file", aliases=("write text", "txt", "output text"))
def save_text(
    ctx: Context,
    text: str,
    name: NameTemplate = "{node}-{counter:4}",
    overwrite: Literal["number", "replace", "refuse"] = "number",
) -> str:
    """Write a text into the output folder as a UTF-8 file that ends in .txt.

    `name` may use the same fields as for Save image. The workflow that made it stands beside it,
    in a file of the same name that ends in .weft.json. The text goes through unchanged.

    Example: token_view -> save_text(name="tokens"), or generate_text -> save_text.
    """

    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise UserError("The text holds half a character, which no file can. Write it anew.") from (
            error
        )

    def write(path: Path, provenance: Mapping[str, Any]) -> None:
        write_sidecar(path, provenance)
        path.write_bytes(data)

    ctx.save(name, ".txt", write, overwrite=overwrite)
    return text


@save_text.facts
def _(p: Any, text: Facts | None) -> Facts:
    return text or facts_of("Text")
