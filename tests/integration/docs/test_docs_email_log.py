"""The page on the Email Log: its code is run, and what other admins show of a row is no more than our pages do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from starlette.testclient import TestClient

from flask_optout import OptOut
from flask_optout.email_log.records import LARGEST_ID, PER_MINUTE
from flask_optout.links.tokens import ALPHABET
from flask_optout.mailers.flask_mail import Invitation, Mail
from flask_optout.testing import mute
from tests.support.email_log import read_until
from tests.support.hosts import KEY

PAGE = (Path(__file__).parents[3] / "docs" / "email-log.md").read_text()
TURN_ON, FLASK_ADMIN, SQLADMIN = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
HIDDEN = ("message_id", "mailbox", "Come and try it")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """An app by the page's code, with one invitation to a muted candidate and one to another."""
    app = Flask("documented")
    app.config.update(
        SECRET_KEY=KEY,
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path / 'log.db'}",
        OPTOUT_BASE_URL="https://jobs.example.org",
        MAIL_SUPPRESS_SEND=True,
        MAIL_DEFAULT_SENDER="team@example.org",
    )
    names: dict[str, Any] = {"__name__": "documented", "app": app, "db": SQLAlchemy(app), "OptOut": OptOut}
    for block in (TURN_ON, FLASK_ADMIN, SQLADMIN):
        exec(block, names)
    mail = Mail(app)
    with app.app_context():
        names["db"].create_all()
        mute("jane@example.org", "beta-42")
        assert not names["optout"].may_invite("jane@example.org", "beta-42")
        for to in ("jane@example.org", "joan@example.org"):
            mail.send(Invitation("Join us", recipients=[to], body="Come and try it.", opportunity="beta-42"))
        read_until(monkeypatch, lambda: LARGEST_ID)
        exec("from flask_optout.email_log.records import running_minute", names)
        yield names
        names["db"].engine.dispose()


def cells(text: str) -> list[str]:
    """What the table of a page shows, without tags."""
    return [re.sub(r"<[^>]+>|\s+", " ", cell).strip() for cell in re.findall(r"<td.*?</td>", text, re.DOTALL)]


def rows_of(text: str, columns: int = 5) -> list[list[str]]:
    found = cells(text)
    starts = [i for i, cell in enumerate(found) if cell.endswith("@example.org")]
    return [found[start - 1 : start - 1 + columns] for start in starts]


def same(rows: list[list[str]]) -> bool:
    """Whether the rows of the two candidates differ in time and name only; their order says nothing."""
    (_, jane, *others), (_, joan, *rest) = sorted(rows, key=lambda row: row[1])
    return (joan, jane, rest) == ("joan@example.org", "jane@example.org", others)


def operator_of(module: dict[str, Any]) -> Any:
    client = module["app"].test_client()
    with client.session_transaction() as session:
        session["operator"] = "Olga"
    return client


def test_the_guard_lets_in_whom_the_session_names(module: dict[str, Any]) -> None:
    assert module["app"].test_client().get("/optout/operator/").status_code == 404
    assert same(rows_of(operator_of(module).get("/optout/operator/").text, columns=4))


def test_flask_admin_shows_no_more_than_our_pages(module: dict[str, Any]) -> None:
    assert module["app"].test_client().get("/admin/loggedinvitation/").status_code == 403
    client = operator_of(module)
    page = client.get("/admin/loggedinvitation/")
    assert page.status_code == 200 and same(rows_of(page.text))
    assert not any(word in str(cells(page.text)) for word in HIDDEN)
    assert ALPHABET.search(page.text.lower()) is None
    found = client.get("/admin/loggedinvitation/?flt1_0=jane@example.org").text
    assert [row[1] for row in rows_of(found)] == ["jane@example.org"]
    for path in ("new/", "edit/?id=1", "delete/", "export/csv/"):
        answer = client.open(f"/admin/loggedinvitation/{path}", method="POST" if path == "delete/" else "GET")
        assert answer.status_code in (302, 404), path
    assert len(rows_of(client.get("/admin/loggedinvitation/").text)) == 2


def test_sqladmin_shows_no_more_than_our_pages(module: dict[str, Any]) -> None:
    client = TestClient(module["asgi"])
    page = client.get("/admin/logged-invitation/list")
    assert page.status_code == 200 and same(rows_of(page.text))
    id = re.findall(r"/details/(\d+)", page.text)[0]
    details = client.get(f"/admin/logged-invitation/details/{id}").text
    for text in (page.text, details):
        assert not any(word in str(cells(text)) for word in HIDDEN)
        assert ALPHABET.search(text.lower()) is None
    for method, path in (
        ("GET", "create"),
        ("GET", f"edit/{id}"),
        ("DELETE", f"delete?pks={id}"),
        ("GET", "export/csv"),
    ):
        answer = client.request(method, f"/admin/logged-invitation/{path}")
        assert answer.status_code == 403, path


def test_no_admin_shows_the_running_minute(module: dict[str, Any]) -> None:
    admin, asgi = operator_of(module), TestClient(module["asgi"])
    id = re.findall(r"/details/(\d+)", asgi.get("/admin/logged-invitation/list").text)[0]
    module["running_minute"] = lambda: int(id) // PER_MINUTE * PER_MINUTE
    assert rows_of(admin.get("/admin/loggedinvitation/").text) == []
    page = asgi.get("/admin/logged-invitation/list").text
    assert rows_of(page) == [] and re.search(r"of\D+0\D+items", page)
    assert asgi.get(f"/admin/logged-invitation/details/{id}").status_code == 404
