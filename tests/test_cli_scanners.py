"""What an operator can do about scanners: see at which domain, and ask everybody there, whatever they answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from flask_optout.addresses import parse
from tests.support.hosts import Host, Mailbox
from tests.test_alarms import mute, staff


@pytest.fixture
def invited(tmp_path: Path) -> Path:
    file = tmp_path / "invited.csv"
    people = [*staff(5), "jane@other.example"]
    file.write_text("".join(f"{to},beta-42\n" for to in people) + "person1@acme.example,study-7\n")
    return file


def run(host: Host, *arguments: str, text: str | None = None) -> tuple[int, str]:
    result = host.app.test_cli_runner().invoke(args=["optout", *arguments], input=text)
    return result.exit_code, result.output


def test_alarms_names_a_domain_and_a_number(host: Host, invited: Path) -> None:
    assert "No alarm" in run(host, "alarms", str(invited))[1]
    mute(host, *staff(4))
    code, output = run(host, "alarms", "-", text=invited.read_text())
    assert code == 0 and "acme.example: at least 3 opted out" in output
    assert "person" not in output


def test_a_notice_goes_to_all_who_were_invited_alike(host: Host, smtp: Mailbox, invited: Path) -> None:
    mute(host, *staff(3))
    code, output = run(host, "notify-domain", "acme.example", str(invited))
    assert code == 0 and "Asked 5 people at acme.example." in output
    assert sorted(mail.rcpt_to[0] for mail in smtp.received) == staff(5)
    for mail in smtp.received:
        text = mail.part("plain")
        assert host.optout.link(mail.rcpt_to[0], "beta-42") in text
        assert (host.optout.link(mail.rcpt_to[0], "study-7") in text) is (mail.rcpt_to == ["person1@acme.example"])
        assert mail.message["Auto-Submitted"] == "auto-generated"
    words = [without_links(mail.part("plain")) for mail in smtp.received]
    assert all(each == words[0] for each in words) and "Pixel Beta" not in str(words)


def test_it_changes_nobodys_choice(host: Host, invited: Path) -> None:
    mute(host, *staff(3))
    run(host, "notify-domain", "acme.example", str(invited))
    assert [host.optout.may_invite(to, "beta-42") for to in staff(5)] == [False] * 3 + [True] * 2


def test_it_goes_once(host: Host, smtp: Mailbox, invited: Path) -> None:
    run(host, "notify-domain", "ACME.example", str(invited))
    code, output = run(host, "notify-domain", "acme.example", str(invited))
    assert code == 1 and "within the last week" in output
    assert len(smtp.received) == 5


@pytest.mark.parametrize(
    ("arguments", "text", "words"),
    [
        (["notify-domain", "nobody.example", "-"], "jane@acme.example,beta-42\n", "Nobody at nobody.example"),
        (["notify-domain", "acme.example", "-"], "jane@acme.example\n", "Line 1 is not"),
        (["notify-domain", "acme.example", "-"], "\nhugo at acme,beta-42\n", "Line 2: A recipient"),
        (["notify-domain", "not a domain", "-"], "", "DOMAIN: "),
        (["alarms", "-"], "jane@acme.example,\n", "Line 1 is not"),
    ],
)
def test_bad_input_is_named_by_its_line_and_never_repeated(
    host: Host, smtp: Mailbox, arguments: list[str], text: str, words: str
) -> None:
    code, output = run(host, *arguments, text=text)
    assert code == 1 and words in output
    assert "hugo" not in output and "jane@acme" not in output and smtp.received == []


def without_links(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and "/optout/" not in line]


def test_parse_is_what_decides_who_is_at_a_domain(host: Host, smtp: Mailbox) -> None:
    run(host, "notify-domain", "straße.de", "-", text="jane@xn--strae-oqa.de,beta-42\nbob@strasse.de,beta-42\n")
    assert [mail.rcpt_to for mail in smtp.received] == [[parse("jane@straße.de").deliverable]]
