"""The headers of a sample, as RFC 8058, 2369, 2919, 3834 and Gmail's Feedback-ID want them, and what is signed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from email.utils import getaddresses
from urllib.parse import urlsplit

from .finding import Finding, tell
from .providers import by_host
from .sample import Sample

#: RFC 8058 section 4 wants them signed.
MUST_SIGN = ("From", "List-Unsubscribe", "List-Unsubscribe-Post")
#: RFC 6376 section 5.4: a header that is not signed can be changed on its way.
SHOULD_SIGN = ("Subject", "Date", "To", "Message-ID", "List-Id", "Feedback-ID")
#: RFC 5322 section 2.1.1.
LONGEST_LINE = 998


def headers(sample: Sample, ours: Callable[[str], bool], made_here: Callable[[str], bool]) -> Iterator[Finding]:
    """What is wrong with a sample's headers.

    :param ours: tells whether a URL is a candidate's link of this app, by its form.
    :param made_here: tells whether such a URL was made with this app's keys.
    """
    yield from _list_unsubscribe(sample, ours, made_here)
    posts = [re.sub(r"\s", "", value) for value in sample.all("List-Unsubscribe-Post")]
    if posts == ["List-Unsubscribe=One-Click"]:
        yield tell("message.list-unsubscribe-post")
    else:
        what = "is not exactly List-Unsubscribe=One-Click" if posts else "is missing"
        yield tell("message.list-unsubscribe-post.wrong", what=what)
    ids = sample.all("List-Id")
    named = len(ids) == 1 and re.search(r"<[A-Za-z0-9_-]+(\.[A-Za-z0-9-]+)+>$", ids[0])
    yield tell("message.list-id" if named else "message.list-id.wrong")
    automatic = sample.first("Auto-Submitted").lower().startswith("auto-generated")
    yield tell("message.auto-submitted" if automatic else "message.auto-submitted.wrong")
    if feedback := sample.all("Feedback-ID"):
        parts = feedback[0].split(":")
        good = len(feedback) == 1 and len(parts) == 4 and 5 <= len(parts[3].strip()) <= 15
        yield tell("message.feedback-id" if good else "message.feedback-id.wrong")
    yield from _one_recipient(sample)
    yield from _lines(sample)
    yield from _signatures(sample)


def _list_unsubscribe(
    sample: Sample, ours: Callable[[str], bool], made_here: Callable[[str], bool]
) -> Iterator[Finding]:
    found = sample.all("List-Unsubscribe")
    if len(found) != 1:
        many = f"there are {len(found)} of it" if found else "there is none"
        yield tell("message.list-unsubscribe.wrong", what=f"must be there once, and {many}")
        return
    value = found[0]
    uris = re.findall(r"<([^<>]*)>", value)
    web = [uri for uri in uris if uri.strip().lower().startswith("https:")]
    rest = re.sub(r"<[^<>]*>|\([^()]*\)", "", value)
    wrong = None
    if "=?" in value:
        wrong = "is broken into encoded words, which no mail program takes for a link"
    elif not uris or re.search(r"[^\s,]", rest):
        wrong = "does not put each link in angle brackets, with commas between them"
    elif len(web) != 1:
        wrong = f"holds {len(web)} https links, and needs one"
    elif any(re.search(r"\s", uri) for uri in uris):
        wrong = "has a space inside the angle brackets, which Outlook.com does not read"
    if wrong:
        yield tell("message.list-unsubscribe.wrong", what=wrong)
    elif not ours(web[0]):
        host = _host(web[0])
        provider = by_host(host)
        whose = f"{host} ({provider.name})" if provider is not None else host
        yield tell("message.list-unsubscribe.other", whose=whose)
    elif not made_here(web[0]):
        yield tell("message.list-unsubscribe.other-key")
    else:
        yield tell("message.list-unsubscribe")
    if not wrong and any(uri.lower().startswith("mailto:") and "?" in uri for uri in uris):
        yield tell("message.list-unsubscribe.mailto")


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "no host"
    except ValueError:
        return "no host"


def _one_recipient(sample: Sample) -> Iterator[Finding]:
    try:
        count = len(getaddresses(sample.all("To") + sample.all("Cc") + sample.all("Bcc")))
    except RecursionError:  # brackets in brackets in brackets
        count = 0
    yield tell("message.recipient" if count == 1 else "message.recipient.wrong", count=count)


def _lines(sample: Sample) -> Iterator[Finding]:
    head = sample.raw[: sample.raw.find(b"\r\n\r\n")].split(b"\r\n")
    if any(len(line) > LONGEST_LINE for line in head):
        yield tell("message.lines", what=f"is longer than {LONGEST_LINE} octets")
    elif any(max(line, default=0) > 127 for line in head):
        yield tell("message.lines", what="holds a character outside ASCII")


def _signatures(sample: Sample) -> Iterator[Finding]:
    """What the signatures cover; whether they hold is another question, that needs DNS."""
    signatures = sample.signatures
    if not signatures:
        yield tell("message.dkim.none")
        return
    covered = [{name.strip().lower() for name in tags.get("h", "").split(":")} for tags in signatures]
    best = max(covered, key=lambda names: len(names & {name.lower() for name in MUST_SIGN}))
    missing = [name for name in MUST_SIGN if name.lower() not in best]
    present = [name for name in SHOULD_SIGN if sample.all(name) and name.lower() not in best]
    names = {"missing": " and ".join(missing), "present": ", ".join(present), "all": ", ".join([*missing, *present])}
    yield tell("message.dkim.uncovered" if missing else "message.dkim.covers", **names)
    if present:
        yield tell("message.dkim.leaves-out", **names)
    if any("l" in tags for tags in signatures):
        yield tell("message.dkim.length")
    if all(tags.get("a", "").lower() == "rsa-sha1" for tags in signatures):
        yield tell("message.dkim.sha1")
