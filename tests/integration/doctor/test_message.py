"""A sample, as a whole."""

from __future__ import annotations

from flask_optout.doctor.case import Case
from flask_optout.doctor.examine import message
from tests.conftest import MakeHost
from tests.support.findings import ids, not_well, the
from tests.support.hosts import Mailbox
from tests.support.samples import PREFIX, SETTINGS, TOKEN, eml


def test_what_we_send_is_fine_but_for_what_a_server_adds(make: MakeHost, smtp: Mailbox) -> None:
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    with host.app.app_context():
        host.mail.send(host.invitation())
    case = Case.of(host.app.config, message=smtp.received[0].raw)
    assert not_well(message(case, "https://invite.example.org/optout/")) == {
        "message.dkim.none",
        "message.receiver.none",
    }


def test_nothing_personal_is_shown() -> None:
    for finding in message(Case.of(SETTINGS, message=eml("no link", To="jane@x.example, joe@x.example")), PREFIX):
        for text in (finding.seen, finding.why, finding.mend, finding.paste, *finding.details):
            assert "jane" not in text and TOKEN not in text


def test_without_a_sample_the_doctor_says_how_to_get_one() -> None:
    finding = the(message(Case(), None), "message.none")
    assert (finding.severity.value, finding.paste) == ("note", "flask optout doctor --message invitation.eml")


def test_what_is_no_message_is_said_to_be_none() -> None:
    assert ids(message(Case.of(SETTINGS, message=b"no headers at all"), PREFIX)) == {"message.unreadable"}
