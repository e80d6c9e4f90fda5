"""The ask page: it mails the link to whom it belongs, and whoever else opens it learns and changes nothing."""

from __future__ import annotations

from threading import Event
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from flask_babel import Babel

from flask_optout.addresses import parse
from flask_optout.links.tokens import Door
from flask_optout.pages import find_link
from flask_optout.pages.find_link import MOST_MAILS
from flask_optout.wiring import LONGEST_QUEUE, current_state
from tests.conftest import MakeHost
from tests.support.email_log import statements
from tests.support.forms import unnamed
from tests.support.hosts import KEY, Host, Mailbox, say, settle


def path(to: str = "jane@example.org", opportunity: str = "beta-42") -> str:
    """The path of the URL that an operator copies."""
    return urlsplit(current_state().links.url(Door.ASK, parse(to), opportunity)).path


def ask(client: FlaskClient, url: str, typed: str) -> bytes:
    answer = client.post(url, data={"address": typed})
    assert answer.status_code == 200
    settle()
    return unnamed(answer.data)


def test_the_invited_address_gets_a_fresh_link(host: Host, client: FlaskClient, smtp: Mailbox) -> None:
    ask(client, path(), "jane@example.org")
    [mail] = smtp.received
    assert mail.rcpt_to == ["jane@example.org"]
    link = host.optout.link("jane@example.org", "beta-42")
    assert link in mail.part("plain") and link in mail.part("html")
    assert mail.message["Subject"] == "The team: your link for Pixel Beta"
    assert mail.part("plain").startswith("The team invited you to Pixel Beta. Somebody asked for your link")
    assert mail.part("plain").rstrip().endswith("\nThe team")
    assert mail.message["From"] == "The team <team@example.org>"
    assert "List-Unsubscribe" not in mail.message


@pytest.mark.parametrize(
    "typed", ["JANE@EXAMPLE.ORG", " Jane <jane@example.org.> ", '"jane"@example.org', "ｊane@example.org"]
)
def test_every_spelling_counts_and_the_mail_goes_to_the_plain_one(
    host: Host, client: FlaskClient, smtp: Mailbox, typed: str
) -> None:
    ask(client, path("Jane@Example.org"), typed)
    assert [mail.rcpt_to for mail in smtp.received] == [["jane@example.org"]]


@pytest.mark.parametrize(
    "typed",
    [
        "joan@example.org",
        "jane+2@example.org",
        "jane@example.com",
        "jane",
        "",
        "a@x.org, jane@example.org",
        "j\0ne@x.org",
        "x" * 9000,
    ],
)
def test_any_other_address_gets_the_same_answer_and_no_mail(
    host: Host, client: FlaskClient, smtp: Mailbox, typed: str, caplog: pytest.LogCaptureFixture
) -> None:
    right = ask(client, path(), "jane@example.org")
    assert ask(client, path(), typed) == right
    assert len(smtp.received) == 1
    assert caplog.records == []


def test_page_answer_and_mail_are_the_same_whatever_was_chosen(
    host: Host, client: FlaskClient, smtp: Mailbox
) -> None:
    def walk() -> tuple[bytes, bytes, str]:
        page = client.get(path()).data
        answer = ask(client, path(), "jane@example.org")
        return page, answer, smtp.received[-1].part("plain")

    unmuted = walk()
    say(host, True, to="jane@example.org")
    assert walk() == unmuted
    say(host, True, to="jane@example.org", everything=True)
    assert walk() == unmuted
    assert not host.optout.may_invite("jane@example.org", "beta-42")


def test_the_heading_names_the_opportunity_that_the_url_is_about(host: Host, client: FlaskClient) -> None:
    heading = "<h1>Get the link to your invitation again: <span dir="
    assert heading in client.get(path()).text and ">Pixel Beta</span></h1>" in client.get(path()).text
    host.optout.opportunity_loader(lambda id: None)
    assert "<h1>Get the link to your invitation again</h1>" in client.get(path()).text


def test_no_choice_is_read_or_written(host: Host, client: FlaskClient, smtp: Mailbox) -> None:
    url = path()
    with statements(host) as seen:
        client.get(url)
        assert seen == []
        ask(client, url, "jane@example.org")
    assert seen != [] and not any("optout_choice" in statement for statement in seen)


def test_the_answer_does_not_wait_for_the_mail(
    host: Host, client: FlaskClient, smtp: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go, gone = Event(), list[bool]()
    monkeypatch.setattr(find_link, "deliver", lambda letter: gone.append(may_go.wait(60)))
    assert client.post(path(), data={"address": "jane@example.org"}).status_code == 200
    assert gone == []
    may_go.set()
    settle()
    assert gone == [True]


def test_links_are_mailed_a_few_times_a_day(host: Host, client: FlaskClient, smtp: Mailbox) -> None:
    answers = {ask(client, path(), "jane@example.org") for _ in range(MOST_MAILS + 2)}
    assert (len(answers), len(smtp.received)) == (1, MOST_MAILS)
    ask(client, path(opportunity="study-7"), "jane@example.org")
    ask(client, path("joan@example.org"), "joan@example.org")
    assert [len(smtp.to(f"{who}@example.org")) for who in ("jane", "joan")] == [MOST_MAILS, 1]
    with host.db.engine.begin() as connection:
        connection.execute(sa.text("update optout_asked set day = '2020-01-01'"))
    ask(client, path(), "jane@example.org")
    assert len(smtp.to("jane@example.org")) == MOST_MAILS + 1
    with host.db.engine.connect() as connection:
        assert connection.scalar(sa.text("select count(*) from optout_asked")) == 1


def test_what_counts_mails_cannot_be_computed_from_what_operators_see(host: Host, client: FlaskClient) -> None:
    ask(client, path(), "jane@example.org")
    claim = current_state().tokens.read(Door.ASK, path().rpartition("/")[2])
    with host.db.engine.connect() as connection:
        slots = list(connection.scalars(sa.text("select slot from optout_asked")))
    assert len(slots) == 1
    assert not any(slot in claim.payload for slot in slots)


def test_doors_do_not_open_one_another(host: Host, client: FlaskClient) -> None:
    asking, landing = path().rpartition("/")[2], host.path().rpartition("/")[2]
    assert client.get(f"/optout/{asking}").status_code == 404
    assert client.get(f"/optout/one-click/{asking}").status_code == 404
    assert client.get(f"/optout/ask/{landing}").status_code == 404
    assert client.post(f"/optout/ask/{landing}", data={"address": "jane@example.org"}).status_code == 404


def test_a_copied_url_outlives_a_new_key(make: MakeHost, smtp: Mailbox) -> None:
    old = make()
    with old.app.app_context():
        url = path()
    host = make(
        SECRET_KEY="a newer key of a test host, 32 bytes or more",
        SECRET_KEY_FALLBACKS=[KEY],
        MAIL_SERVER=smtp.host,
        MAIL_PORT=smtp.port,
    )
    with host.app.app_context():
        ask(host.app.test_client(), url, "jane@example.org")
    assert [mail.rcpt_to for mail in smtp.received] == [["jane@example.org"]]


def test_what_fails_in_the_background_is_logged_without_an_address(
    make: MakeHost, caplog: pytest.LogCaptureFixture
) -> None:
    host = make(MAIL_SERVER="127.0.0.1", MAIL_PORT=1)
    with host.app.app_context():
        ask(host.app.test_client(), path(), "jane@example.org")
    [record] = caplog.records
    told = "optout.link_not_mailed: A link that was asked for could not be mailed: ConnectionRefusedError"
    assert record.getMessage() == told
    assert record.exc_info is None


def test_a_missing_sender_is_logged_with_its_mend(make: MakeHost, caplog: pytest.LogCaptureFixture) -> None:
    host = make(MAIL_DEFAULT_SENDER=None, MAIL_SUPPRESS_SEND=True)
    with host.app.app_context():
        ask(host.app.test_client(), path(), "jane@example.org")
    assert "MAIL_DEFAULT_SENDER" in caplog.text and "jane" not in caplog.text


def test_a_bounded_number_of_letters_waits_and_then_everybody_is_refused_alike(
    host: Host, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = Event()
    monkeypatch.setattr(find_link, "_mail", lambda *given: go.wait(60))
    try:
        taken = [client.post(path(), data={"address": "jane@example.org"}).status_code for _ in range(LONGEST_QUEUE)]
        refused = [client.post(path(), data={"address": f"{who}@example.org"}) for who in ("jane", "joan")]
    finally:
        go.set()
    settle()
    assert taken == [200] * LONGEST_QUEUE
    assert [answer.status_code for answer in refused] == [503, 503] and refused[0].data == refused[1].data


def test_the_pseudonyms_in_its_tokens_are_others_than_those_of_choices(host: Host) -> None:
    state = current_state()
    disguised = {part for mark in state.read_claim(Door.ASK, path().rpartition("/")[2]).person for part in mark}
    assert not disguised & {part for mark in state.key.marks(parse("jane@example.org"), "beta-42") for part in mark}


def test_page_and_mail_speak_the_language_of_the_browser_that_asked(
    host: Host, client: FlaskClient, smtp: Mailbox
) -> None:
    Babel(host.app, default_locale="fr")
    japanese = {"Accept-Language": "ja"}
    assert 'lang="ja"' in client.get(path(), headers=japanese).text
    client.post(path(), data={"address": "jane@example.org"}, headers=japanese)
    settle()
    [mail] = smtp.received
    assert mail.message["Subject"] == "The team：「Pixel Beta」のリンク"
    assert 'lang="ja"' in mail.part("html") and "ご依頼がありました" in mail.part("plain")
