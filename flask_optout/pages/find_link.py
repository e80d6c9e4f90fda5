"""Links by mail: the ask page, to which an operator's copied URL leads, and the page for people who lost their link.

Whoever opens them learns and changes nothing: they read no choice, and answer every address alike. The mail is sent
after the answer, by a thread of its own; neither the answer's time nor the closing of its connection tells whether
there was one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial

import sqlalchemy as sa
from flask import Response, copy_current_request_context, current_app, make_response, request

from ..addresses import Address, parse
from ..choices.store import KeyTaken, insert
from ..email_log.records import now
from ..errors import AddressError, OptOutError
from ..links.log_records import log
from ..links.tokens import Claim, Door, bad_token
from ..mailers.own_mails import default_sender, deliver, link_letter
from ..wiring import current_state
from .candidate import LONGEST_FORM, blueprint
from .words import of_browser, show, speaking

#: The candidate's blueprint, with all pages on it.
__all__ = ["blueprint"]
#: Opportunities, the newest, whose links are mailed to somebody who has lost them.
LINKS = 10
#: Mails with links on one day: to one address, and for one client from the page for lost links.
MOST_MAILS, MOST_FOR_CLIENT = 3, 20


@blueprint.get("/ask/<optout_token:token>")
def ask(token: str) -> str:
    """Show the form; nothing on it depends on what the candidate chose."""
    about = current_state().opportunity(current_state().claim(Door.ASK, token).opportunity)
    return show("ask.html", answered=False, opportunity=about)


@blueprint.post("/ask/<optout_token:token>")
def ask_press(token: str) -> Response:
    """Mail a fresh link to the typed address if it is the invited one; say the same whether or not it is."""
    return _mailed(partial(_mail_asked, current_state().claim(Door.ASK, token)))


@blueprint.get("/", strict_slashes=False)
def find_link() -> str:
    """Show the form."""
    _check_setting()
    return show("ask.html", answered=False)


@blueprint.post("/", strict_slashes=False)
def find_link_press() -> Response:
    """Mail the links of the typed address to it, if there are any; say the same whether or not there are."""
    _check_setting()
    return _mailed(partial(_mail_lost, request.remote_addr or ""))


def _check_setting() -> None:
    if not current_app.config["OPTOUT_FIND_LINK"]:
        raise bad_token()


def _mailed(mail: Callable[[Address], None]) -> Response:
    """Have links mailed to the typed address, after the answer, which is the same for every address.

    :param mail: mails them, if there are any for this address.
    """
    state, request.max_content_length = current_state(), LONGEST_FORM
    typed = _typed()
    work = copy_current_request_context(partial(_mail, mail, typed))
    if not state.places.acquire(blocking=False):
        return make_response(show("unavailable.html"), 503)
    state.threads.submit(work).add_done_callback(lambda _: state.places.release())
    return make_response(show("ask.html", answered=True, typed=typed))


def _typed() -> str:
    """The canonical spelling of the typed address, as another one that counts as the same may be another mailbox.

    It is empty where no address was typed: the page repeats no other words that somebody's form brings.
    """
    try:
        return parse(request.form.get("address", "")).canonical
    except AddressError:
        return ""


def _mail(mail: Callable[[Address], None], typed: str) -> None:
    try:
        mail(parse(typed))
    except AddressError:
        return
    except Exception as error:
        # Of the mail library, whose text may hold an address, only the class.
        reason = error if isinstance(error, OptOutError) else type(error).__name__
        text = f"A link that was asked for could not be mailed: {reason}"
        log(current_app.logger, logging.ERROR, "link_not_mailed", text)


def _mail_asked(claim: Claim, address: Address) -> None:
    invited = current_state().tokens.keys[Door.ASK].mark(address, claim.opportunity)
    if invited == claim.person[0] and _may_mail({slot(address.canonical): MOST_MAILS}):
        _mail_links(address, [claim.opportunity])


def _mail_lost(client: str, address: Address) -> None:
    opportunities = current_state().people.opportunities(address.canonical, LINKS)
    limits = {slot(address.canonical): MOST_MAILS, slot(client): MOST_FOR_CLIENT}
    if opportunities and _may_mail(limits):
        _mail_links(address, opportunities)


def _mail_links(address: Address, opportunities: list[str]) -> None:
    state = current_state()
    with speaking(of_browser()):
        links = [(state.opportunity(id), state.links.url(Door.LANDING, address, id)) for id in opportunities]
        letter = link_letter(address, opportunities[0], *links, sender=default_sender())
    deliver(letter)


def slot(counted: str) -> bytes:
    """The pseudonym under which the mails to an address, or for a client, are counted."""
    return current_state().key.digest("asked", counted)


def _may_mail(limits: Mapping[bytes, int]) -> bool:
    """Whether each slot has had fewer than its number of mails today; if so, count one more for each."""
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
