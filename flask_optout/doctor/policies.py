"""What the headers of a page mean together, as a browser reads them."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from .finding import Finding, tell
from .http import Reply

#: Those that keep a page's path from other sites, those that do not, and those that show the site's name alone;
#: https://www.w3.org/TR/referrer-policy/#referrer-policies.
CLOSED = ("no-referrer", "same-origin")
OPEN = ("unsafe-url", "no-referrer-when-downgrade")
NAME_ALONE = ("origin", "strict-origin", "origin-when-cross-origin", "strict-origin-when-cross-origin")
#: Directives of which the first that is there says what a script may come from, and what it may send to.
SCRIPTS = ("script-src-elem", "script-src", "default-src")
REQUESTS = ("connect-src", "default-src")
DEFAULT_PORTS = {"https": 443, "http": 80}


def policies(answer: Reply, url: str) -> Iterator[Finding]:
    """What is wrong with the headers of a candidate's page."""
    csp = [_directives(policy) for policy in answer.values("content-security-policy")]
    # The last value that a browser knows is the one that counts.
    known = [value for value in answer.values("referrer-policy") if value in CLOSED + OPEN + NAME_ALONE] or [""]
    right = {
        "Cache-Control": "no-store" in answer.values("cache-control"),
        "Referrer-Policy": known[-1] in CLOSED + OPEN,
        "X-Robots-Tag": {"noindex", "none"} & set(answer.values("x-robots-tag")),
        "Content-Security-Policy": any(policy.get("frame-ancestors") == ["'none'"] for policy in csp),
        # A browser reads the first value alone.
        "X-Content-Type-Options": answer.values("x-content-type-options")[:1] == ["nosniff"],
    }
    findings = [tell("doors.headers.lost", name=name, header=name, danger=name) for name in right if not right[name]]
    if known[-1] in OPEN:
        findings.append(tell("doors.referrer", value=known[-1]))
    blocked = next((reason for policy in csp if (reason := _blocks_forms(policy, url)) is not None), None)
    # A script that runs takes the press from the form, and then may not send it.
    runs = all(_permits(policy, SCRIPTS, url) for policy in csp)
    if runs and not all(_permits(policy, REQUESTS, url) for policy in csp):
        blocked = "connect-src"
    if blocked is not None:
        findings.append(tell("doors.form-blocked", reason=blocked))
    yield from findings or [tell("doors.headers")]
    if any("require-trusted-types-for" in policy for policy in csp):
        yield tell("doors.trusted-types")


def _directives(policy: str) -> dict[str, list[str]]:
    """The directives of one policy; of two with one name the first counts."""
    parts = [words for part in policy.split(";") if (words := part.split())]
    return {words[0]: words[1:] for words in reversed(parts)}


def _blocks_forms(policy: dict[str, list[str]], url: str) -> str | None:
    """The directive that keeps a page from sending its own form, if one does; each policy alone can."""
    if "allow-forms" not in policy.get("sandbox", ["allow-forms"]):
        return "sandbox without allow-forms"
    permitted = _permits(policy, ("form-action",), url)
    return None if permitted else f"form-action {' '.join(policy['form-action'])}"


def _permits(policy: dict[str, list[str]], directives: tuple[str, ...], url: str) -> bool:
    """Whether a policy permits what comes from the page's own place; the first directive that is there says."""
    sources = next((policy[name] for name in directives if name in policy), ["*"])
    return "'strict-dynamic'" not in sources and any(_allows(source, url) for source in sources)


def _allows(source: str, url: str) -> bool:
    """Whether a source expression takes in a URL (https://www.w3.org/TR/CSP3/#match-url-to-source-expression)."""
    place = urlsplit(url)
    scheme, _, rest = source.rpartition("://")
    host, _, path = rest.partition("/")
    below = f"/{path}*" if path.endswith("/") or not path else f"/{path}"
    names = (place.netloc, f"{place.hostname}:{place.port or DEFAULT_PORTS.get(place.scheme)}")
    right = scheme in ("", place.scheme) and any(fnmatchcase(name, host) for name in names)
    return source in ("'self'", "*", f"{place.scheme}:") or (right and fnmatchcase(place.path, below))
