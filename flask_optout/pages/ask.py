"""The ask page, where a URL that an operator copied leads: it mails the link to the invited address, and to no other.

Whoever opens it learns and changes nothing: it reads no choice, and answers every address alike. The mail is sent
after the answer, by a thread of its own; neither the answer's time nor the closing of its connection tells whether
there was one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial

import sqlalchemy as sa
from flask import Response, copy_current_request_context, current_app, make_response, request

from ..addresses import Address, parse
from ..choices.store import KeyTaken, insert
from ..email_log.ids import now
from ..errors import AddressError, OptOutError
from ..links.keys import ALL, Mark
from ..links.log_records import log
from ..links.tokens import Claim, Door
from ..mailers.delivery import default_sender, deliver, link_letter
from ..wiring import current_state
from .candidate import LONGEST_FORM, blueprint, show
from .languages import of_browser, speaking

#: Links mailed on one day to one address: for one opportunity, and for all.
MOST, MOST_IN_ALL = 3, 10


@blueprint.get("/ask/<path:token>")
def ask(token: str) -> str:
    """Show the form; nothing on it depends on what the candidate chose."""
    current_state().claim(Door.ASK, token)
    return show("ask.html", answered=False)


@blueprint.post("/ask/<path:token>")
def ask_press(token: str) -> Response:
    """Mail a fresh link to the typed address if it is the invited one; say the same whether or not it is."""
    return mailed(partial(_mail_link, current_state().claim(Door.ASK, token)))


def mailed(mail: Callable[[Address], None]) -> Response:
    """Have links mailed to the typed address, after the answer, which is the same for every address.

    :param mail: mails them, if there are any for this address.
    """
    request.max_content_length = LONGEST_FORM
    work = copy_current_request_context(partial(_mail, mail, request.form.get("address", "")))
    if not _submit(work):
        return make_response(show("unavailable.html"), 503)
    return make_response(show("ask.html", answered=True))


def _submit(work: Callable[[], None]) -> bool:
    """Have work done by a thread; say whether there was a place for it."""
    state = current_state()
    if not state.places.acquire(blocking=False):
        return False
    state.threads.submit(work).add_done_callback(lambda _: state.places.release())
    return True


def _mail(mail: Callable[[Address], None], typed: str) -> None:
    try:
        # To the canonical spelling, since another one that counts as the same may be another person's mailbox.
        mail(parse(parse(typed).canonical))
    except AddressError:
        return
    except Exception as error:
        # Of the mail library, whose text may hold an address, only the class.
        reason = error if isinstance(error, OptOutError) else type(error).__name__
        text = f"A link that was asked for could not be mailed: {reason}"
        log(current_app.logger, logging.ERROR, "link_not_mailed", text)


def _mail_link(claim: Claim, address: Address) -> None:
    state = current_state()
    invited, anything = claim.person
    if invited != state.tokens.keys[Door.ASK].mark(address, claim.opportunity):
        return
    if not may_mail([(_slot(invited), MOST), (_slot(anything), MOST_IN_ALL)]):
        return
    url = state.links.url(Door.LANDING, address, claim.opportunity)
    with speaking(of_browser()):
        title = state.opportunity(claim.opportunity).title
        letter = link_letter(address, claim.opportunity, (title, url), sender=default_sender())
    deliver(letter)


def slots_of(address: Address, opportunities: Iterable[str]) -> list[bytes]:
    """The pseudonyms under which the mails to an address are counted."""
    key = current_state().tokens.keys[Door.ASK]
    return [_slot(key.mark(address, about)) for about in (ALL, *opportunities)]


def _slot(mark: Mark) -> bytes:
    """A pseudonym that cannot be computed from the token, which operators see."""
    return current_state().key.digest("asked", mark.digest.hex())


def may_mail(slots: Iterable[tuple[bytes, int]]) -> bool:
    """Whether each slot has had fewer than its number of mails today; if so, count one more for each."""
    state = current_state()
    table, day = state.tables.log.asked, now().date()

    def count(connection: sa.Connection) -> bool:
        connection.execute(table.delete().where(table.c.day < day))
        rows = []
        for slot, most in slots:
            counted = sa.select(sa.func.count()).where(table.c.day == day, table.c.slot == slot)
            number = connection.scalar(counted) or 0
            if number >= most:
                return False
            rows.append({"day": day, "slot": slot, "number": number + 1})
        insert(connection, table, *rows)
        return True

    try:
        return state.store.record(count)
    except KeyTaken:
        return False
