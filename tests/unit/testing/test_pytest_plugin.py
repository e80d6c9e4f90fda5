"""The fixtures for the tests of hosts: what each does, and that each assertion can fail."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, g
from flask_babel import Babel

from flask_optout import ConfigurationError, StoreUnavailable
from flask_optout.mailers import flask_mailman, stdlib
from flask_optout.testing import Candidate
from tests.conftest import MakeHost
from tests.support.hosts import Host

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "testing.md").read_text()
JANE, ABOUT = "jane@example.org", "beta-42"


@pytest.fixture
def app(host: Host) -> Flask:
    return host.app


def record(host: Host, *messages: Any) -> list[Any]:
    with host.mail.record_messages() as outbox:
        for message in messages:
            host.mail.send(message)
    return list(outbox)


def test_what_was_sent_is_no_silence(host: Host, optout_assert_not_sent: Callable[..., None]) -> None:
    outbox = record(host, host.invitation(JANE))
    optout_assert_not_sent(outbox, "joan@example.org")
    with pytest.raises(AssertionError, match="Join us"):
        optout_assert_not_sent(outbox, "Jane <JANE@example.org>")


@pytest.mark.parametrize(
    ("address", "opportunity", "count"), [("joan@example.org", ABOUT, 0), (JANE, "study-7", 0), (JANE, ABOUT, 2)]
)
def test_another_invitation_is_not_the_one(
    host: Host, optout_assert_sent_with_link: Callable[..., str], address: str, opportunity: str, count: int
) -> None:
    outbox = record(host, host.invitation(JANE), host.invitation(JANE))
    with pytest.raises(AssertionError, match=f"{count} invitations"):
        optout_assert_sent_with_link(outbox, address, opportunity)


def test_an_invitation_in_the_recipients_language(
    host: Host, optout_assert_sent_with_link: Callable[..., str]
) -> None:
    Babel(host.app)
    outbox = record(host, host.invitation(JANE, language="de"))
    assert optout_assert_sent_with_link(outbox, JANE, ABOUT) == host.optout.link(JANE, ABOUT, "de")


def test_flask_mailmans_outbox(
    make: MakeHost, optout_assert_not_sent: Callable[..., None], optout_assert_sent_with_link: Callable[..., str]
) -> None:
    host = make(MAIL_BACKEND="locmem")
    flask_mailman.Mail(host.app)
    with host.app.app_context():
        flask_mailman.Invitation("Join us", "Come.", to=[JANE], opportunity=ABOUT).send()
        outbox = host.app.extensions["mailman"].outbox
        assert optout_assert_sent_with_link(outbox, JANE, ABOUT) == host.optout.link(JANE, ABOUT)
        optout_assert_not_sent(outbox, "joan@example.org")


def test_the_standard_librarys_messages(host: Host, optout_assert_sent_with_link: Callable[..., str]) -> None:
    invitation = stdlib.Invitation(opportunity=ABOUT)
    invitation["From"], invitation["To"], invitation["Subject"] = "team@example.org", JANE, "Join us"
    invitation.set_content("Come.")
    left: list[EmailMessage] = []
    host.optout.send_invitations([invitation], left.append)
    assert optout_assert_sent_with_link(left, JANE, ABOUT)


def test_a_candidate_may_change_their_mind_as_often_as_they_like(host: Host, optout_client: Candidate) -> None:
    link = host.optout.link(JANE, ABOUT)
    for _ in range(3):
        optout_client.mute(link)
        assert not host.optout.may_invite(JANE, ABOUT)
        optout_client.undo(link)
        assert host.optout.may_invite(JANE, ABOUT)
    with pytest.raises(AssertionError, match="no button"):
        optout_client.undo(link)


@pytest.mark.long
def test_and_a_thousand_times(host: Host, optout_client: Candidate) -> None:
    link = host.optout.link(JANE, ABOUT)
    for _ in range(300):
        optout_client.mute(link)
        optout_client.undo(link)


def test_a_mute_is_for_one_opportunity_and_only_the_candidate_undoes_it(
    host: Host, optout_mute: Callable[[str, str], None], optout_client: Candidate
) -> None:
    optout_mute(JANE, ABOUT)
    assert host.optout.may_invite(JANE, "study-7") and not host.optout.may_invite(JANE, ABOUT)
    optout_client.undo(host.optout.link(JANE, ABOUT))
    assert host.optout.may_invite(JANE, ABOUT)


def test_the_store_is_whole_again_after_it(host: Host, optout_broken_store: Callable[..., Any]) -> None:
    with optout_broken_store(), pytest.raises(StoreUnavailable):
        host.optout.may_invite(JANE, ABOUT)
    assert host.optout.may_invite(JANE, ABOUT)


def test_tables_that_were_made_anew_are_refused_until_the_app_begins_anew(
    host: Host, optout_mute: Callable[[str, str], None], optout_forget_data_key: Callable[[], None]
) -> None:
    for _ in range(2):
        optout_mute(JANE, ABOUT)
        assert not host.optout.may_invite(JANE, ABOUT)
        host.db.drop_all()
        host.db.create_all()
        with pytest.raises(ConfigurationError, match="optout_choice are gone"):
            host.optout.may_invite(JANE, ABOUT)
        optout_forget_data_key()
        assert host.optout.may_invite(JANE, ABOUT)


def test_scanners_make_each_request_in_a_context_of_its_own(
    make: MakeHost, optout_scanner_visits: Callable[..., list[Any]]
) -> None:
    host = make()
    with host.app.app_context():
        link = host.optout.link(JANE, ABOUT)
    seen: list[int] = []

    @host.app.before_request
    def count() -> None:
        g.requests = g.get("requests", 0) + 1
        seen.append(g.requests)

    assert optout_scanner_visits(host.app.test_client(), link) and set(seen) == {1}


def test_every_fixture_carries_the_products_name() -> None:
    source = (ROOT / "flask_optout" / "testing" / "pytest_plugin.py").read_text()
    names = re.findall(r"^(?:@pytest.fixture\ndef )?(\w+)(?:\(|: Any = _fixture)", source, re.MULTILINE)
    assert names and all(name.startswith("optout_") for name in names)
    assert sorted(set(re.findall(r"^\| `(\w+)", PAGE, re.MULTILINE))) == sorted(names)
