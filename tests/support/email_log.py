"""What tests of the Email Log do with a host: send, look at its rows, and use its pages as an operator does."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from flask_optout.addresses import Recipient, parse
from flask_optout.choices.store import Store
from flask_optout.email_log import records
from flask_optout.email_log.records import Email, EmailLog, Outgoing, id_at, now
from flask_optout.email_log.search import PAGE
from flask_optout.email_log.tables import LogTables
from flask_optout.wiring import current_state
from tests.support.hosts import Host

LOG = "/optout/operator/"
TABLES = LogTables(sa.MetaData())


@contextmanager
def store_at(url: sa.URL | str) -> Iterator[Store]:
    """A store with the tables of an Email Log in this database."""
    engine = sa.create_engine(url)
    for table in TABLES.all():
        table.create(engine)
    yield Store(lambda: engine, lambda: None)
    engine.dispose()


def number_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, which have no order within a minute, get the one in which they are written."""
    numbers = count()
    monkeypatch.setattr(records, "make_id", lambda: id_at(now()) + next(numbers))


def in_order(store: Store, monkeypatch: pytest.MonkeyPatch) -> EmailLog:
    """An Email Log whose rows have the order in which they are written."""
    number_rows(monkeypatch)
    return EmailLog(store, TABLES)


def record(log: EmailLog, to: Recipient = "jane@example.org", opportunity: str = "beta-42", **fields: Any) -> int:
    """Keep an invitation; gives the id of its row."""
    given = {
        "subject": "Join us",
        "message_id": "<1@example.org>",
        "headers": [("From", "team@example.org"), ("List-Unsubscribe", "<https://x/1>")],
        "text": "Come and try it.",
        "html": "<p>Come and try it.</p>",
        "links": ("https://x/none",),
        **fields,
    }
    [id] = log.record([Outgoing(parse(to), opportunity, **given)])
    return id


def rows() -> list[Email]:
    """The newest rows, those of the running minute too, which no operator reads yet."""
    email = current_state().tables.log.email
    columns = (email.c[name.removesuffix("_pieces")] for name in Email._fields)
    query = sa.select(*columns).order_by(email.c.id.desc()).limit(PAGE)
    return [Email(*row) for row in current_state().email_log.rows(query)]


def read_until(monkeypatch: pytest.MonkeyPatch, running_minute: Callable[[], int]) -> None:
    """Whoever reads the Email Log takes this for the running minute."""
    for name, module in list(sys.modules.items()):
        if name.startswith("flask_optout.") and hasattr(module, "running_minute"):
            monkeypatch.setattr(module, "running_minute", running_minute)


@contextmanager
def statements(host: Host) -> Iterator[list[str]]:
    """Every statement that reaches the database meanwhile."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    sa.event.listen(host.db.engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(host.db.engine, "before_cursor_execute", note)


def operator_of(host: Host, name: str = "Olga") -> FlaskClient:
    client = host.app.test_client()
    client.environ_base["HTTP_X_OPERATOR"] = name
    return client


def sent(host: Host, to: str = "jane@example.org", **fields: Any) -> str:
    """Send an invitation; gives the path of its page."""
    before = {email.id for email in rows()}
    host.mail.send(host.invitation(to, **fields))
    [email] = [email for email in rows() if email.id not in before]
    return f"{LOG}{email.id}"


def post(client: FlaskClient, path: str, **fields: Any) -> TestResponse:
    """Send a form as a browser does from a page of the same site."""
    return client.post(path, data=fields, headers={"Sec-Fetch-Site": "same-origin"})


def uniform(text: str) -> str:
    """What is left of a page without what tells two candidates' rows apart anyway."""
    text = re.sub(r"joan", "jane", text)
    text = re.sub(r'(/ask/|datetime=)"?[^"\s]+', r"\1", text)
    text = re.sub(r"(?:<|&lt;)[0-9a-f]{32}@[^>&]+(?:>|&gt;)|={10}\d+", "…", text)
    return re.sub(r"\d{18,19}", "ID", text)


def headers_of(answer: TestResponse) -> list[tuple[str, str]]:
    """All but the length, as Message-IDs differ in theirs."""
    return [(name, uniform(value)) for name, value in answer.headers.items() if name != "Content-Length"]
