"""What the headers of a page mean together, as a browser reads them."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from .finding import Finding, tell
from .http import Answer

#: Those that keep a page's path from other sites, those that do not, and those that show the site's name alone;
#: https://www.w3.org/TR/referrer-policy/#referrer-policies.
CLOSED = ("no-referrer", "same-origin")
OPEN = ("unsafe-url", "no-referrer-when-downgrade")
NAME_ALONE = ("origin", "strict-origin", "origin-when-cross-origin", "strict-origin-when-cross-origin")


def policies(answer: Answer, url: str) -> Iterator[Finding]:
    """What is wrong with the headers of a candidate's page."""
    csp = [_directives(policy) for policy in answer.values("content-security-policy")]
    lost = []
    if "no-store" not in [value.lower() for value in answer.values("cache-control")]:
        lost.append(("Cache-Control: no-store", "A cache could show one candidate's answer to another."))
    known = [
        value for value in map(str.lower, answer.values("referrer-policy")) if value in CLOSED + OPEN + NAME_ALONE
    ]
    # The last value that a browser knows is the one that counts.
    if known and known[-1] in OPEN:
        yield tell("doors.referrer", value=known[-1])
    elif not known or known[-1] not in CLOSED:
        lost.append(
            ("Referrer-Policy: same-origin", "The page's link, which is a credential, could leak to other sites.")
        )
    if not {"noindex", "none"} & {value.lower() for value in answer.values("x-robots-tag")}:
        lost.append(("X-Robots-Tag: noindex", "Search engines that find a link in a mailbox would list it."))
    if not any(policy.get("frame-ancestors") == ["'none'"] for policy in csp):
        why = "Another site could put the page into a frame and have it pressed."
        lost.append(("Content-Security-Policy: frame-ancestors 'none'", why))
    # A browser reads the first value alone.
    if [value.lower() for value in answer.values("x-content-type-options")][:1] != ["nosniff"]:
        lost.append(("X-Content-Type-Options: nosniff", "A browser could take the page for something else."))
    for header, why in lost:
        yield tell("doors.headers.lost", header=header, why=why, name=header.partition(":")[0])
    blocked = next((reason for policy in csp if (reason := _blocks_forms(policy, url)) is not None), None)
    # A script that runs takes the press from the form, and then may not send it.
    runs = all(_permits(policy, ("script-src-elem", "script-src", "default-src"), url) for policy in csp)
    if runs and not all(_permits(policy, ("connect-src", "default-src"), url) for policy in csp):
        blocked = "connect-src"
    if blocked is not None:
        yield tell("doors.form-blocked", reason=blocked)
    if any("require-trusted-types-for" in policy for policy in csp):
        yield tell("doors.trusted-types")
    if not (lost or blocked or (known and known[-1] in OPEN)):
        yield tell("doors.headers")


def _directives(policy: str) -> dict[str, list[str]]:
    """The directives of one policy; of two with one name the first counts."""
    directives: dict[str, list[str]] = {}
    for part in policy.split(";"):
        words = part.split()
        if words:
            directives.setdefault(words[0].lower(), [word.lower() for word in words[1:]])
    return directives


def _blocks_forms(policy: dict[str, list[str]], url: str) -> str | None:
    """The directive that keeps a page from sending its own form, if one does; each policy alone can."""
    if "sandbox" in policy and "allow-forms" not in policy["sandbox"]:
        return "sandbox without allow-forms"
    sources = policy.get("form-action")
    if sources is None or any(_allows(source, url) for source in sources):
        return None
    return f"form-action {' '.join(sources)}"


def _permits(policy: dict[str, list[str]], directives: tuple[str, ...], url: str) -> bool:
    """Whether a policy permits what comes from the page's own place; the first directive that is there says."""
    sources = next((policy[name] for name in directives if name in policy), ["*"])
    return "'strict-dynamic'" not in sources and any(_allows(source, url) for source in sources)


def _allows(source: str, url: str) -> bool:
    place = urlsplit(url)
    if source in ("'self'", "*", f"{place.scheme}:"):
        return True
    scheme, _, rest = source.rpartition("://")
    name, _, path = rest.partition("/")
    host, _, port = name.partition(":")
    right_port = port in ("", "*", str(place.port or {"https": 443, "http": 80}.get(place.scheme)))
    mine = place.hostname or ""
    right_host = mine.endswith(host[1:]) if host.startswith("*.") else mine == host
    below = place.path.startswith(f"/{path}") if path.endswith("/") or not path else place.path == f"/{path}"
    return right_host and right_port and below and scheme in ("", place.scheme)
