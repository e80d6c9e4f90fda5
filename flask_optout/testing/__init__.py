"""For the tests of host apps: mute somebody, press as a candidate does, look at what was sent, break the store.

Each function works on the current app, so push its context first; the fixtures of ``pytest_plugin`` do so.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from email.message import EmailMessage
from typing import Any
from urllib.parse import urljoin

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ..addresses import Recipient, parse
from ..choices.store import Store
from ..doctor.forms import Button, Form, find_forms
from ..links.tokens import Door, check_opportunity
from ..presses.history import SECONDS_KEPT
from ..wiring import current_state
from .scanners import Answer, Finding, Scanner, scan

#: The source of choices that tests make.
SOURCE = "test"
#: Seconds for which a candidate reads a page before they press a button on it.
READING = 5.0


class Candidate:
    """A candidate who opens links of an app and presses buttons, as a person does.

    Each press is a visit of its own, for which the app's clock is put forward by half an hour.
    """

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client(use_cookies=False)
        self._ahead = 0.0
        with app.app_context():
            state = current_state()
        clock = state.clock
        state.clock = lambda: clock() + self._ahead

    def open(self, url: str) -> TestResponse:
        """Return the page of a link such as ``optout.link("jane@example.org", "beta-42")``; this changes nothing."""
        return self._client.get(url, follow_redirects=True)

    def mute(self, url: str) -> TestResponse:
        """Press "Not Interested?"; return the page that follows.

        :raises AssertionError: when there is no such button, as for somebody who is muted.
        """
        return self._press(url, "mute")

    def undo(self, url: str) -> TestResponse:
        """Press "I've changed my mind.", the only way to be invited again; return the page that follows.

        :raises AssertionError: when there is no such button, as for somebody who is not muted.
        """
        return self._press(url, "undo")

    def _press(self, url: str, choice: str) -> TestResponse:
        # Later than any other visit, or presses would seem to contradict each other as a scanner's do.
        self._ahead += SECONDS_KEPT
        page = self.open(url)
        found = _find_button(page, choice=choice)
        assert found is not None, f"The page ({page.status}) has no button for {choice!r}."
        while found is not None:
            self._ahead += READING
            form, pressed = found
            where = urljoin(page.request.url, form.action)
            page = self._client.post(where, data={**form.fields, pressed.name: pressed.value}, follow_redirects=True)
            # An undo on a later visit takes a second press, on a page whose buttons are known by their labels alone.
            found = _find_button(page, label=pressed.label)
        return page


def mute(address: Recipient, opportunity: str) -> None:
    """Mute somebody, as if they had pressed the button; only they can undo it, see :class:`Candidate`.

    :param opportunity: its id, 1 to 128 bytes; ``"*"`` for all invitations.
    :raises AddressError: when the address is malformed.
    :raises OpportunityError: when the id cannot stand in a link.
    :raises StoreUnavailable: when the database does not take it.
    """
    current_state().choices.add_mutes([(parse(address), check_opportunity(opportunity))], SOURCE)


def assert_not_sent(outbox: Iterable[Any], address: Recipient) -> None:
    """Assert that no mail was sent to this address.

    :param outbox: messages as ``mail.record_messages()`` of Flask-Mail or the ``outbox`` of Flask-Mailman's locmem
        backend holds them, or ``EmailMessage`` objects of the standard library.
    :raises AssertionError: when one was.
    """
    found = [str(message["Subject"]) for message in _to(outbox, address)]
    assert not found, f"Mail has left to this address: {', '.join(found)}."


def assert_sent_with_link(outbox: Iterable[Any], address: Recipient, opportunity: str) -> str:
    """Assert that one invitation was sent to this address, with its own link in every part; return the link.

    :param outbox: as for :func:`assert_not_sent`.
    :raises AssertionError: when none or several were, or when a text or html part lacks the link.
    """
    mint, person, url = current_state().tokens.mint, parse(address), ""
    landing, one_click = (mint(door, person, opportunity) for door in (Door.LANDING, Door.ONE_CLICK))
    mails = _to(outbox, address)
    found = [message for message in mails if one_click in str(message["List-Unsubscribe"])]
    assert len(found) == 1, f"{len(found)} invitations to this opportunity among {len(mails)} mails to this address."
    for kind in ("plain", "html"):
        if (part := found[0].get_body((kind,))) is not None:
            link = re.search(rf"https?://[^\s\"<>]*{landing}", str(part.get_content()))
            assert link is not None, f"The {kind} part of the invitation lacks the link."
            url = link[0]
    return url


def broken_store() -> AbstractContextManager[None]:
    """Within this context the database of choices cannot be reached, so sending an invitation raises."""
    return _broken(current_state().store)


def forget_data_key() -> None:
    """Have the current app read its data key again, after a test has dropped and created its tables.

    An app reads the data key of its store once; without this, it refuses tables with another one.
    """
    current_state().begin()


def scanner_visits(client: FlaskClient, url: str) -> list[Finding]:
    """Let mail scanners visit a candidate's link through a test client; return what each of them changed.

    :param url: such as ``optout.link("jane@example.org", "beta-42")``.
    """

    def send(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        response = client.open(url, method=method, headers=dict(headers), data=body, follow_redirects=True)
        return Answer(response.status_code, response.request.url, response.text)

    state = client.application.extensions["optout"]
    clock, waits = state.clock, [0.0]
    state.clock = lambda: clock() + sum(waits)
    try:
        return list(scan(Scanner(send, url, wait=waits.append)))
    finally:
        state.clock = clock


@contextmanager
def _broken(store: Store) -> Iterator[None]:
    engine = store.engine
    nowhere = sa.create_engine("sqlite:////dev/null/nowhere.db")
    store.engine = lambda: nowhere
    try:
        yield
    finally:
        store.engine = engine
        nowhere.dispose()


def _find_button(page: TestResponse, choice: str = "", label: str = "") -> tuple[Form, Button] | None:
    """Return a button with this choice, or one with this label on a page that asks to press once more."""
    found = ((form, button) for form in find_forms(page.text) for button in form.buttons)
    if choice:
        return next(((form, button) for form, button in found if button.value == choice), None)
    return next(((form, button) for form, button in found if button.name != "choice" and button.label == label), None)


def _to(outbox: Iterable[Any], address: Recipient) -> list[EmailMessage]:
    wanted = parse(address).canonical
    messages = [_parse(message) for message in outbox]
    return [message for message in messages if wanted in _find_recipients(message)]


def _parse(message: Any) -> EmailMessage:
    # Flask-Mailman's messages build an EmailMessage; the others are one, or have its as_bytes().
    raw = (message.message() if hasattr(message, "message") else message).as_bytes()
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def _find_recipients(message: EmailMessage) -> set[str]:
    headers = [header for name in ("To", "Cc", "Bcc") for header in message.get_all(name, [])]
    return {parse(person.addr_spec).canonical for header in headers for person in header.addresses}
