"""The mailto door: a mail to the address in an invitation mutes, whoever brings the mail, and is never answered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flask_optout import BadToken, ConfigurationError
from flask_optout.addresses import parse
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.hosts import Host, Mailbox, say

MAILTO = "optout+{token}@in.example.org"
MAIL = b"Return-Path: <jane@example.org>\nFrom: jane@example.org\nSubject:\n\nApple Mail sent this email.\n"
BOUNCE = b"Return-Path: <>\n\nNo such user.\n"


@pytest.fixture
def host(make: MakeHost, smtp: Mailbox) -> Iterator[Host]:
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port, OPTOUT_MAILTO=MAILTO)
    with host.app.app_context():
        yield host


def unsubscribe(smtp: Mailbox) -> str:
    return str(smtp.received[-1].message["List-Unsubscribe"])


def invited(host: Host, smtp: Mailbox, to: str = "jane@example.org") -> str:
    """Invite somebody; gives the address in their List-Unsubscribe header."""
    host.mail.send(host.invitation(to))
    found = re.fullmatch(r"<https://\S+/optout/one-click/\w+>,\s+<mailto:(\S+)>", unsubscribe(smtp))
    assert found is not None, unsubscribe(smtp)
    return found[1]


def receive(host: Host, message: bytes, *arguments: str, **environment: str) -> int:
    runner = host.app.test_cli_runner()
    result = runner.invoke(args=["optout", "receive", *arguments], input=message, env=environment)
    assert result.stdout == ""
    return result.exit_code


def test_an_invitation_names_the_https_door_first(host: Host, smtp: Mailbox) -> None:
    address = invited(host, smtp)
    assert len(address.partition("@")[0]) <= 64 and address.endswith("@in.example.org")
    assert smtp.received[0].message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert max(map(len, smtp.received[0].raw.splitlines())) <= 998


def test_without_the_setting_there_is_no_such_door(make: MakeHost, smtp: Mailbox) -> None:
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    with host.app.app_context():
        host.mail.send(host.invitation())
        assert "mailto" not in unsubscribe(smtp)
        with pytest.raises(ConfigurationError, match="OPTOUT_MAILTO"):
            host.optout.receive(MAIL, "optout+x@in.example.org")
        assert receive(host, MAIL, "--recipient", "optout+x@in.example.org") == 75


def test_the_email_log_keeps_no_such_address(host: Host, smtp: Mailbox) -> None:
    token = invited(host, smtp).partition("@")[0].removeprefix("optout+")
    assert token.encode() not in Path(str(host.db.engine.url.database)).read_bytes()


def test_a_mail_mutes_for_that_opportunity_only(host: Host, smtp: Mailbox) -> None:
    address = invited(host, smtp)
    assert host.optout.receive(MAIL, address) is True
    assert not host.optout.may_invite("jane@example.org", "beta-42")
    assert host.optout.may_invite("jane@example.org", "study-7")
    assert len(smtp.received) == 1
    assert "with the button of your mail program" in host.app.test_client().get(host.path("jane@example.org")).text


def test_a_bounce_mutes_nobody(host: Host, smtp: Mailbox) -> None:
    address = invited(host, smtp)
    assert host.optout.receive(BOUNCE, address) is False
    assert host.optout.receive(MAIL, address, sender="") is False
    assert receive(host, BOUNCE, "--recipient", address) == 0
    assert receive(host, MAIL, "--recipient", address, "--sender", "") == 0
    assert host.optout.may_invite("jane@example.org", "beta-42")


@pytest.mark.parametrize(
    "how", ["--recipient", "ORIGINAL_RECIPIENT", "Delivered-To", "X-Original-To", "Envelope-To", "To"]
)
def test_the_command_takes_a_mail_from_a_mail_server(host: Host, smtp: Mailbox, how: str) -> None:
    address = invited(host, smtp)
    arguments = [how, address] if how == "--recipient" else []
    environment = {how: address} if how == "ORIGINAL_RECIPIENT" else {}
    header = b"" if arguments or environment else f"Delivered-To: box@example.org\n{how}: {address}\n".encode()
    assert receive(host, header + MAIL + b"x" * 200_000, *arguments, **environment) == 0
    assert not host.optout.may_invite("jane@example.org", "beta-42")


@pytest.mark.parametrize("recipient", ["jane@in.example.org", "optout+a@in.example.org", "", "no address"])
def test_another_recipient_is_no_user_here(host: Host, recipient: str) -> None:
    assert receive(host, MAIL, "--recipient", recipient) == 67
    with pytest.raises(BadToken):
        host.optout.receive(MAIL, recipient)


def test_a_store_that_never_made_an_address_gets_no_key_by_this(make: MakeHost) -> None:
    host = make(OPTOUT_MAILTO=MAILTO)
    with host.app.app_context(), pytest.raises(BadToken):
        host.optout.receive(MAIL, "optout+x@in.example.org")
    with host.app.app_context():
        assert current_state().key_slots.find() is None


def test_the_mail_is_brought_again_when_the_store_is_down(host: Host, smtp: Mailbox) -> None:
    address = invited(host, smtp)
    host.db.drop_all()
    assert receive(host, MAIL, "--recipient", address) == 75


def test_the_same_mail_twice_is_one_mute_which_the_candidate_can_undo(host: Host, smtp: Mailbox) -> None:
    address = invited(host, smtp)
    for _ in range(2):
        assert receive(host, MAIL, "--recipient", address) == 0
    say(host, False, to="jane@example.org")
    assert host.optout.may_invite("jane@example.org", "beta-42")


def test_a_mail_confirms_what_an_import_said(host: Host, smtp: Mailbox) -> None:
    address = invited(host, smtp)
    number = current_state().imports.begin("list.csv", 1)
    current_state().imports.add(number, [(parse("jane@example.org"), "beta-42")])
    host.optout.receive(MAIL, address)
    current_state().imports.take_back(number)
    assert not host.optout.may_invite("jane@example.org", "beta-42")


def test_a_tagged_address_is_muted_alone(host: Host, smtp: Mailbox) -> None:
    host.optout.receive(MAIL, invited(host, smtp, "jane+2@example.org"))
    assert not host.optout.may_invite("jane+2@example.org", "beta-42")
    assert host.optout.may_invite("jane@example.org", "beta-42")
