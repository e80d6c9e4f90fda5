"""Links by mail: the ask page, which an operator's copied URL opens, and the page for people who lost their link.

Neither reveals or changes anything: they read no choice, and answer every address alike. A thread sends the mail
after the response, so that neither the response time nor the end of the connection reveals whether there was one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial

import sqlalchemy as sa
from flask import Response, copy_current_request_context, current_app, request

from ..addresses import Address, parse
from ..choices.store import KeyTaken, insert
from ..email_log.records import describe_error, now
from ..errors import AddressError
from ..links.log_records import log
from ..links.tokens import Claim, Door, bad_token
from ..mailers.own_mails import compose_link_letter, deliver, get_default_sender, make_links
from ..wiring import current_state
from .candidate import LONGEST_FORM, blueprint
from .words import get_browser_languages, show, speaking

#: The candidate's blueprint, with all pages on it.
__all__ = ["blueprint"]
#: Most opportunities, the newest ones, whose links are mailed to somebody who has lost them.
LINKS = 10
#: Most mails with links per day: to one address, and for one client of the page for lost links.
MOST_MAILS, MOST_FOR_CLIENT = 3, 20


@blueprint.route("/ask/<optout_token:token>", methods=("GET", "POST"))
def ask(token: str) -> Response:
    """Mail a fresh link to the typed address if it is the invited one; the response does not reveal whether it is."""
    claim = current_state().read_claim(Door.ASK, token)
    if request.method == "POST":
        return _mail_later(partial(_mail_asked, claim))
    return Response(show("ask.html", answered=False, opportunity=current_state().load_opportunity(claim.opportunity)))


@blueprint.route("/", methods=("GET", "POST"), strict_slashes=False)
def find_link() -> Response:
    """Mail the links of the typed address to it, if there are any; the response does not reveal whether there are."""
    if not current_app.config["OPTOUT_FIND_LINK"]:
        raise bad_token()
    if request.method == "POST":
        return _mail_later(partial(_mail_lost, request.remote_addr or ""))
    return Response(show("ask.html", answered=False))


def _mail_later(mail: Callable[[Address], None]) -> Response:
    """Mail links to the typed address after the response, which is the same for every address.

    :param mail: is called with the address and mails its links, if there are any.
    """
    state, request.max_content_length = current_state(), LONGEST_FORM
    typed = _read_address()
    work = copy_current_request_context(partial(_mail, mail, typed))
    if not state.places.acquire(blocking=False):
        return Response(show("unavailable.html"), 503)
    state.threads.submit(work).add_done_callback(lambda _: state.places.release())
    return Response(show("ask.html", answered=True, typed=typed and typed.canonical))


def _read_address() -> Address | None:
    """Return the typed address in its canonical spelling, as any other spelling may be another person's mailbox.

    Return ``None`` for anything but an address: the page must not repeat other words that a form brings.
    """
    try:
        return parse(parse(request.form.get("address", "")).canonical)
    except AddressError:
        return None


def _mail(mail: Callable[[Address], None], typed: Address | None) -> None:
    try:
        if typed is not None:
            mail(typed)
    except Exception as error:
        text = f"A link that was asked for could not be mailed: {describe_error(error)}"
        log(current_app.logger, logging.ERROR, "link_not_mailed", text)


def _mail_asked(claim: Claim, address: Address) -> None:
    invited = current_state().tokens.keys[Door.ASK].mark(address, claim.opportunity)
    if invited == claim.person[0] and _may_mail({make_slot(address.canonical): MOST_MAILS}):
        _mail_links(address, [claim.opportunity])


def _mail_lost(client: str, address: Address) -> None:
    opportunities = current_state().people.find_opportunities(address.canonical, LINKS)
    limits = {make_slot(address.canonical): MOST_MAILS, make_slot(client): MOST_FOR_CLIENT}
    if opportunities and _may_mail(limits):
        _mail_links(address, opportunities)


def _mail_links(address: Address, opportunities: list[str]) -> None:
    with speaking(get_browser_languages()):
        letter = compose_link_letter(
            address, opportunities[0], *make_links(address, opportunities), sender=get_default_sender()
        )
    deliver(letter)


def make_slot(counted: str) -> bytes:
    """Return the pseudonym under which the mails to an address, or for a client, are counted."""
    return current_state().key.digest("asked", counted)


def _may_mail(limits: Mapping[bytes, int]) -> bool:
    """Count one more mail of today for each slot, unless one has reached its limit; return whether it did."""
    state = current_state()
    table, day = state.tables.log.asked, now().date()

    def count(connection: sa.Connection) -> bool:
        connection.execute(table.delete().where(table.c.day < day))
        counted = sa.select(table.c.slot, sa.func.count()).where(table.c.day == day, table.c.slot.in_([*limits]))
        numbers = {bytes(slot): number for slot, number in connection.execute(counted.group_by(table.c.slot))}
        if any(numbers.get(slot, 0) >= most for slot, most in limits.items()):
            return False
        insert(
            connection, table, *({"day": day, "slot": slot, "number": numbers.get(slot, 0) + 1} for slot in limits)
        )
        return True

    try:
        return state.store.record(count)
    except KeyTaken:
        return False
