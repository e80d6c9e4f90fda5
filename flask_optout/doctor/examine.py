"""Run all checks at the same time, within a limit of seconds, and give findings whatever happens; and look at the
headers of a sample: RFC 8058, 2369, 2919, 3834 and Gmail's Feedback-ID.

What needs the doctor's extra is imported where it is used: without it, the rest is looked at.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from ..email_log.search import Criteria
from ..errors import BadToken, OptOutError
from ..links.tokens import ALPHABET, TAG, Door
from ..wiring import State
from .case import Case, Sample
from .doors import PROBE, PROBE_OPPORTUNITY, READER, Probe, check_doors
from .finding import KNOWN, Finding, find_provider, side_by_side, split_url, tell
from .setup import check_setup

#: Seconds in all; DNS stops earlier, so that what was found until then is reported.
SECONDS = 18.0
SECONDS_FOR_DNS = 14.0
#: Tells something of a URL.
Tells = Callable[[str], bool]


def examine(state: State, case: Case, offline: bool) -> Iterator[Finding]:
    """What is found in each of the four groups, which are looked at side by side.

    :param offline: ask neither DNS nor the deployed app.
    """
    with state.app.app_context():
        prefix = state.links.prefix(Door.LANDING)
    work = {
        "setup": check_setup(state),
        "domain": _check_domain(case, prefix),
        "message": _check_message(state, case, prefix, offline),
        "doors": _check_doors(state, prefix),
    }
    if offline:
        work |= {group: iter([tell(f"{group}.offline")]) for group in ("domain", "doors")}
    return side_by_side(work, SECONDS)


def _check_domain(case: Case, prefix: str) -> Iterator[Finding]:
    from .domain import check_domain
    from .resolver import Resolver

    yield from check_domain(case, Resolver(time.monotonic() + SECONDS_FOR_DNS, case.nameserver), prefix)


def _check_message(state: State, case: Case, prefix: str, offline: bool) -> Iterator[Finding]:
    def made_here(url: str) -> bool:
        with state.app.app_context(), suppress(OptOutError):  # any but a bad token is said of the store
            try:
                state.read_claim(Door.ONE_CLICK, url.rpartition("/")[2])
            except BadToken:
                return False
        return True

    yield from check_message(case, prefix, made_here)
    if case.sample.raw and offline:
        yield tell("message.offline")
    elif case.sample.raw:
        from .resolver import Resolver
        from .signatures import check_signatures

        yield from check_signatures(Resolver(time.monotonic() + SECONDS_FOR_DNS, case.nameserver), case.sample)


def make_is_ours(prefix: str) -> Tells:
    """Tells whether a URL is a candidate's link of this app, for people or for mail programs.

    :param prefix: what such a link starts with.
    """
    link = re.compile(rf"{re.escape(prefix)}(?:one-click/)?(?:{TAG}/)?{ALPHABET.pattern}", re.IGNORECASE)
    return lambda url: link.match(url) is not None


def check_message(case: Case, prefix: str, made_here: Tells = lambda url: True) -> Iterator[Finding]:
    """What is wrong with a sample, as far as it can be seen without DNS.

    :param made_here: tells whether a one-click URL was made with this app's keys.
    """
    sample = case.sample
    if not sample.raw:
        yield tell("message.unreadable", reason=sample.unreadable) if sample.unreadable else tell("message.none")
        return
    yield from check_headers(sample, make_is_ours(prefix), made_here)
    from .bodies import check_bodies
    from .signatures import check_receiver

    yield from check_receiver(sample)
    yield from check_bodies(sample, make_is_ours(prefix))


def check_headers(sample: Sample, ours: Tells, made_here: Tells) -> Iterator[Finding]:
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
    yield from _check_list_unsubscribe(sample, ours, made_here)
    head = sample.raw[: sample.raw.find(b"\r\n\r\n")].decode("latin-1")
    lines = re.sub(KNOWN["headers"]["receivers"], "", head).split("\r\n")
    # RFC 5322 section 2.1.1
    if (long := any(len(line) > 998 for line in lines)) or not all(map(str.isascii, lines)):
        yield tell("message.lines", what="long" if long else "ascii")
    yield from _check_covered(sample)


def _check_list_unsubscribe(sample: Sample, ours: Tells, made_here: Tells) -> Iterator[Finding]:
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
    place = split_url(web[0])
    host = place.hostname or "no host"
    provider = find_provider(host, place.path)
    yield tell(f"message.list-unsubscribe{end}", whose=f"{host} ({provider['name']})" if provider else host)
    if any(uri.lower().startswith("mailto:") and "?" in uri for uri in uris):
        yield tell("message.list-unsubscribe.mailto")


def _check_covered(sample: Sample) -> Iterator[Finding]:
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


def _check_doors(state: State, prefix: str) -> Iterator[Finding]:
    try:
        with state.app.app_context():
            # The host's own loader and landing page know an opportunity that there is.
            newest = state.search.find(Criteria()).entries
            opportunity = newest[0].opportunity if newest else PROBE_OPPORTUNITY
            kinds = (Door.LANDING, Door.ONE_CLICK)
            links = [[state.links.url(kind, person, opportunity) for kind in kinds] for person in (PROBE, READER)]
    except OptOutError as error:
        yield tell("doors.page.unknown", where=prefix, reason=error.what)
        return
    email_log = None if state.hooks.operator is None else f"{prefix}operator/"
    yield from check_doors(Probe(*links[0]), Probe(*links[1]), email_log, state.hooks.landing_page is not None)
