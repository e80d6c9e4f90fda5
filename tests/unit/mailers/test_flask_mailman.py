"""Messages of Flask-Mailman: an Invitation leaves only as what the gate has cleared, made of it and of a letter."""

from __future__ import annotations

from typing import Any

import pytest
from flask_mailman import EmailMessage

from flask_optout import NotGated
from flask_optout.mailers.flask_mailman import Cleared, Invitation, Mail, _draft
from flask_optout.wiring import current_state
from tests.support.hosts import Host


@pytest.fixture(autouse=True)
def mail(host: Host) -> Mail:
    host.app.config["MAIL_BACKEND"] = "locmem"
    return Mail(host.app)


def invitation(to: str = "jane@example.org", html: str = "<p>Come.</p>", **fields: Any) -> Invitation:
    invitation = Invitation("Join us", "Come.", to=[to], opportunity="beta-42", **fields)
    invitation.attach_alternative(html, "text/html")
    return invitation


def cleared(invitation: Invitation) -> Cleared:
    draft = _draft(invitation)
    assert draft is not None
    return Cleared(invitation, current_state().composer.letter(draft))


def test_an_invitation_refuses_to_be_serialised() -> None:
    with pytest.raises(NotGated):
        invitation().message()


def test_an_ordinary_message_is_no_draft() -> None:
    assert _draft(EmailMessage("Hello", "Hi.", to=["jane@example.org"])) is None


def test_a_draft_names_everybody_whom_the_library_would_address() -> None:
    draft = _draft(invitation(cc=["bob@example.org"], bcc=["cy@example.org"], language="de", reply_to=["a@x.org"]))
    assert draft is not None
    assert (draft.recipients, draft.cc, draft.bcc) == (["jane@example.org"], ["bob@example.org"], ["cy@example.org"])
    assert (draft.opportunity, draft.language, draft.reply_to) == ("beta-42", "de", "a@x.org")
    assert draft.html == "<p>Come.</p>"


def test_a_body_of_html_alone_is_the_html_part(host: Host) -> None:
    alone = Invitation("Join us", "<p>Come.</p>", to=["jane@example.org"], opportunity="beta-42")
    alone.content_subtype = "html"
    draft = _draft(alone)
    assert draft is not None and (draft.text, draft.html) == (None, "<p>Come.</p>")
    assert host.optout.link("jane@example.org", "beta-42") in cleared(alone).body


def test_what_leaves_is_a_message_of_its_own(host: Host) -> None:
    source = invitation(headers={"X-Campaign": "spring"})
    before = dict(vars(source))
    ready = cleared(source)
    link = host.optout.link("jane@example.org", "beta-42")
    assert vars(source) == before
    text, html = ready.message().get_payload()
    assert link in text.get_payload() and link in html.get_payload()
    assert ready.message()["X-Campaign"] == "spring" and ready.message()["Message-ID"]


@pytest.mark.parametrize(
    ("to", "left"),
    [
        ("Jane <jane@example.org>", "Jane <jane@example.org>"),
        ("jane@EXAMPLE.org", "jane@example.org"),
    ],
)
def test_a_recipient_stays_as_written_where_the_library_sends_to_the_checked_address(to: str, left: str) -> None:
    assert cleared(invitation(to)).to == [left]


def test_each_backend_is_gated(host: Host, mail: Mail) -> None:
    assert mail.get_connection().send_messages([invitation(), EmailMessage("Hello", "Hi.", to=["a@x.org"])]) == 2
    assert len(mail.outbox) == 2 and host.optout.link("jane@example.org", "beta-42") in mail.outbox[0].body
    assert mail.get_connection().send_messages([]) == 0
