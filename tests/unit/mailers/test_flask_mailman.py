"""Messages of Flask-Mailman: an Invitation leaves only as what the gate has cleared, made of it and of a letter."""

from __future__ import annotations

from typing import Any

import pytest
from flask_mailman import EmailMessage

from flask_optout import AddressError, InvitationError, NotGated
from flask_optout.mailers.flask_mailman import Invitation, Mail
from tests.support.hosts import Host, say


@pytest.fixture(autouse=True)
def mail(host: Host) -> Mail:
    host.app.config["MAIL_BACKEND"] = "locmem"
    return Mail(host.app)


def invitation(to: str = "jane@example.org", html: str = "<p>Come.</p>", **fields: Any) -> Invitation:
    invitation = Invitation("Join us", "Come.", to=[to], opportunity="beta-42", **fields)
    invitation.attach_alternative(html, "text/html")
    return invitation


def left(mail: Mail, message: EmailMessage) -> Any:
    """What left of a message."""
    assert mail.get_connection().send_messages([message]) == 1
    [ready] = mail.outbox
    return ready


def test_an_invitation_refuses_to_be_serialised() -> None:
    with pytest.raises(NotGated):
        invitation().message()


@pytest.mark.parametrize("name", ["cc", "bcc"])
def test_nobody_gets_a_copy(name: str) -> None:
    fields: dict[str, Any] = {name: ["bob@example.org"]}
    with pytest.raises(InvitationError, match=f"An invitation has a {name}"):
        invitation(**fields).send()


def test_an_address_that_the_library_cannot_deliver_to_is_refused() -> None:
    with pytest.raises(AddressError, match="SMTPUTF8"):
        invitation("jané@example.org").send()


def test_a_body_of_html_alone_is_the_html_part(host: Host, mail: Mail) -> None:
    alone = Invitation("Join us", "<body>Come.</body>", to=["jane@example.org"], opportunity="beta-42")
    alone.content_subtype = "html"
    body = left(mail, alone).body
    assert f'href="{host.optout.link("jane@example.org", "beta-42")}"' in body and body.endswith("</body>")


def test_what_leaves_is_a_message_of_its_own(host: Host, mail: Mail) -> None:
    source = invitation(headers={"X-Campaign": "spring"})
    before = dict(vars(source))
    ready = left(mail, source).message()
    link = host.optout.link("jane@example.org", "beta-42")
    assert vars(source) == before
    text, html = ready.get_payload()
    assert link in text.get_payload() and link in html.get_payload()
    assert ready["X-Campaign"] == "spring" and ready["Message-ID"]


@pytest.mark.parametrize(
    ("to", "written"),
    [
        ("Jane <jane@example.org>", "Jane <jane@example.org>"),
        ("jane@EXAMPLE.org", "jane@example.org"),
    ],
)
def test_a_recipient_stays_as_written_where_the_library_sends_to_the_checked_address(
    mail: Mail, to: str, written: str
) -> None:
    assert left(mail, invitation(to)).to == [written]


def test_an_invitation_and_an_ordinary_message_leave_together_and_a_muted_one_counts(host: Host, mail: Mail) -> None:
    say(host, True, to="bob@example.org")
    ordinary = EmailMessage("Hello", "Hi.", to=["bob@example.org"])
    assert mail.get_connection().send_messages([invitation(), invitation("bob@example.org"), ordinary]) == 3
    invited, other = mail.outbox
    assert host.optout.link("jane@example.org", "beta-42") in invited.body and other is ordinary
    assert mail.get_connection().send_messages([]) == 0
