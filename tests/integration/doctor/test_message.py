"""What we send, as a mail server takes it."""

from __future__ import annotations

from flask_optout.doctor.case import Case
from flask_optout.doctor.examine import check_message
from tests.conftest import MakeHost
from tests.support.findings import not_well
from tests.support.hosts import Mailbox


def test_what_we_send_is_fine_but_for_what_a_server_adds(make: MakeHost, smtp: Mailbox) -> None:
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    with host.app.app_context():
        host.mail.send(host.invitation())
    case = Case.of(host.app.config, message=smtp.received[0].raw)
    assert not_well(check_message(case, "https://invite.example.org/optout/")) == {
        "message.dkim.none",
        "message.receiver.none",
    }
