"""The Email Log keeps letters as they were written; sent again, they are as they were, with fresh links."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from itertools import pairwise
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from flask_optout.email_log.records import PER_MINUTE, SLOT
from tests.conftest import MakeHost
from tests.support.adapters import each_library
from tests.support.email_log import operator_of, post, rows, sent
from tests.support.hosts import Host, Mailbox
from tests.support.library import Library, Wanted

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("minutes_over")]


@pytest.fixture
def host(make: MakeHost, smtp: Mailbox) -> Iterator[Host]:
    host = make(operator=lambda: "Olga", MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    with host.app.app_context():
        yield host


@pytest.fixture
def client(host: Host) -> FlaskClient:
    return operator_of(host)


def picture(seed: int) -> str:
    return base64.b64encode(random.Random(seed).randbytes(50_000)).decode()


HTMLS = {
    "a picture": lambda link: f'<img src="data:image/png;base64,{picture(1)}"><a href="{link}">No</a>',
    "a picture in lower case": lambda link: f'<img src="data:;base64,{picture(2).lower()}">',
    "a megabyte of letters": lambda link: "a" * 10**6,
    "our own words": lambda link: f"<p>{SLOT} {SLOT}</p><p>{link}</p>",
    "what looks like a token": lambda link: f"<p>{'a2' * 90}</p>",
    "a click counter": lambda link: f'<a href="https://click.example/?to={quote(link, safe="")}&amp;c=1">No</a>',
    "another's link": lambda link: f"<p>https://elsewhere.example/optout/{'b3' * 70}</p>{link}",
    "a comment": lambda link: f"<!-- {link} --><p>Hello</p>",
    "JSON": lambda link: f'<script type="application/ld+json">{{"url": "{link}"}}</script><p>"] [[</p>',
}


@pytest.mark.parametrize("row", HTMLS)
def test_what_is_sent_again_is_what_was_sent(row: str, host: Host, client: FlaskClient, smtp: Mailbox) -> None:
    link = host.optout.link("jane@example.org", "beta-42")
    path = sent(host, html=HTMLS[row](link), body=f"{SLOT}\n{link}\nbye")
    [email] = rows()
    token = link.rpartition("/")[2]
    assert token not in f"{email}" and token not in client.get(path + "/html").text
    assert post(client, f"{path}/send-again").status_code == 303
    first, again = smtp.received
    for kind in ("plain", "html"):
        one, two = (mail.part(kind).replace("\r\n", "\n") for mail in (first, again))
        assert two.endswith(one), "only a line is put before it"
        assert one.count(link) + one.count(quote(link, safe="")) == two.count(token)


@each_library
def test_the_names_of_attachments_are_kept(library: Library, host: Host) -> None:
    attachments = [("Plän.pdf", "application/pdf", b"x"), ("b", "a/b", b"")]
    library.send(host, library.invitation(host, Wanted(attachments=attachments)))
    assert [email.attachments for email in rows()] == ["Plän.pdf\nb"]


def test_a_row_tells_neither_the_second_nor_the_order(host: Host, smtp: Mailbox) -> None:
    people = [f"person{number}@example.org" for number in range(50)]
    host.mail.send_invitations([host.invitation(person) for person in people])
    emails = {email.recipient: email for email in rows()}
    ids = [emails[person].id for person in people]
    assert len({id // PER_MINUTE for id in ids}) <= 2, "a minute, or two where it turned"
    assert not all(one < two for one, two in pairwise(ids))
    with host.db.engine.connect() as connection:
        stored = connection.scalars(sa.text("select recipient from optout_email_log")).all()
    assert list(stored) != people
    for email in emails.values():
        date = email.header("Date")
        assert date is not None and parsedate_to_datetime(date).second == 0
        assert re.fullmatch(r"<[0-9a-f]{32}@example\.org>", email.message_id)
        assert email.time.second == email.time.microsecond == 0


@pytest.mark.parametrize("name", ["Date", "date", "DATE"])
def test_a_date_of_the_hosts_is_not_kept(name: str, host: Host, smtp: Mailbox) -> None:
    host.mail.send(host.invitation(extra_headers={name: "Thu, 26 Nov 2026 12:34:56 +0000"}))
    assert "34:56" not in rows()[0].headers


def test_fifty_rows_are_one_transaction(host: Host, smtp: Mailbox) -> None:
    commits: list[object] = []
    host.optout.link("jane@example.org", "beta-42")  # which stores the data key

    def note(connection: sa.Connection) -> None:
        commits.append(connection)

    sa.event.listen(host.db.engine, "commit", note)
    host.mail.send_invitations([host.invitation(f"person{number}@example.org") for number in range(50)])
    sa.event.remove(host.db.engine, "commit", note)
    assert len(commits) == 1 and len(rows()) == 50
