"""The ask page's mail leaves by whichever mail library the host has."""

from __future__ import annotations

from contextlib import nullcontext
from smtplib import SMTPRecipientsRefused

import pytest
from flask_mail import email_dispatched

from flask_optout import Opportunity
from flask_optout.addresses import parse
from flask_optout.mailers.flask_mailman import Mail
from flask_optout.mailers.own_mails import compose_link_letter, deliver, serialise
from tests.conftest import MakeHost
from tests.support.hosts import Host, Mailbox, RefusesRecipients, smtp_server


@pytest.mark.parametrize("library", ["mail", "mailman"])
@pytest.mark.parametrize("sender", ["team@example.org", ("The team", "team@example.org")])
def test_a_letter_leaves_as_it_is(library: str, sender: str | tuple[str, str], host: Host, smtp: Mailbox) -> None:
    if library == "mailman":
        Mail(host.app)
        del host.app.extensions["mail"]
    url = host.optout.link("jane@example.org", "beta-42")
    deliver(
        compose_link_letter(
            parse("jane@example.org"), "beta-42", (Opportunity(""), url), sender=sender, reply_to="help@example.org"
        )
    )
    [mail] = smtp.received
    assert mail.rcpt_to == ["jane@example.org"]
    assert mail.message["From"].addresses[0].addr_spec == "team@example.org"
    assert mail.message["Reply-To"] == "help@example.org"
    assert url in mail.part("plain") and url in mail.part("html")


@pytest.mark.parametrize("library", ["mail", "mailman"])
def test_a_rehearsal_brings_nobody_a_letter_and_says_what_the_server_refuses(library: str, make: MakeHost) -> None:
    for kind, refusal in ((Mailbox, nullcontext()), (RefusesRecipients, pytest.raises(SMTPRecipientsRefused))):
        with smtp_server(kind) as smtp:
            host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
            with host.app.app_context():
                if library == "mailman":
                    Mail(host.app)
                    del host.app.extensions["mail"]
                about = Opportunity(""), "https://x.example/"
                letter = compose_link_letter(parse("jane@example.org"), "beta-42", about, sender="team@example.org")
                ready = serialise(letter)
                with email_dispatched.connected_to(lambda *args, **more: pytest.fail("a signal")), refusal:
                    ready.rehearse()
                assert smtp.received == []
