"""Knock at a door as mail programs and scanners do: no cookie, no redirect followed, and not for ever."""

from __future__ import annotations

import http.client
import socket
import ssl
from dataclasses import dataclass
from email.message import Message
from urllib.parse import urlsplit

from .finding import Unsure
from .forms import CHROME

SECONDS = 5.0
LONGEST_PAGE = 300_000
#: What a program calls itself.
PROGRAM = "flask-optout-doctor"
#: Ends of the ids for what OpenSSL finds wrong with a certificate, by its X509_V_ERR numbers.
CERTIFICATE_ERRORS = {
    **dict.fromkeys((9, 10), "expired"),
    **dict.fromkeys((62, 64), "name"),
    18: "self-signed",
    **dict.fromkeys((19, 20, 21), "chain"),
}


class NoReply(Unsure):
    """Nothing that speaks HTTP answered; ``end`` is that of the id that says so of the candidate's page."""

    def __init__(self, reason: str, end: str = "page.unknown") -> None:
        super().__init__(reason)
        self.end = end


@dataclass(frozen=True)
class Reply:
    """What came back; ``expires`` is when the certificate ends, as a Unix time."""

    status: int
    headers: Message
    text: str
    expires: float | None = None

    def values(self, name: str) -> list[str]:
        """The values of a header in small letters, in their order; a list is taken apart (RFC 9110 section 5.3)."""
        parts = ",".join(self.headers.get_all(name, [])).lower().split(",")
        return [part.strip() for part in parts if part.strip()]

    def first(self, name: str) -> str:
        return str(self.headers.get(name, ""))


def knock(method: str, url: str, body: tuple[bytes, str] | None = None, agent: str = CHROME) -> Reply:
    """Send one request.

    :param body: the body and its type.
    :raises NoReply: when no answer of HTTP comes.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=SECONDS)
    content, typed = (body[0], {"Content-Type": body[1]}) if body is not None else (None, {})
    try:
        connection.connect()
        certificate = connection.sock.getpeercert() if isinstance(connection.sock, ssl.SSLSocket) else None
        path = parts._replace(scheme="", netloc="", fragment="").geturl()
        connection.request(method, path, content, {"User-Agent": agent, "Accept": "text/html, */*", **typed})
        response = connection.getresponse()
        page = response.read(LONGEST_PAGE)
    except ssl.SSLCertVerificationError as error:
        end = CERTIFICATE_ERRORS.get(error.verify_code, "broken")
        raise NoReply(error.verify_message or str(error), f"certificate.{end}") from None
    except ssl.SSLError as error:
        raise NoReply(f"it speaks no TLS ({error.reason or error})", "unreachable") from None
    except (TimeoutError, socket.gaierror) as error:
        raise NoReply(f"it did not answer ({type(error).__name__})") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoReply(f"it answers no HTTP ({type(error).__name__})", "unreachable") from None
    finally:
        connection.close()
    expires = ssl.cert_time_to_seconds(str(certificate["notAfter"])) if certificate else None
    return Reply(response.status, response.headers, page.decode("utf-8", "replace"), expires)
