"""Knock at a door as mail programs and scanners do: no cookie, no redirect followed, and not for ever."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

SECONDS = 5.0
LONGEST_PAGE = 300_000


class NoAnswer(Exception):
    """Nothing that speaks HTTP answered; ``certain`` when that is no matter of time or of DNS."""

    def __init__(self, reason: str, certain: bool) -> None:
        super().__init__(reason)
        self.certain = certain


@dataclass(frozen=True)
class Answer:
    """What came back; header names are lower case."""

    status: int
    headers: list[tuple[str, str]]
    text: str

    def all(self, name: str) -> str:
        """The values of a header, joined as RFC 9110 section 5.3 joins them."""
        return ", ".join(value for key, value in self.headers if key == name)

    def has(self, name: str) -> bool:
        return any(key == name for key, _ in self.headers)


def knock(method: str, url: str, body: tuple[str, str] | None) -> Answer:
    """Send one request.

    :param body: the body and its type.
    :raises NoAnswer: when no answer of HTTP comes.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=SECONDS)
    headers = {"User-Agent": "flask-optout-doctor", "Accept": "text/html, */*"}
    text, kind_of_text = body or (None, None)
    if kind_of_text is not None:
        headers["Content-Type"] = kind_of_text
    try:
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, text, headers)
        response = connection.getresponse()
        page = _read(response)
    except ssl.SSLError as error:
        raise NoAnswer(f"its certificate is not good: {error.reason or error}", certain=True) from None
    except (TimeoutError, socket.gaierror) as error:
        raise NoAnswer(f"it did not answer ({type(error).__name__})", certain=False) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswer(f"it answers no HTTP ({type(error).__name__})", certain=True) from None
    finally:
        connection.close()
    answered = [(name.lower(), value) for name, value in response.getheaders()]
    return Answer(response.status, answered, page.decode("utf-8", "replace"))


def _read(response: http.client.HTTPResponse) -> bytes:
    body, end = b"", time.monotonic() + SECONDS
    while len(body) < LONGEST_PAGE and time.monotonic() < end:
        chunk = response.read1(65_536)
        if not chunk:
            break
        body += chunk
    return body
