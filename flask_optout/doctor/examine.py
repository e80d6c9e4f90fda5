"""Run all checks at the same time, within a limit of seconds, and give findings whatever happens."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from ..email_log.search import Criteria
from ..errors import BadToken, OptOutError
from ..links.tokens import ALPHABET, TAG, Door
from ..wiring import State
from .case import Case
from .doors import PROBE, PROBE_OPPORTUNITY, READER, Probe, doors
from .finding import Finding, side_by_side, tell
from .headers import headers
from .setup import setup

try:
    from .bodies import bodies
    from .domain import domain
    from .resolver import Resolver
    from .signatures import receiver, signatures

    MISSING: str | None = None
except ImportError as _error:
    #: What is not installed of the extra.
    MISSING = _error.name

#: Seconds in all; DNS stops earlier, so that what was found until then is reported.
SECONDS = 18.0
SECONDS_FOR_DNS = 14.0


def examine(state: State, case: Case, offline: bool) -> Iterator[list[Finding]]:
    """What is found in each of the four groups, which are looked at side by side.

    :param offline: ask neither DNS nor the deployed app.
    """
    with state.app.app_context():
        prefix = state.links.prefix(Door.LANDING)
    work = {
        "setup": setup(state),
        "domain": _domain(case, prefix),
        "message": _message(state, case, prefix, offline),
        "doors": _doors(state, prefix),
    }
    if offline:
        work |= {group: iter([tell(f"{group}.offline")]) for group in ("domain", "doors")}
    return side_by_side(work, SECONDS)


def _domain(case: Case, prefix: str) -> Iterator[Finding]:
    if MISSING is not None:
        yield tell("domain.extra", package=MISSING)
    else:
        yield from domain(case, Resolver(time.monotonic() + SECONDS_FOR_DNS, case.nameservers), prefix)


def _message(state: State, case: Case, prefix: str, offline: bool) -> Iterator[Finding]:
    def made_here(url: str) -> bool:
        with state.app.app_context(), suppress(OptOutError):  # any but a bad token is said of the store
            try:
                state.claim(Door.ONE_CLICK, url.rpartition("/")[2])
            except BadToken:
                return False
        return True

    yield from message(case, prefix, made_here)
    if case.sample.raw and offline:
        yield tell("message.offline")
    elif case.sample.raw and MISSING is None:
        yield from signatures(Resolver(time.monotonic() + SECONDS_FOR_DNS, case.nameservers), case.sample)


def ours(prefix: str) -> Callable[[str], bool]:
    """Tells whether a URL is a candidate's link of this app, for people or for mail programs.

    :param prefix: what such a link starts with.
    """
    link = re.compile(rf"{re.escape(prefix)}(?:one-click/)?(?:{TAG}/)?{ALPHABET.pattern}", re.IGNORECASE)
    return lambda url: link.match(url) is not None


def message(case: Case, prefix: str, made_here: Callable[[str], bool] = lambda url: True) -> Iterator[Finding]:
    """What is wrong with a sample, as far as it can be seen without DNS.

    :param made_here: tells whether a one-click URL was made with this app's keys.
    """
    sample = case.sample
    if not sample.raw:
        yield tell("message.unreadable", reason=sample.unreadable) if sample.unreadable else tell("message.none")
        return
    yield from headers(sample, ours(prefix), made_here)
    if MISSING is not None:
        yield tell("message.extra", package=MISSING)
    else:
        yield from receiver(sample)
        yield from bodies(sample, ours(prefix))


def _doors(state: State, prefix: str) -> Iterator[Finding]:
    try:
        with state.app.app_context():
            # The host's own loader and landing page know an opportunity that there is.
            newest = state.search.page(Criteria()).entries
            opportunity = newest[0].opportunity if newest else PROBE_OPPORTUNITY
            kinds = (Door.LANDING, Door.ONE_CLICK)
            links = [[state.links.url(kind, person, opportunity) for kind in kinds] for person in (PROBE, READER)]
    except OptOutError as error:
        yield tell("doors.page.unknown", where=prefix, reason=error.what)
        return
    email_log = None if state.hooks.operator is None else f"{prefix}operator/"
    yield from doors(Probe(*links[0]), Probe(*links[1]), email_log, state.hooks.landing_page is not None)
