"""An operator finds an invitation, and reads it without its links."""

from __future__ import annotations

import email
import html
import re
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from flask_optout.addresses import parse
from flask_optout.email_log.ids import LARGEST_ID, PER_MINUTE, id_at, now
from flask_optout.email_log.records import Outgoing
from flask_optout.email_log.slots import SLOT
from flask_optout.links.tokens import ALPHABET
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.email_log import LOG, post, sent
from tests.support.hosts import Host, Mailbox, say


def test_the_list_says_what_to_do_when_it_is_empty(client: FlaskClient) -> None:
    assert "Send one to see it." in client.get(LOG).text
    assert "Check the spelling of the address" in client.get(f"{LOG}?recipient=jane@example.org").text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"jane", "bob"}),
        ("recipient=JANE@Example.org", {"jane"}),
        ("recipient=jane%40example.org&opportunity=study-7", set()),
        ("opportunity=study-7", {"bob"}),
        ("subject=join+US", {"jane", "bob"}),
        ("subject=%25", set()),
        ("subject=_", set()),
        ("subject=%5C", set()),
        ("subject=*", set()),
        ("subject=%27+OR+1", set()),
        ("subject=%00", set()),
        (f"subject={'x' * 10_000}", set()),
        ("from=2000-01-01&to=2999-01-01", {"jane", "bob"}),
        ("to=2000-01-01", set()),
        ("from=2999-01-01", set()),
        ("before=0", set()),
        ("before=99999999999999999999", {"jane", "bob"}),
        ("before=x", {"jane", "bob"}),
        ("before=-99999999999999999999", set()),
        ("recipient=jane", set()),
        ("nonsense=1", {"jane", "bob"}),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_the_filter_in_the_url_decides_what_is_listed(
    host: Host, client: FlaskClient, query: str, found: set[str], headers: dict[str, str]
) -> None:
    sent(host, "jane@example.org")
    sent(host, "bob@example.org", opportunity="study-7")
    answer = client.get(f"{LOG}?{query}", headers=headers)
    assert answer.status_code == 200
    assert set(re.findall(r"<td>(\w+)@example.org</td>", answer.text)) == found
    assert ("<html" in answer.text) is not bool(headers)


def test_dates_are_those_of_the_zone_that_the_page_names(make: MakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host = make(operator=lambda: True, OPTOUT_TIMEZONE="Pacific/Kiritimati", MAIL_SUPPRESS_SEND=True)
    late = now().replace(year=2031, month=12, day=24, hour=20, minute=30, second=15, microsecond=0)
    monkeypatch.setattr("flask_optout.email_log.records.new_id", lambda: id_at(late))
    client = host.app.test_client()
    with host.app.app_context():
        sent(host)
    page = client.get(f"{LOG}?from=2031-12-25&to=2031-12-25").text
    assert "2031-12-25 10:30<" in page and "Pacific/Kiritimati" in page
    assert "2032-03-24" in page  # kept for 90 days
    assert "jane@example.org" not in client.get(f"{LOG}?from=2031-12-24&to=2031-12-24").text
    assert "jane@example.org" in client.get(f"{LOG}?from=2031-12-25&from_time=10:30&to=2031-12-25&to_time=10:30").text
    assert "The end is before the start." in client.get(f"{LOG}?from=2031-12-25&to=2031-12-24").text


def test_older_pages_keep_the_filter(host: Host, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_optout.email_log.records.PAGE", 2)
    ids = iter(range(id_at(now()), LARGEST_ID))
    monkeypatch.setattr("flask_optout.email_log.records.new_id", lambda: next(ids))
    for to in ("jane", "joan", "june"):
        sent(host, f"{to}@example.org")
    first = client.get(f"{LOG}?opportunity=beta-42").text
    older = re.search(r'href="([^"]+)" rel="next"', first)
    assert older is not None and "opportunity=beta-42" in older[1]
    second = client.get(html.unescape(older[1])).text
    assert re.findall(r"<td>(\w+)@", first + second) == ["june", "joan", "jane"]
    assert 'rel="next"' not in second and ">Newest<" in second


def test_filters_are_saved_for_the_app_or_for_one_opportunity(host: Host, client: FlaskClient) -> None:
    sent(host)
    page = f"{LOG}?recipient=jane@example.org&opportunity=beta-42"
    fields = {"recipient": "jane@example.org", "opportunity": "beta-42"}
    answer = post(client, f"{LOG}filters", page, name="Jane & co", scope="opportunity", **fields)
    assert (answer.status_code, answer.location) == (
        303,
        f"{LOG}?recipient=jane%40example.org&opportunity=beta-42",
    )
    post(client, f"{LOG}filters", page, name="Everywhere", scope="app", **fields)
    post(client, f"{LOG}filters", page, name="Everywhere", scope="app", recipient="bob@example.org")

    def saved(query: str) -> list[str]:
        return re.findall(r'<li><a href="[^"]+">([^<]+)</a>', client.get(LOG + query).text)

    assert saved("") == saved("?opportunity=study-7") == ["Everywhere"]
    assert saved("?opportunity=beta-42") == ["Everywhere", "Jane &amp; co"]
    assert "?recipient=bob%40example.org" in client.get(LOG).text
    post(client, f"{LOG}filters/delete", LOG, name="Everywhere", opportunity="")
    assert saved("?opportunity=beta-42") == ["Jane &amp; co"]


@pytest.mark.parametrize("fields", [{"name": ""}, {"name": "n" * 81}, {"name": "a\0"}, {"name": "x", "to": "never"}])
def test_a_filter_that_makes_no_sense_is_not_saved(host: Host, client: FlaskClient, fields: dict[str, str]) -> None:
    sent(host)
    answer = post(client, f"{LOG}filters", f"{LOG}?opportunity=beta-42", **fields)
    assert answer.status_code == 400
    assert "A filter needs a name" in answer.text
    assert "Saved filters" not in client.get(LOG).text


HOSTILE = """<svg onload=parent.stolen=1><script>parent.stolen=1</script><meta http-equiv=refresh content='0;https://e.example'>
<form action='https://e.example'><button>x</button></form><img src='https://e.example/pixel.png'>"""


def test_an_invitation_shows_its_parts_without_links(host: Host, client: FlaskClient) -> None:
    path = sent(host, body="<b>Come</b>", html="<p>Come</p>")
    text = client.get(path).text
    assert "&lt;b&gt;Come&lt;/b&gt;" in text and SLOT in text
    headers = client.get(f"{path}?part=headers").text
    assert f"List-Unsubscribe: {SLOT}" in headers and "To: jane@example.org" in headers
    assert 'aria-current="page">Headers<' in headers
    assert '<iframe sandbox=""' in client.get(f"{path}?part=html").text
    assert 'aria-current="page">Text<' in client.get(f"{path}?part=nonsense").text
    for part in ("text", "html", "headers"):
        tokens = set(ALPHABET.findall(client.get(f"{path}?part={part}").text.lower()))
        assert len(tokens) == 1, "only that of the ask page"


def test_the_html_part_can_do_nothing_in_its_frame(host: Host, client: FlaskClient) -> None:
    path = sent(host, html=HOSTILE)
    blocked = client.get(f"{path}/html")
    assert blocked.headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
    )
    assert blocked.headers["Cache-Control"] == "no-store"
    asked = client.get(f"{path}/html?remote=1")
    assert "img-src data: https: http:;" in asked.headers["Content-Security-Policy"]
    assert "remote=1" in client.get(f"{path}?part=html&remote=1").text


def test_a_mail_without_html_has_an_empty_preview(host: Host, client: FlaskClient) -> None:
    path = sent(host, html=None)
    assert client.get(f"{path}/html").data == b""
    assert ">HTML<" not in client.get(path).text


@pytest.mark.parametrize(
    ("parts", "types"),
    [
        ({}, ["multipart/alternative", "text/plain", "text/html"]),
        ({"html": None}, ["text/plain"]),
        ({"body": None}, ["text/html"]),
    ],
)
def test_the_mail_file_is_redacted_too(
    host: Host, client: FlaskClient, parts: dict[str, Any], types: list[str]
) -> None:
    answer = client.get(sent(host, **parts, extra_headers={"X-Campaign": "7"}) + ".eml")
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    message = email.message_from_bytes(answer.data, policy=email.policy.default)
    assert [part.get_content_type() for part in message.walk()] == types
    assert (message["To"], message["X-Campaign"], message["List-Unsubscribe"]) == ("jane@example.org", "7", SLOT)
    assert SLOT in answer.text and not ALPHABET.search(answer.text.lower())


def test_a_mail_file_can_be_made_of_every_header(host: Host, client: FlaskClient) -> None:
    strange = {"X-A": "a", "subject": "twice", "Content-Type": "x/y", "X-B": "ü" * 200}
    answer = client.get(sent(host, extra_headers=strange) + ".eml")
    message = email.message_from_bytes(answer.data, policy=email.policy.default)
    assert (message["From"], message["Subject"]) == ("The team <team@example.org>", "Join us")
    assert (message["X-A"], message["X-B"]) == ("a", "ü" * 200)
    assert message.get_content_type() == "multipart/alternative"


@pytest.mark.parametrize("value", ["=?utf-8?q?a=0d=0aBcc:_x@example.org?=", "a\u2028Bcc: x@example.org"], ids=ascii)
@pytest.mark.parametrize("name", ["Subject", "From", "X-A"])
def test_no_header_of_a_mail_file_becomes_two(host: Host, client: FlaskClient, name: str, value: str) -> None:
    headers = [(name, value)]
    kept = Outgoing(parse("jane@example.org"), "beta-42", "", "<1@x.org>", headers, "Come.", None, ("https://x/1",))
    [id] = current_state().email_log.record([kept])
    answer = client.get(f"{LOG}{id}.eml")
    assert "Bcc" not in email.message_from_bytes(answer.data) and b"\nBcc" not in answer.data


def test_what_is_not_there_says_so(client: FlaskClient) -> None:
    for path in ("1", "1.eml", "1/html", "1/send-again", f"{2**63 - 1}", f"{2**70}"):
        answer = client.get(LOG + path)
        assert (answer.status_code, "There is nothing here." in answer.text) == (404, True), path


def test_pages_stay_out_of_caches_and_frames(client: FlaskClient) -> None:
    headers = client.get(LOG).headers
    assert headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_an_operator_is_told_what_is_wrong_with_the_store(host: Host, client: FlaskClient) -> None:
    with host.db.engine.begin() as connection:
        connection.execute(sa.text("drop table optout_email_log"))
    answer = client.get(LOG)
    assert answer.status_code == 503
    assert "flask optout init-db" in answer.text


def test_prune_deletes_what_is_too_old_and_breaks_no_link(host: Host, client: FlaskClient, smtp: Mailbox) -> None:
    path = sent(host)
    post(client, f"{path}/send-again")
    say(host, True, to="jane@example.org")
    with host.db.engine.begin() as connection:
        connection.execute(sa.text(f"update optout_email_log set id = id - {91 * 24 * 60 * PER_MINUTE}"))
    kept = sent(host, "joan@example.org")
    answer = host.app.test_cli_runner().invoke(args=["optout", "prune"])
    assert (answer.exit_code, answer.output) == (
        0,
        "Deleting\nDeleted 1 invitation older than 90 days from the Email Log.\n",
    )
    assert (client.get(path).status_code, client.get(kept).status_code) == (404, 200)
    with host.db.engine.connect() as connection:
        assert connection.scalar(sa.text("select count(*) from optout_resend")) == 0
    landing = client.get(host.path())
    assert (landing.status_code, "I&#39;ve changed my mind." in landing.text) == (200, True)
