"""What an operator can do about scanners: see at which domain, and ask everybody there, whatever they answered."""

from __future__ import annotations

import re
from typing import Any

import pytest

from flask_optout.presses.domain_alarm import WEEK
from tests.support.hosts import Host, Mailbox, free_port, say
from tests.support.people import run

pytestmark = pytest.mark.usefixtures("minutes_over")

STAFF = [f"person{number}@acme.example" for number in range(5)]


@pytest.fixture
def invited(host: Host, smtp: Mailbox) -> Mailbox:
    """A mail server whose mails are forgotten, by which five people of one domain and one of another were invited."""
    for to, opportunity in [
        *((to, "beta-42") for to in STAFF),
        ("jane@other.example", "beta-42"),
        (STAFF[1], "study-7"),
    ]:
        host.mail.send(host.invitation(to, opportunity))
    smtp.received.clear()
    return smtp


def test_alarms_names_a_day_a_domain_and_a_number(host: Host, invited: Mailbox) -> None:
    assert run(host, "alarms") == (0, "No alarm.\n")
    for to in STAFF[:4]:
        host.app.test_client().post(host.path(to), data=host.form("mute", to))
    host.wait(86_400)
    code, output = run(host, "alarms")
    assert code == 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\d  acme\.example: at least 3 opted out\.\n", output), output


def test_a_notice_goes_to_all_who_were_invited_alike(host: Host, invited: Mailbox) -> None:
    for to in STAFF[:3]:
        say(host, True, to=to)
    code, output = run(host, "notify-domain", "acme.example", "--yes")
    assert code == 0 and "Asked 5 people at acme.example." in output, output
    assert sorted(mail.rcpt_to[0] for mail in invited.received) == STAFF
    for mail in invited.received:
        text = mail.part("plain")
        assert host.optout.link(mail.rcpt_to[0], "beta-42") in text and "Pixel Beta" in text
        assert (host.optout.link(mail.rcpt_to[0], "study-7") in text) is (mail.rcpt_to == [STAFF[1]])
        assert mail.message["Auto-Submitted"] == "auto-generated"
    words = [without_links(mail.part("plain")) for mail in invited.received if mail.rcpt_to != [STAFF[1]]]
    assert all(each == words[0] for each in words)
    assert [host.optout.may_invite(to, "beta-42") for to in STAFF] == [False] * 3 + [True] * 2


def test_it_names_the_sender_and_the_opportunity(host: Host, invited: Mailbox) -> None:
    run(host, "notify-domain", "acme.example", "--yes")
    subjects = {mail.rcpt_to[0]: mail.message["Subject"] for mail in invited.received}
    assert subjects[STAFF[0]] == "Your invitation to Pixel Beta from The team"
    assert subjects[STAFF[1]] == "Your invitations from The team"
    assert all(mail.part("plain").startswith("The team invited you.") for mail in invited.received)


@pytest.mark.parametrize(("answer", "mails"), [("y\n", 5), ("n\n", 0), ("", 0)])
def test_it_says_how_many_it_will_mail_and_asks(host: Host, invited: Mailbox, answer: str, mails: int) -> None:
    code, output = run(host, "notify-domain", "acme.example", given=answer)
    assert "Mail 5 people at acme.example?" in output and code == (0 if mails else 1)
    assert len(invited.received) == mails


def test_a_dry_run_mails_nobody_and_uses_up_nothing(host: Host, invited: Mailbox) -> None:
    assert run(host, "notify-domain", "acme.example", "--dry-run") == (
        0,
        "5 people at acme.example would be asked.\n",
    )
    assert invited.received == []
    assert run(host, "notify-domain", "acme.example", "--yes")[0] == 0


def test_it_goes_once_a_week(host: Host, invited: Mailbox) -> None:
    run(host, "notify-domain", "ACME.example", "--yes")
    code, output = run(host, "notify-domain", "acme.example", "--yes")
    assert code == 1 and "within the last week" in output and len(invited.received) == 5
    host.wait(WEEK * 86_400)
    assert run(host, "notify-domain", "acme.example", "--yes")[0] == 0


@pytest.mark.parametrize(
    ("refused", "asked", "again"),
    [
        (STAFF[1:3], 3, "had its notice within the last week"),
        (STAFF, 0, "Of 5 people at acme.example, 5 could not be mailed"),
    ],
    ids=["some", "all"],
)
def test_one_who_cannot_be_mailed_keeps_nobody_else_from_being_asked(
    host: Host, invited: Mailbox, monkeypatch: pytest.MonkeyPatch, refused: list[str], asked: int, again: str
) -> None:
    """And where nobody could be mailed, there was no notice yet."""

    async def handle_RCPT(server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in refused:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    monkeypatch.setattr(invited, "handle_RCPT", handle_RCPT, raising=False)
    code, output = run(host, "notify-domain", "acme.example", "--yes")
    said = f"Error: Of 5 people at acme.example, {len(refused)} could not be mailed"
    assert (code, " ".join(output.split())) == (1, f"{said} (SMTPRecipientsRefused 550 5.1.1: {len(refused)}).")
    assert len(invited.received) == asked
    assert again in " ".join(run(host, "notify-domain", "acme.example", "--yes")[1].split())


def test_without_a_mail_server_only_one_is_tried_and_there_was_no_notice_yet(
    host: Host, invited: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = host.app.extensions["mail"]
    port, mail.port = mail.port, free_port()
    said = "Of 5 people at acme.example, 5 could not be mailed (ConnectionRefusedError: 5)."
    assert said in " ".join(run(host, "notify-domain", "acme.example", "--yes")[1].split())
    mail.port = port
    del host.app.extensions["mail"]
    assert "has neither Flask-Mail nor Flask-Mailman" in run(host, "notify-domain", "acme.example", "--yes")[1]
    host.app.extensions["mail"] = mail
    assert run(host, "notify-domain", "acme.example", "--yes") == (0, "Asked 5 people at acme.example.\n")


@pytest.mark.parametrize(
    ("domain", "words"), [("nobody.example", "The Email Log names nobody"), ("not a domain", "is not a domain")]
)
def test_bad_input_mails_nobody(host: Host, invited: Mailbox, domain: str, words: str) -> None:
    code, output = run(host, "notify-domain", domain, "--yes")
    assert code == 1 and words in output and invited.received == []


def test_a_domain_is_that_of_an_address_however_it_is_spelled(host: Host, smtp: Mailbox) -> None:
    for to in ("jane@xn--strae-oqa.de", "bob@strasse.de", "ann@sub.straße.de"):
        host.mail.send(host.invitation(to))
    smtp.received.clear()
    run(host, "notify-domain", "straße.de", "--yes")
    assert [mail.rcpt_to for mail in smtp.received] == [["jane@xn--strae-oqa.de"]]


def without_links(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and "/optout/" not in line]
