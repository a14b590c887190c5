"""Asking a server for a file, with redirects that are looked at before they are followed.

Used only when a person asked for a download. The token of the Hugging Face hub goes to the hub's
own host and nowhere else, redirects lead only to http and https, and from https only to https.
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from backend.catalog.errors import CatalogError

MAX_REDIRECTS = 8
TIMEOUT = 60.0
"""Seconds without a byte after which a server is given up."""
CUT = (OSError, http.client.HTTPException)
"""What reading from a connection that breaks raises."""


@dataclass(frozen=True)
class Hub:
    """A Hugging Face hub and the token for it ("" without)."""

    endpoint: str = "https://huggingface.co"
    token: str = ""

    def owns(self, url: str) -> bool:
        """Whether a URL is of this hub's own host."""
        mine, other = urlsplit(self.endpoint), urlsplit(url)
        return (mine.scheme, mine.netloc) == (other.scheme, other.netloc)


@dataclass(frozen=True)
class Answer:
    """An open answer: its status, its headers, those of the hub's redirect to it, and the body."""

    status: int
    headers: Mapping[str, str]
    linked: Mapping[str, str]
    body: IO[bytes]


class _Still(urllib.request.HTTPRedirectHandler):
    """Follows no redirect by itself, and does not look at where it leads."""

    def http_error_302(self, *_: Any, **__: Any) -> None:
        return None

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


@contextmanager
def asked(url: str, hub: Hub, headers: Mapping[str, str]) -> Iterator[Answer]:
    """The answer to a GET, after redirects. Statuses 200, 206 and 416 are answers.

    Raises:
        CatalogError: there is no such file, it may not be read, or the server cannot be reached.
    """
    opener = urllib.request.build_opener(_Still)
    linked: dict[str, str] = {}
    first = url
    for _ in range(MAX_REDIRECTS + 1):
        check_url(url)
        sent = {"User-Agent": "weft", "Accept-Encoding": "identity", **headers}
        if hub.token and hub.owns(url):
            sent["Authorization"] = f"Bearer {hub.token}"
        answer = _open(opener, urllib.request.Request(url, headers=sent), first)
        with answer:
            found = {key.lower(): value for key, value in answer.headers.items()}
            if hub.owns(url):
                linked |= {key: value for key, value in found.items() if key.startswith("x-")}
            if answer.status not in (301, 302, 303, 307, 308):
                yield Answer(answer.status, found, linked, answer)
                return
            try:
                following = urljoin(url, found.get("location", ""))
            except ValueError:
                raise CatalogError(f"{first} leads to what is no address. Check it.") from None
            check_url(following)
            if urlsplit(url).scheme == "https" and urlsplit(following).scheme != "https":
                raise CatalogError(
                    f"{first} leads from https to {following[:200]}, which is refused. Get the "
                    "file from another source."
                )
            url = following
    raise CatalogError(f"{first} leads from one address to the next without end. Check it.")


def check_url(url: str) -> None:
    """Refuse what is no plain http or https address.

    Raises:
        CatalogError: it is something else, or carries a password.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
        good = good and parts.port != 0  # asking for a port that is none raises
        named = parts.username is not None
    except ValueError:
        good, named = False, False
    if not good or named or any(ord(c) < 33 or ord(c) > 126 for c in url):
        raise CatalogError(
            f"{url[:200]!r} is no address that models are got from: only http and https are, "
            "without a user name and with special characters as %XX."
        )


def _open(
    opener: urllib.request.OpenerDirector, request: urllib.request.Request, url: str
) -> http.client.HTTPResponse:
    try:
        return opener.open(request, timeout=TIMEOUT)  # type: ignore[no-any-return]
    except urllib.error.HTTPError as error:
        if error.status in (301, 302, 303, 307, 308, 416):
            return error  # type: ignore[return-value]
        error.close()
        raise CatalogError(f"{url}: {_refusal(error.status or 0)}") from None
    except TimeoutError:
        raise CatalogError(f"{url} does not answer. Try again later.") from None
    except urllib.error.URLError as error:
        reason = error.reason
        said = reason.strerror if isinstance(reason, OSError) and reason.strerror else reason
        raise CatalogError(
            f"{url} cannot be reached ({said}). Check address and network."
        ) from None
    except CUT as error:
        raise CatalogError(f"{url} broke the connection ({error}). Try again later.") from None


def _refusal(status: int) -> str:
    if status in (401, 403):
        return (
            f"the server refuses it (status {status}). Accept the model's licence on its page, and "
            "set HF_TOKEN to a token that may read it."
        )
    if status in (404, 410):
        return "there is no such file on the server. Check repository, file and revision."
    if status == 429 or status >= 500:
        return f"the server cannot give it now (status {status}). Try again later."
    return f"the server answered with status {status}. Check the address."
