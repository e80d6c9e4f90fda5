"""The gate's row of the Email Log: written before the hand-off, and the same whatever the recipient chose."""

from __future__ import annotations

import re
import smtplib
from typing import Any

import pytest
import sqlalchemy as sa

from flask_optout import StoreUnavailable
from flask_optout.choices.store import Store
from flask_optout.email_log.records import SLOT
from flask_optout.email_log.search import Criteria
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.email_log import rows, statements
from tests.support.hosts import Host, Mailbox, RefusesRecipients, say, smtp_server

pytestmark = pytest.mark.usefixtures("minutes_over")


class RefusesSenders(Mailbox):
    async def handle_MAIL(self, *arguments: Any) -> str:
        return "530 5.7.0 log in first"


def test_the_row_of_a_muted_recipient_is_that_of_any_other(host: Host, smtp: Mailbox) -> None:
    say(host, True, to="jane@example.org")
    with statements(host) as for_jane:
        host.mail.send(host.invitation("jane@example.org"))
    with statements(host) as for_joan:
        host.mail.send(host.invitation("joan@example.org"))
    assert [mail.rcpt_to for mail in smtp.received] == [["joan@example.org"]]
    assert for_jane == for_joan
    joan, jane = (
        [re.sub(r"<[0-9a-f]{32}@[^>]+>", "…", str(value)).replace("joan", "jane") for value in email[1:]]
        for email in rows()
    )
    assert jane == joan


def test_the_row_stands_there_before_the_message_leaves(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    send = smtplib.SMTP.sendmail

    def look_and_send(*arguments: Any) -> Any:
        seen.append(len(rows()))
        return send(*arguments)

    monkeypatch.setattr(smtplib.SMTP, "sendmail", look_and_send)
    host.mail.send(host.invitation())
    assert seen == [1]


def test_the_row_names_who_and_what_and_holds_no_link(host: Host, smtp: Mailbox) -> None:
    link = host.optout.link("jane@example.org", "beta-42")
    host.mail.send(
        host.invitation(
            "Jane Doe <Jane@example.org>",
            body=f"No? {link}",
            html=f"<a href='{link}'>No</a>",
            sender=("Doe", "j@example.org"),
            reply_to=("Help, please", "help@example.org"),
            extra_headers={"X-Link": link},
        )
    )
    [email] = rows()
    assert (email.opportunity, email.recipient, email.subject) == ("beta-42", "Jane@example.org", "Join us")
    assert (email.text, email.html) == (f"No? {SLOT}", f"<a href='{SLOT}'>No</a>")
    assert email.message_id == smtp.received[0].message["Message-ID"]
    assert [line for line in email.headers.splitlines() if not line.startswith("Date:")] == [
        "From: Doe <j@example.org>",
        "To: Jane Doe <Jane@example.org>",
        'Reply-To: "Help, please" <help@example.org>',
        "Subject: Join us",
        f"Message-ID: {email.message_id}",
        f"X-Link: {SLOT}",
        f"List-Unsubscribe: {SLOT}",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        "List-Id: <beta-42.optout.invite.example.org>",
        "Auto-Submitted: auto-generated",
    ]


def test_a_link_in_the_subject_is_kept_as_a_slot(host: Host) -> None:
    invitation = host.invitation()
    invitation.subject = host.optout.link("jane@example.org", "beta-42")
    host.mail.send(invitation)
    assert rows()[0].subject == SLOT


def test_what_fails_for_everybody_fails_for_a_muted_recipient_too(make: MakeHost) -> None:
    with smtp_server(RefusesSenders) as smtp:
        host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
        with host.app.app_context():
            say(host, True, to="jane@example.org")
            for to in ("jane@example.org", "joan@example.org"):
                with pytest.raises(smtplib.SMTPSenderRefused) as caught:
                    host.mail.send(host.invitation(to))
                assert caught.value.smtp_code == 530
            assert [email.failure for email in rows()] == ["SMTPSenderRefused 530 5.7.0"] * 2


def test_what_a_server_says_against_one_recipient_is_noted_and_raised(make: MakeHost) -> None:
    with smtp_server(RefusesRecipients) as smtp:
        host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
        with host.app.app_context():
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                host.mail.send(host.invitation())
            assert [email.failure for email in rows()] == ["SMTPRecipientsRefused 550 5.1.1"]
            say(host, True, to="jane@example.org")
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                host.mail.send(host.invitation())
            assert [email.failure for email in rows()] == ["SMTPRecipientsRefused 550 5.1.1"] * 2


def test_without_its_row_no_invitation_leaves(host: Host, smtp: Mailbox) -> None:
    with host.db.engine.begin() as connection:
        connection.execute(sa.text("alter table optout_email_log rename column headers to other"))
    with pytest.raises(StoreUnavailable, match="init-db"):
        host.mail.send(host.invitation())
    assert (smtp.received, current_state().search.find(Criteria()).entries) == ([], [])


def test_an_unreadable_choice_is_a_failed_hand_off(host: Host, smtp: Mailbox) -> None:
    host.optout.link("jane@example.org", "beta-42")  # opens the data key
    with host.db.engine.begin() as connection:
        connection.execute(sa.text("drop table optout_choice"))
    with pytest.raises(StoreUnavailable):
        host.mail.send(host.invitation())
    assert (smtp.received, [email.failure for email in rows()]) == ([], ["StoreUnavailable"])


def test_the_first_error_is_raised_even_where_it_cannot_be_noted(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    write, calls = Store.record, iter([True, False])

    def failing(self: Store, work: Any, single: bool = False) -> Any:
        if next(calls):
            return write(self, work, single)
        raise StoreUnavailable("", "", "")

    monkeypatch.setattr(Store, "record", failing)
    monkeypatch.setattr(smtplib.SMTP, "sendmail", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        host.mail.send(host.invitation())
