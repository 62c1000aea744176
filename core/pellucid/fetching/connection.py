"""One answer of a server: asked for by HTTPS or HTTP, redirects followed a few steps and never to less safety.

It is made of the standard library. No library at hand takes the burden off: requests and httpx neither resume nor verify, pooch
verifies and does not resume, fsspec reads but keeps no part.
"""

from __future__ import annotations

import http.client
import ssl
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin, urlsplit

from pellucid.cards.inside import shown
from pellucid.errors import DataError

REDIRECTS = 5
"""Steps that are followed: archives use one or two."""

_MOVED = (301, 302, 303, 307, 308)
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_AGENT = "pellucid"


class Interrupted(Exception):
    """What may go well at the next try. Never leaves this package.

    Parameters
    ----------
    why : str
    wait_s : float, optional
        What the server asked to wait.
    """

    def __init__(self, why: str, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Answer:
    """What a server answered with: 200 (all of it) or 206 (a part), its headers, and a body to read once."""

    status: int
    headers: Any
    body: Any

    def header(self, name: str) -> str:
        """One header's value, or an empty string."""
        return str(self.headers.get(name) or "")


class RangeRefused(Interrupted):
    """The server has nothing from the byte on that was asked for."""


def ask(url: str, headers: dict[str, str], stall_s: float) -> Answer:
    """Ask for an address.

    Parameters
    ----------
    url : str
    headers : dict
    stall_s : float
        Seconds in which nothing arrives that end the connection.

    Raises
    ------
    DataError
        For what no second try mends; says what the server answered and what to do.
    Interrupted
        For what may be mended by one.
    """
    here = url
    for _ in range(REDIRECTS + 1):
        try:
            asked = urllib.request.Request(here, headers={"User-Agent": _AGENT, **headers})
            response = _opener().open(asked, timeout=stall_s)
        except HTTPError as error:
            with error:
                if error.code not in _MOVED:
                    raise _refused(url, error) from None
                here = _next(url, here, error.headers.get("Location"))
        except (http.client.InvalidURL, UnicodeError):
            raise DataError(f"{shown(url)}: {_host(here)} is no address that can be asked") from None
        except (OSError, http.client.HTTPException) as error:
            raise _unreached(url, here, error) from None
        else:
            return _understood(url, response)
    raise DataError(
        f"{shown(url)}: the server redirects more than {REDIRECTS} times, perhaps in a circle. Nothing was fetched; look at the "
        "address in a browser, and tell whoever keeps the card"
    )


def _opener() -> urllib.request.OpenerDirector:
    # By hand, as build_opener would add handlers for files and FTP, and one that follows redirects on its own.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _next(card_url: str, here: str, location: str | None) -> str:
    if not location:
        raise DataError(f"{shown(card_url)}: {_host(here)} redirects without saying where; nothing was fetched")
    try:
        there = urljoin(here, location)
        parts = urlsplit(there)
        # Asking for the port is what checks it.
        safe = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
        )
    except ValueError:
        safe = False
    if not safe or not there.isprintable():
        raise DataError(
            f"{shown(card_url)}: {_host(here)} redirects to something that is no web address; it was not followed"
        )
    if urlsplit(card_url).scheme == "https" and parts.scheme != "https":
        raise DataError(
            f"{shown(card_url)}: {_host(here)} redirects from https to http ({_host(there)}), where others could read and change what "
            "is fetched; it was not followed"
        )
    return there


def _refused(url: str, error: HTTPError) -> Exception:
    code = error.code
    if code == 416:
        return RangeRefused("the server has no such range")
    if code in _BUSY:
        return Interrupted(f"the server answered {code}", _seconds(error.headers.get("Retry-After")))
    if code in (401, 403, 407):
        mend = (
            "it asks for a permission that a download by this command does not have; see what the card says of access"
        )
    elif code in (404, 410):
        mend = "the file is not there any more; look for a newer card, or tell whoever keeps it"
    else:
        mend = "look at the address in a browser, and tell whoever keeps the card"
    return DataError(f"{shown(url)}: the server answered {code}: {mend}")


def _seconds(value: str | None) -> float | None:
    return float(value) if value and value.isascii() and value.isdigit() else None


def _unreached(url: str, here: str, error: Exception) -> Exception:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return DataError(
            f"{shown(url)}: the certificate of {_host(here)} is not trusted, so nobody can tell who answers. Where your network has a "
            "certificate of its own, name it with SSL_CERT_FILE"
        )
    if isinstance(reason, TimeoutError):
        return Interrupted(f"{_host(here)} does not answer")
    # Words of the system are safe to show, those of a server are not.
    words = reason.strerror if isinstance(reason, OSError) and reason.strerror else type(reason).__name__
    return Interrupted(f"{_host(here)} cannot be reached ({words})")


def _understood(url: str, response: Any) -> Answer:
    answer = Answer(response.status, response.headers, response)
    if answer.status not in (200, 206):
        response.close()
        raise Interrupted(f"the server answered {answer.status}")
    if answer.header("Content-Encoding").lower() not in ("", "identity"):
        response.close()
        raise DataError(
            f"{shown(url)}: the server sends the file compressed although it was asked not to, so its bytes cannot be compared"
        )
    return answer


def _host(url: str) -> str:
    # The host alone: what follows it in a redirect may be a key.
    try:
        return shown(urlsplit(url).netloc.rpartition("@")[2])
    except ValueError:
        return "the server"
