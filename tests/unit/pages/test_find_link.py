"""Links by mail: to whom they belong, a few times a day, and with the same answer for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from threading import BoundedSemaphore
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from flask_optout.addresses import parse
from flask_optout.links.tokens import Door
from flask_optout.pages.find_link import LINKS, MOST_FOR_CLIENT, MOST_MAILS, make_slot
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.forms import unnamed
from tests.support.hosts import Host, say, settle

JANE = "jane@example.org"


@pytest.fixture
def host(make: MakeHost) -> Iterator[Host]:
    host = make(OPTOUT_FIND_LINK=True, MAIL_SUPPRESS_SEND=True)
    with host.app.app_context():
        for opportunity in ("beta-42", "study-7"):
            host.mail.send(host.invitation(JANE, opportunity))
        yield host


def ask_path(opportunity: str = "beta-42", to: str = JANE) -> str:
    """The path of the URL that an operator copies."""
    return urlsplit(current_state().links.url(Door.ASK, parse(to), opportunity)).path


def mailed(host: Host, path: str, *typed: str, of: str = "192.0.2.1") -> list[tuple[str, set[str]]]:
    """To whom mails go after these addresses were typed, each with the opportunities whose links are in it."""
    client = host.app.test_client()
    with host.mail.record_messages() as outbox:
        posts = [client.post(path, data={"address": each}, environ_base={"REMOTE_ADDR": of}) for each in typed]
        settle()
    assert len({unnamed(post.data) for post in posts}) == 1
    known = {host.optout.link(JANE, each): each for each in ("beta-42", "study-7")}
    return [(str(mail.recipients[0]), {known[link] for link in known if link in str(mail.body)}) for mail in outbox]


@pytest.mark.parametrize(
    ("typed", "mails"),
    [
        (JANE, True),
        (" Jane <JANE@example.org.> ", True),
        ("jane+2@example.org", False),
        ("bob@example.org", False),
        ("jane", False),
        ("", False),
        (f"{JANE}, bob@example.org", False),
        ("x" * 9_000, False),
    ],
    ids=lambda given: str(given)[:40],
)
def test_links_go_to_whom_they_belong_and_to_the_plain_spelling(host: Host, typed: str, mails: bool) -> None:
    assert mailed(host, ask_path(), typed) == ([(JANE, {"beta-42"})] if mails else [])
    assert mailed(host, "/optout/", typed) == ([(JANE, {"beta-42", "study-7"})] if mails else [])


@pytest.mark.parametrize("path", ["ask", "/optout/"])
def test_page_answer_and_mail_are_the_same_whatever_was_chosen(host: Host, client: FlaskClient, path: str) -> None:
    path = ask_path() if path == "ask" else path
    pages = set()
    for muted in (False, True):
        say(host, muted, to=JANE)
        pages.add(client.get(path).data)
        assert [to for to, _ in mailed(host, path, JANE, "bob@example.org")] == [JANE]
    assert len(pages) == 1


@pytest.mark.parametrize(
    ("typed", "repeated"),
    [
        (" Jane <JANE@Example.org>", "<p>You typed <bdi>jane@example.org</bdi>.</p>"),
        ("'&@example.org", "<p>You typed <bdi>&#39;&amp;@example.org</bdi>.</p>"),
        ("Call 555-1234 now", None),
        ("", None),
    ],
)
def test_the_answer_repeats_the_address_for_who_has_mistyped_it(
    client: FlaskClient, typed: str, repeated: str | None
) -> None:
    answer = client.post("/optout/", data={"address": typed}).text
    settle()
    assert repeated in answer if repeated else "You typed" not in answer and "Call" not in answer


def test_both_pages_together_are_bounded_for_one_address(host: Host) -> None:
    assert len(mailed(host, ask_path(), *[JANE] * (MOST_MAILS - 1))) == MOST_MAILS - 1
    assert len(mailed(host, "/optout/", JANE, JANE)) == 1
    assert mailed(host, ask_path("study-7"), JANE) == []
    assert len(mailed(host, ask_path(to="bob@example.org"), "bob@example.org")) == 1


def test_the_other_page_is_bounded_for_one_address_and_for_one_client(host: Host) -> None:
    for number in range(MOST_MAILS + 2):
        found = mailed(host, "/optout/", JANE, of=f"192.0.2.{number}")
        assert len(found) == (number < MOST_MAILS)
    people = [f"p{number}@example.org" for number in range(MOST_FOR_CLIENT + 2)]
    for person in people:
        host.mail.send(host.invitation(person))
    assert len(mailed(host, "/optout/", *people, of="198.51.100.1")) == MOST_FOR_CLIENT


def test_the_last_opportunities_count(host: Host) -> None:
    for number in range(LINKS):
        host.mail.send(host.invitation(JANE, f"other-{number}"))
    with host.mail.record_messages() as outbox:
        host.app.test_client().post("/optout/", data={"address": JANE})
        settle()
    assert str(outbox[0].body).count("https://") == LINKS


def test_without_the_setting_there_is_no_such_page(make: MakeHost) -> None:
    client = make().app.test_client()
    gone = client.get("/optout/no-such-link")
    for answer in (client.get("/optout/"), client.post("/optout/", data={"address": JANE})):
        assert (answer.status_code, answer.data) == (404, gone.data)


def test_a_flood_is_refused_alike(host: Host, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_state(), "places", BoundedSemaphore(0))
    answers = [client.post(path, data={"address": JANE}) for path in (ask_path(), "/optout/")]
    assert [answer.status_code for answer in answers] == [503, 503]


def test_what_mails_are_counted_by_cannot_be_computed_from_a_token(host: Host) -> None:
    claim = current_state().tokens.read(Door.ASK, ask_path().rpartition("/")[2])
    assert make_slot(JANE) != make_slot("bob@example.org") and make_slot(JANE) not in claim.payload
