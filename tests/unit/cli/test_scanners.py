"""Alarms name a day, a domain and a number; a notice goes to everybody at a domain, after a question."""

from __future__ import annotations

import json

import pytest

from tests.support.hosts import Host, say

pytestmark = pytest.mark.usefixtures("minutes_over")

STAFF = [f"person{number}@acme.example" for number in range(5)]


@pytest.fixture
def invited(host: Host) -> Host:
    """A host that invited five people of one domain and one of another."""
    for to in (*STAFF, "jane@other.example"):
        host.mail.send(host.invitation(to))
    host.mail.send(host.invitation(STAFF[1], "study-7"))
    return host


def run(host: Host, *arguments: str, given: str = "") -> tuple[int, str, dict[str, str]]:
    """Exit status, output, and the subject of the mail that each person got."""
    with host.mail.record_messages() as outbox:
        result = host.app.test_cli_runner().invoke(args=["optout", *arguments], input=given)
    return result.exit_code, result.output, {str(mail.recipients[0]): mail.subject for mail in outbox}


def test_an_alarm_names_a_day_a_domain_and_a_number(invited: Host) -> None:
    assert run(invited, "alarms") == (0, "No alarm.\n", {})
    for to in STAFF[:4]:
        invited.app.test_client().post(invited.path(to), data=invited.form("mute", to))
    invited.wait(86_400)
    _, output, _ = run(invited, "alarms")
    [alarm] = json.loads(run(invited, "alarms", "--json")[1])
    assert output == f"{alarm['day']}  acme.example: at least 3 opted out.\n"
    assert (alarm["domain"], alarm["at_least"]) == ("acme.example", 3)


@pytest.mark.parametrize(
    ("arguments", "given", "status", "said", "mails"),
    [
        (["acme.example"], "y\n", 0, "Mail 5 people at acme.example? [y/N]: y\nAsked 5 people at", 5),
        (["acme.example"], "n\n", 1, "Aborted!", 0),
        (["ACME.example", "--yes"], "", 0, "Asked 5 people at acme.example.\n", 5),
        (["@acme.example", "--yes"], "", 0, "Asked 5 people at acme.example.\n", 5),
        (["acme.example", "--dry-run"], "", 0, "5 people at acme.example would be asked.\n", 0),
        (["other.example", "--yes"], "", 0, "Asked 1 person at other.example.\n", 1),
        (["nobody.example", "--yes"], "", 1, "The Email Log names nobody at nobody.example", 0),
        (["not a domain", "--yes"], "", 1, "Error: That is not a mail domain: ", 0),
    ],
    ids=str,
)
def test_a_notice_says_how_many_it_mails_and_asks(
    invited: Host, arguments: list[str], given: str, status: int, said: str, mails: int
) -> None:
    code, output, sent = run(invited, "notify-domain", *arguments, given=given)
    assert (code, len(sent)) == (status, mails) and said in output, output


def test_everybody_at_the_domain_gets_it_whatever_they_chose_once_a_week(invited: Host) -> None:
    for to in STAFF[:3]:
        say(invited, True, to=to)
    _, _, sent = run(invited, "notify-domain", "acme.example", "--yes")
    one, several = "Your invitation to Pixel Beta from The team", "Your invitations from The team"
    assert sent == {to: several if to == STAFF[1] else one for to in STAFF}
    code, output, sent = run(invited, "notify-domain", "acme.example", "--yes")
    assert (code, sent) == (1, {}) and "within the last week" in output
