"""What the Email Log holds of one person can be exported and erased; neither tells or changes a choice."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from flask_optout.addresses import parse
from flask_optout.email_log.search import Criteria
from flask_optout.links.tokens import Door
from flask_optout.wiring import current_state
from tests.support.hosts import Host, say, settle
from tests.support.people import PEOPLE, invite, kept, run

pytestmark = pytest.mark.usefixtures("minutes_over")


def test_an_export_holds_every_invitation_and_no_link(host: Host) -> None:
    invite(host)
    code, output = run(host, "export", "JANE@example.org")
    exported = json.loads(output)
    assert code == 0 and exported["address"] == "jane@example.org" and exported["sent_again"] == []
    first, second = exported["invitations"]
    assert {first["opportunity"], second["opportunity"]} == {"beta-42", "study-7"}
    assert first["recipient"] == "jane@example.org" and "Come and try it." in first["text"]
    assert "[personal link]" in first["text"] and "[personal link]" in first["html"]
    assert "https://invite.example.org" not in output and "bob@" not in output


def test_what_was_sent_again_is_exported(host: Host) -> None:
    invite(host)
    state = current_state()
    [entry, *_] = [each for each in state.search.find(Criteria()).entries if each.recipient == PEOPLE[0]]
    email = state.email_log.get(entry.id)
    assert email is not None
    state.resends.begin(email, "Kim")
    exported = json.loads(run(host, "export", PEOPLE[0])[1])
    assert [(each["opportunity"], each["operator"]) for each in exported["sent_again"]] == [
        (email.opportunity, "Kim")
    ]
    held = "Of this person the Email Log holds 2 invitations and 1 that was sent again."
    assert run(host, "erase", PEOPLE[0], "--yes") == (0, f"{held}\nIt is removed.\n")


NOTHING = "The Email Log holds nothing of this person.\n"


def test_an_export_of_nobody_is_empty_and_says_so(host: Host) -> None:
    result = host.app.test_cli_runner().invoke(args=["optout", "export", "nobody@example.org"])
    assert json.loads(result.stdout) == {"address": "nobody@example.org", "sent_again": [], "invitations": []}
    assert (result.exit_code, result.stderr) == (0, NOTHING)


def test_an_export_is_for_people_to_read_in_utf_8(host: Host) -> None:
    host.mail.send(host.invitation("jane@example.org", body="Über\N{LINE SEPARATOR}alles"))
    result = host.app.test_cli_runner(charset="latin-1").invoke(args=["optout", "export", "jane@example.org"])
    written = result.stdout_bytes.decode()
    assert written.startswith('{\n  "address": "jane@example.org",\n') and "Über" in written
    assert json.loads(written)["invitations"][0]["text"].startswith("Über\N{LINE SEPARATOR}alles")


def test_an_export_holds_nothing_that_a_terminal_would_obey(host: Host) -> None:
    body = "\x9b31mred\x1b[2J\x7f"
    host.mail.send(host.invitation("jane@example.org", body=body))
    written = run(host, "export", "jane@example.org")[1]
    assert written.replace("\n", "").isprintable() and json.loads(written)["invitations"][0]["text"].startswith(body)


@pytest.mark.parametrize("arguments", [[], ["--yes"], ["--dry-run"]], ids=str)
def test_nothing_is_erased_of_somebody_of_whom_nothing_is_held(host: Host, arguments: list[str]) -> None:
    assert run(host, "erase", "nobody@example.org", *arguments) == (0, NOTHING)


def test_it_asks_before_it_erases(host: Host) -> None:
    invite(host)
    code, output = run(host, "erase", "jane@example.org", given="n\n")
    assert code == 1 and "[y/N]" in output and kept(host) == sorted(PEOPLE)


def test_both_say_the_same_whatever_the_person_chose(host: Host) -> None:
    invite(host)
    said = set()
    for muted in (True, False):
        say(host, muted, to="jane@example.org")
        said.add((run(host, "export", "jane@example.org"), run(host, "erase", "jane@example.org", "--dry-run")))
    assert len(said) == 1


def test_erased_their_choice_stands_and_others_rows_too(host: Host) -> None:
    invite(host)
    say(host, True, to="jane@example.org")
    assert run(host, "erase", "jane@example.org", "--dry-run") == (
        0,
        "Of this person the Email Log holds 2 invitations.\n",
    )
    assert run(host, "erase", "jane@example.org", given="y\n")[0] == 0
    assert kept(host) == ["bob@example.org", "jane+2@example.org"]
    assert not host.optout.may_invite("jane@example.org", "beta-42")


def test_requests_for_links_are_erased_too(host: Host) -> None:
    invite(host)
    client = host.app.test_client()
    url = urlsplit(current_state().links.url(Door.ASK, parse("jane@example.org"), "beta-42"))
    client.post(url.path, data={"address": "jane@example.org"})
    settle()
    asked = sa.text("SELECT count(*) FROM optout_asked")
    with host.db.engine.connect() as connection:
        assert connection.scalar(asked) == 1
    run(host, "erase", "jane@example.org", "--yes")
    with host.db.engine.connect() as connection:
        assert connection.scalar(asked) == 0


@pytest.mark.parametrize("command", ["erase", "export"])
def test_an_address_that_cannot_be_used_is_an_error(host: Host, command: str) -> None:
    code, output = run(host, command, "nobody", *["--yes"] * (command == "erase"))
    assert (code, output) == (1, "Error: That is not an email address: the address has no @.\n")
