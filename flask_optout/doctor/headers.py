"""The headers of a sample, as RFC 8058, 2369, 2919, 3834 and Gmail's Feedback-ID want them, and what is signed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.utils import getaddresses

from .finding import Finding, Severity, ok
from .sample import Sample

NO_BUTTON = "Gmail, Yahoo and Apple Mail show their opt-out button only then; without it people press Spam instead."
OURS = "Send it through the Mail, Connection or cleared() of Flask-OptOut, and let nothing rewrite this header."
#: RFC 6376 section 5.4: a header that is not signed can be changed on its way.
SHOULD_SIGN = ("Subject", "Date", "To", "Message-ID", "List-Id", "Feedback-ID")
#: RFC 5322 section 2.1.1.
LONGEST_LINE = 998


def headers(sample: Sample) -> Iterator[Finding]:
    """What is wrong with a sample's headers."""
    yield from _list_unsubscribe(sample)
    yield from _post(sample)
    yield from _list_id(sample)
    yield from _automatic(sample)
    yield from _feedback_id(sample)
    yield from _one_recipient(sample)
    yield from _lines(sample)
    yield from _signatures(sample)


def _list_unsubscribe(sample: Sample) -> Iterator[Finding]:
    id, section = "message.list-unsubscribe", "RFC 8058 section 3.1"
    found = sample.all("List-Unsubscribe")
    if len(found) != 1:
        many = f"{len(found)} List-Unsubscribe headers" if found else "no List-Unsubscribe header"
        yield Finding(id, Severity.FAIL, f"The message has {many}, and needs one.", NO_BUTTON, OURS, section)
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
        yield Finding(
            id, Severity.FAIL, f"List-Unsubscribe {wrong}.", NO_BUTTON, OURS, f"{section}; RFC 2369 section 2"
        )
        return
    yield ok(id, "List-Unsubscribe holds one https link.")
    mail = [uri for uri in uris if uri.lower().startswith("mailto:")]
    if mail and "?" in mail[0]:
        yield Finding(
            "message.list-unsubscribe.mailto",
            Severity.WARN,
            "The mailto: link says who opts out behind its question mark.",
            "Apple Mail sends an empty subject and Outlook drops it, so such an opt-out is lost.",
            "Put what you need to know before the @, at most 64 characters, or leave mailto: out.",
            "RFC 2369 section 2",
        )


def _post(sample: Sample) -> Iterator[Finding]:
    id = "message.list-unsubscribe-post"
    found = sample.all("List-Unsubscribe-Post")
    if [re.sub(r"\s", "", value) for value in found] == ["List-Unsubscribe=One-Click"]:
        yield ok(id, "List-Unsubscribe-Post asks for one click.")
    else:
        seen = "is not exactly List-Unsubscribe=One-Click" if found else "is missing"
        paste = "List-Unsubscribe-Post: List-Unsubscribe=One-Click"
        seen = f"List-Unsubscribe-Post {seen}."
        yield Finding(id, Severity.FAIL, seen, NO_BUTTON, OURS, "RFC 8058 section 3.1", paste=paste)


def _list_id(sample: Sample) -> Iterator[Finding]:
    found = sample.all("List-Id")
    if len(found) == 1 and re.search(r"<[A-Za-z0-9_-]+(\.[A-Za-z0-9-]+)+>$", found[0]):
        yield ok("message.list-id", "List-Id names the opportunity.")
        return
    yield Finding(
        "message.list-id",
        Severity.WARN,
        "The message has several List-Id headers." if found[1:] else "List-Id is missing or not a name in brackets.",
        "Gmail then takes one opt-out for all your mail, password resets too.",
        OURS,
        "RFC 2919 section 3; https://support.google.com/a/answer/15263077",
    )


def _automatic(sample: Sample) -> Iterator[Finding]:
    if sample.first("Auto-Submitted").lower().startswith("auto-generated"):
        yield ok("message.auto-submitted", "Auto-Submitted says that a program sent it.")
    else:
        yield Finding(
            "message.auto-submitted",
            Severity.WARN,
            "Auto-Submitted is not auto-generated.",
            "Holiday notices answer it, and some look like a bounce.",
            OURS,
            "RFC 3834 section 5",
            paste="Auto-Submitted: auto-generated",
        )


def _feedback_id(sample: Sample) -> Iterator[Finding]:
    found = sample.all("Feedback-ID")
    if not found:
        return
    parts = found[0].split(":")
    if len(found) == 1 and len(parts) == 4 and 5 <= len(parts[3].strip()) <= 15:
        yield ok("message.feedback-id", "Feedback-ID has four parts.")
        return
    yield Finding(
        "message.feedback-id",
        Severity.WARN,
        "Feedback-ID is not one header of four parts that ends in a sender's id of 5 to 15 characters.",
        "Gmail's Postmaster Tools then count no complaints for these invitations.",
        "Send it as one header of this form, or not at all.",
        "https://support.google.com/mail/answer/6254652",
        paste="Feedback-ID: (campaign):(opportunity):(kind of mail):(sender's id)",
    )


def _one_recipient(sample: Sample) -> Iterator[Finding]:
    try:
        count = len(getaddresses(sample.all("To") + sample.all("Cc") + sample.all("Bcc")))
    except RecursionError:  # brackets in brackets in brackets
        count = 0
    if count == 1:
        yield ok("message.recipient", "The message is for one person.")
    else:
        yield Finding(
            "message.recipient",
            Severity.FAIL,
            f"The message names {count} recipients, and an invitation is for one person.",
            "Its links are personal: whoever else gets it can opt its recipient out.",
            "Send one invitation for each candidate: recipients=[address], no cc, no bcc.",
            "RFC 8058 section 6",
        )


def _lines(sample: Sample) -> Iterator[Finding]:
    head = sample.raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
    wrong = None
    if any(len(line) > LONGEST_LINE for line in head):
        wrong = f"is longer than {LONGEST_LINE} octets"
    elif any(max(line, default=0) > 127 for line in head):
        wrong = "holds a character outside ASCII"
    if wrong:
        seen = f"A line of the headers {wrong}."
        why = "Servers on the way break or refuse such a message, and its signature no longer holds."
        mend = "Shorten OPTOUT_BASE_URL and the opportunity's id, and let your mail library encode names."
        yield Finding("message.lines", Severity.WARN, seen, why, mend, "RFC 5322 section 2.1.1")


def _signatures(sample: Sample) -> Iterator[Finding]:
    """What the signatures cover; whether they hold is another question, that needs DNS."""
    section = "RFC 8058 section 4"
    if not sample.signatures:
        yield Finding(
            "message.dkim",
            Severity.FAIL,
            "The message has no DKIM signature.",
            NO_BUTTON,
            "Sign where mail leaves (your provider's settings, or OpenDKIM), and save the sample where it arrived.",
            section,
        )
        return
    covered = [{name.strip().lower() for name in tags.get("h", "").split(":")} for tags in sample.signatures]
    best = max(covered, key=lambda names: len(names & {"from", "list-unsubscribe", "list-unsubscribe-post"}))
    missing = [name for name in ("From", "List-Unsubscribe", "List-Unsubscribe-Post") if name.lower() not in best]
    present = [name for name in SHOULD_SIGN if sample.all(name) and name.lower() not in best]
    mend = f"Add to the headers that are signed (h=): {', '.join([*missing, *present])}"
    if missing:
        seen = f"No DKIM signature covers {' and '.join(missing)}."
        yield Finding("message.dkim.covers", Severity.FAIL, seen, NO_BUTTON, mend, section)
    else:
        yield ok("message.dkim.covers", "A DKIM signature covers both List-Unsubscribe headers.")
    if present:
        why = "Whoever relays the message can change them, and filters trust it less."
        seen = f"The DKIM signature leaves out {', '.join(present)}."
        yield Finding("message.dkim.leaves-out", Severity.WARN, seen, why, mend, "RFC 6376 section 5.4.1")
    yield from _dangers(sample.signatures)


def _dangers(signatures: list[dict[str, str]]) -> Iterator[Finding]:
    if any("l" in tags for tags in signatures):
        yield Finding(
            "message.dkim.length",
            Severity.WARN,
            "A DKIM signature covers only the beginning of the body (l=).",
            "Anybody can append another link to a signed invitation.",
            "Switch the body length limit of your signer off.",
            "RFC 6376 section 8.2",
        )
    if all(tags.get("a", "").lower() == "rsa-sha1" for tags in signatures):
        yield Finding(
            "message.dkim.sha1",
            Severity.FAIL,
            "The DKIM signature uses rsa-sha1, which mail servers ignore.",
            NO_BUTTON,
            "Switch your signer to rsa-sha256.",
            "RFC 8301 section 3.1",
        )
