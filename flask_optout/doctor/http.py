"""Ask as mail programs and scanners do: no cookie, no redirect followed, and not for ever; and read the headers of
the answer together, as a browser does.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from .finding import KNOWN, Finding, Unsure, tell
from .forms import CHROME

SECONDS = 5.0
LONGEST_PAGE = 300_000
#: The user agent of a program.
PROGRAM = "flask-optout-doctor"


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


def send_request(method: str, url: str, body: tuple[bytes, str] | None = None, agent: str = CHROME) -> Reply:
    """Send one request.

    :param body: the body and its type.
    :raises NoReply: when no answer of HTTP comes.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=SECONDS)
    content, typed = (body[0], {"Content-Type": body[1]}) if body is not None else (None, {})
    try:
        path = parts._replace(scheme="", netloc="", fragment="").geturl()
        connection.request(method, path, content, {"User-Agent": agent, "Accept": "text/html, */*", **typed})
        certificate = connection.sock.getpeercert() if isinstance(connection.sock, ssl.SSLSocket) else None
        response = connection.getresponse()
        page = response.read(LONGEST_PAGE)
    except ssl.SSLCertVerificationError as error:
        end = next((end for end, codes in KNOWN["certificates"].items() if error.verify_code in codes), "broken")
        raise NoReply((error.verify_message or str(error)).rstrip("."), f"certificate.{end}") from None
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


def check_policies(answer: Reply, url: str) -> Iterator[Finding]:
    """What is wrong with the headers of a candidate's page."""
    csp = [_parse_directives(policy) for policy in answer.values("content-security-policy")]
    # The last value that a browser knows is the one that counts.
    referrer = next((value for value in answer.values("referrer-policy")[::-1] if value in KNOWN["referrer"]), "")
    right = {
        "Cache-Control": "no-store" in answer.values("cache-control"),
        "Referrer-Policy": KNOWN["referrer"].get(referrer) in ("closed", "open"),
        "X-Robots-Tag": {"noindex", "none"} & set(answer.values("x-robots-tag")),
        "Content-Security-Policy": any(policy.get("frame-ancestors") == ["'none'"] for policy in csp),
        # A browser reads the first value alone.
        "X-Content-Type-Options": answer.values("x-content-type-options")[:1] == ["nosniff"],
    }
    findings = [tell("doors.headers.lost", name=name, header=name, danger=name) for name in right if not right[name]]
    if KNOWN["referrer"].get(referrer) == "open":
        findings.append(tell("doors.referrer", value=referrer))
    # Each policy alone can keep a page from sending its own form.
    forms = [policy["form-action"] for policy in csp if not _permits(policy, url, "form-action")]
    blocked = [f"form-action {' '.join(sources)}" for sources in forms]
    if any("allow-forms" not in policy.get("sandbox", ["allow-forms"]) for policy in csp):
        blocked.append("sandbox without allow-forms")
    # A script that runs takes the press from the form, and then may not send it.
    runs = all(_permits(policy, url, "script-src-elem", "script-src", "default-src") for policy in csp)
    if runs and not all(_permits(policy, url, "connect-src", "default-src") for policy in csp):
        blocked.append("connect-src")
    if blocked:
        findings.append(tell("doors.form-blocked", reason=blocked))
    yield from findings or [tell("doors.headers")]
    if any("require-trusted-types-for" in policy for policy in csp):
        yield tell("doors.trusted-types")


def _parse_directives(policy: str) -> dict[str, list[str]]:
    """The directives of one policy; of two with one name the first counts."""
    parts = [words for part in policy.split(";") if (words := part.split())]
    return {words[0]: words[1:] for words in reversed(parts)}


def _permits(policy: dict[str, list[str]], url: str, *directives: str) -> bool:
    """Whether a policy permits what comes from the page's own place; the first directive that is there says."""
    sources = next((policy[name] for name in directives if name in policy), ["*"])
    return "'strict-dynamic'" not in sources and any(_allows(source, url) for source in sources)


def _allows(source: str, url: str) -> bool:
    """Whether a source expression takes in a URL (https://www.w3.org/TR/CSP3/#match-url-to-source-expression)."""
    place = urlsplit(url)
    scheme, _, rest = source.rpartition("://")
    host, _, path = rest.partition("/")
    usual = 443 if place.scheme == "https" else 80
    of_host = fnmatchcase(f"{place.hostname}:{place.port or usual}", host if ":" in host else f"{host}:{usual}")
    here, path = place.path.lower(), f"/{path}"
    right = of_host and (here.startswith(path) if path.endswith("/") else here == path)
    # What is meant for http is good for https, too.
    return source in ("*", "'self'", "http:", f"{place.scheme}:") or (right and scheme in ("", "http", place.scheme))
