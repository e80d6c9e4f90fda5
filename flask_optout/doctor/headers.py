"""The headers of a sample, as RFC 8058, 2369, 2919, 3834 and Gmail's Feedback-ID want them, and what is signed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .case import Sample
from .finding import Finding, tell
from .providers import KNOWN, by_host, place_of

#: Tells something of a URL.
Tells = Callable[[str], bool]


def headers(sample: Sample, ours: Tells, made_here: Tells) -> Iterator[Finding]:
    """What is wrong with a sample's headers.

    :param ours: tells whether a URL is a candidate's link of this app, by its form.
    :param made_here: tells whether such a URL was made with this app's keys.
    """
    for name, pattern in KNOWN["headers"]["right"].items():
        values = sample.all(name)
        is_right = len(values) == 1 and re.fullmatch(pattern, values[0])
        if values or name != "Feedback-ID":
            yield tell(f"message.{name.lower()}{'' if is_right else '.wrong'}")
    named = ",".join(sample.all("To") + sample.all("Cc") + sample.all("Bcc"))
    # Commas in quotes, in comments and in front of an address are part of its name.
    count = sum("@" in part for part in re.sub(r'"[^"]*"|\([^()]*\)', "", named).split(","))
    yield tell("message.recipient" if count == 1 else "message.recipient.wrong", count=count)
    yield from _list_unsubscribe(sample, ours, made_here)
    head = sample.raw[: sample.raw.find(b"\r\n\r\n")].decode("latin-1")
    lines = re.sub(KNOWN["headers"]["receivers"], "", head).split("\r\n")
    # RFC 5322 section 2.1.1
    if (long := any(len(line) > 998 for line in lines)) or not all(map(str.isascii, lines)):
        yield tell("message.lines", what="long" if long else "ascii")
    yield from _signatures(sample)


def _list_unsubscribe(sample: Sample, ours: Tells, made_here: Tells) -> Iterator[Finding]:
    found, value = sample.all("List-Unsubscribe"), sample.first("List-Unsubscribe")
    uris = re.findall(r"<([^<>]*)>", value)
    web = [uri for uri in uris if uri.strip().lower().startswith("https:")]
    wrong = {
        "count": len(found) != 1,
        "encoded": "=?" in value,
        "brackets": not re.fullmatch(r"(\s*<[^<>]*>\s*(\([^()]*\)\s*)?(,|$))+\s*", value),
        "web": len(web) != 1,
        "blank": any(re.search(r"\s", uri) for uri in uris),
    }
    what = next((word for word, is_so in wrong.items() if is_so), None)
    if what is not None:
        yield tell("message.list-unsubscribe.wrong", what=what, count=len(found), web=len(web))
        return
    end = "" if made_here(web[0]) else ".other-key"
    end = ".other" if not ours(web[0]) else end if "/one-click/" in web[0].lower() else ".landing"
    place = place_of(web[0])
    host = place.hostname or "no host"
    provider = by_host(host, place.path)
    yield tell(f"message.list-unsubscribe{end}", whose=f"{host} ({provider['name']})" if provider else host)
    if any(uri.lower().startswith("mailto:") and "?" in uri for uri in uris):
        yield tell("message.list-unsubscribe.mailto")


def _signatures(sample: Sample) -> Iterator[Finding]:
    """What the signatures cover; whether they hold is another question, that needs DNS."""
    signatures = sample.signatures
    if not signatures:
        yield tell("message.dkim.none")
        return
    covered = [{name.strip().lower() for name in tags.get("h", "").split(":")} for tags in signatures]
    must, should = KNOWN["headers"]["must-sign"], KNOWN["headers"]["should-sign"]
    best = max(covered, key=lambda names: len(names & {name.lower() for name in must}))
    missing = [name for name in must if name.lower() not in best]
    present = [name for name in should if sample.all(name) and name.lower() not in best]
    names = {"missing": missing, "present": present, "all": [*missing, *present]}
    yield tell("message.dkim.uncovered" if missing else "message.dkim.covers", **names)
    if present:
        yield tell("message.dkim.leaves-out", **names)
    if any("l" in tags for tags in signatures):
        yield tell("message.dkim.length")
    if all(tags.get("a", "").lower() == "rsa-sha1" for tags in signatures):
        yield tell("message.dkim.sha1")
