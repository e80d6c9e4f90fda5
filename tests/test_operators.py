"""The operator's pages: they help to find an invitation, and say nothing about what anybody chose."""

from __future__ import annotations

import email
import functools
import html
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import abort, g, redirect, request
from flask.testing import FlaskClient
from flask_wtf import CSRFProtect
from werkzeug.test import TestResponse

from flask_optout import ConfigurationError, OptOut
from flask_optout.log_store import id_at, now
from flask_optout.operators.counts import coarse
from flask_optout.redaction import SLOT
from flask_optout.state import current_state
from flask_optout.tokens import ALPHABET

from .conftest import MakeHost
from .hosts import Host, Mailbox, smtp_server
from .test_choices import say
from .test_gate import RefusesRecipients, rows, statements

LOG = "/optout/operator/"


@pytest.fixture
def host(make: MakeHost, smtp: Mailbox) -> Iterator[Host]:
    host = make(operator=lambda: request.headers.get("X-Operator"), MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    with host.app.app_context():
        yield host


@pytest.fixture
def client(host: Host) -> FlaskClient:
    return operator_of(host)


def operator_of(host: Host, name: str = "Olga") -> FlaskClient:
    client = host.app.test_client()
    client.environ_base["HTTP_X_OPERATOR"] = name
    return client


def sent(host: Host, to: str = "jane@example.org", **fields: Any) -> str:
    """Send an invitation; gives the path of its page."""
    host.mail.send(host.invitation(to, **fields))
    return f"{LOG}{rows()[0].id}"


def post(client: FlaskClient, path: str, page: str | None = None, **fields: Any) -> TestResponse:
    """Send the form of a page."""
    token = re.search(r'name="form_token" value="([^"]+)"', client.get(page or path).text)
    assert token is not None
    return client.post(path, data={"form_token": token[1], **fields})


# Who may come in


def plain_decorator(view: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs) if request.headers.get("X-Operator") else redirect("/login")

    return guarded


def aborting_decorator(view: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if not request.headers.get("X-Operator"):
            abort(403)
        return str(view(*args, **kwargs))

    return guarded


def aborting_check() -> bool:
    if not request.headers.get("X-Operator"):
        abort(401)
    return True


GUARDS: dict[str, tuple[Any, str]] = {
    "check that names": (lambda: request.headers.get("X-Operator"), "Olga"),
    "check": (lambda: bool(request.headers.get("X-Operator")), "operator"),
    "check with a default": (lambda header="X-Operator": request.headers.get(header), "Olga"),
    "check that aborts": (aborting_check, "operator"),
    "decorator that redirects": (plain_decorator, "operator"),
    "decorator that aborts": (aborting_decorator, "operator"),
}


@pytest.mark.parametrize(("guard", "name"), GUARDS.values(), ids=GUARDS)
def test_a_guard_is_a_check_or_a_decorator(make: MakeHost, guard: Any, name: str) -> None:
    host = make(operator=guard, MAIL_SUPPRESS_SEND=True)
    with host.app.app_context():
        path = sent(host)
    operator = operator_of(host)
    assert operator.get(path).status_code == 200
    post(operator, f"{path}/send-again")
    assert f", {name}\n" in operator.get(path).text
    assert host.app.test_client().get(path).status_code == 404


@pytest.mark.parametrize("guard", ["", 5, {}])
def test_a_guard_that_cannot_be_called_is_refused(host: Host, guard: Any) -> None:
    with pytest.raises(ConfigurationError, match="login_required"):
        OptOut(host.db, operator=guard)


ROUTES = [
    ("GET", ""),
    ("GET", "../operator"),
    ("GET", "?recipient=jane@example.org"),
    ("GET", "ID"),
    ("GET", "1"),
    ("GET", "ID/html"),
    ("GET", "ID.eml"),
    ("GET", "1.eml"),
    ("GET", "ID/send-again"),
    ("POST", "ID/send-again"),
    ("POST", "ID"),
    ("DELETE", "ID"),
    ("PUT", "nothing/here"),
    ("GET", "nothing/here"),
    ("HEAD", "ID"),
    ("OPTIONS", "ID"),
    ("POST", "filters"),
    ("POST", "filters/delete"),
    ("GET", "filters"),
    ("GET", "counts"),
]


def test_to_an_outsider_nothing_is_here_at_all(host: Host, client: FlaskClient) -> None:
    id = sent(host).removeprefix(LOG)
    outsider = host.app.test_client()
    nothing = outsider.get("/optout/nothing/here")
    assert nothing.status_code == 404
    for method, path in ROUTES:
        answer = outsider.open((LOG + path.replace("ID", id)).replace("operator/../", ""), method=method)
        assert answer.status_code == 404, (method, path)
        assert dict(answer.headers) == dict(nothing.headers), (method, path)
        assert answer.data == (b"" if method == "HEAD" else nothing.data), (method, path)


def test_without_a_guard_there_are_no_routes(make: MakeHost) -> None:
    host = make()
    assert not any("operator" in rule.endpoint for rule in host.app.url_map.iter_rules())
    assert operator_of(host).get(LOG).status_code == 404


def test_every_operator_route_is_behind_the_guard(host: Host) -> None:
    rules = [rule for rule in host.app.url_map.iter_rules() if rule.endpoint.startswith("optout_operator.")]
    assert len(rules) == 10
    assert {rule.rule.startswith(LOG) for rule in rules} == {True}


# Finding


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
    monkeypatch.setattr("flask_optout.email_log.new_id", lambda: id_at(late))
    client = host.app.test_client()
    with host.app.app_context():
        sent(host)
    page = client.get(f"{LOG}?from=2031-12-25&to=2031-12-25").text
    assert "2031-12-25 10:30:15" in page and "Pacific/Kiritimati" in page
    assert "2032-03-24" in page  # kept for 90 days
    assert "jane@example.org" not in client.get(f"{LOG}?from=2031-12-24&to=2031-12-24").text
    assert "jane@example.org" in client.get(f"{LOG}?from=2031-12-25&from_time=10:30&to=2031-12-25&to_time=10:30").text
    assert "The end is before the start." in client.get(f"{LOG}?from=2031-12-25&to=2031-12-24").text


def test_older_pages_keep_the_filter(host: Host, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_optout.email_log.PAGE", 2)
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


# Reading

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
    strange = {"X-A": "a\u2028From: evil@example.org", "subject": "twice", "Content-Type": "x/y", "X-B": "ü" * 200}
    answer = client.get(sent(host, extra_headers=strange) + ".eml")
    message = email.message_from_bytes(answer.data, policy=email.policy.default)
    assert (message["From"], message["Subject"]) == ("The team <team@example.org>", "Join us")
    assert (message["X-A"], message["X-B"]) == ("a From: evil@example.org", "ü" * 200)
    assert message.get_content_type() == "multipart/alternative"


def test_what_is_not_there_says_so(client: FlaskClient) -> None:
    for path in ("1", "1.eml", "1/html", "1/send-again", f"{2**63 - 1}", f"{2**70}", "nothing/here"):
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


# Sending again


def test_it_is_sent_again_with_a_preface_and_fresh_links_to_the_same_address(
    host: Host, client: FlaskClient, smtp: Mailbox
) -> None:
    body = f"No? {host.optout.link('Jane@example.org', 'beta-42')} Bye"
    path = sent(host, "Jane@example.org", body=body, html="<html><BODY class=x><p>Come</p></BODY></html>")
    first = smtp.received.pop()
    assert "jane@example.org" in client.get(f"{path}/send-again").text.lower()
    assert smtp.received == []
    answer = post(client, f"{path}/send-again", to="evil@example.org")
    assert (answer.status_code, answer.location) == (303, f"{path}#sent-again")
    [mail] = smtp.received
    assert mail.rcpt_to == ["Jane@example.org"]
    for name in ("From", "Subject", "List-Unsubscribe", "List-Id"):
        assert mail.message[name] == first.message[name]
    preface = "You are getting this invitation again because somebody asked for it to be sent once more."
    assert mail.part("plain").strip().replace("\r\n", "\n") == f"{preface}\n\n{body}"
    assert re.search(f"<BODY class=x><p[^>]*>{preface}</p>\\s*<p>Come</p>", mail.part("html"))
    assert first.part("html").split("Come")[1] == mail.part("html").split("Come")[1]


def test_a_muted_candidate_gets_their_link_and_no_invitation(host: Host, client: FlaskClient, smtp: Mailbox) -> None:
    path = sent(host)
    smtp.received.clear()
    say(host, True, to="jane@example.org")
    assert post(client, f"{path}/send-again").status_code == 303
    [mail] = smtp.received
    assert mail.rcpt_to == ["jane@example.org"]
    assert host.optout.link("jane@example.org", "beta-42") in mail.part("plain")
    raw = mail.raw.decode()
    assert "Come and try it" not in raw and "Join us" not in raw and "List-Unsubscribe" not in raw
    assert mail.message["From"] == "The team <team@example.org>"


def test_it_is_sent_once_a_day(host: Host, client: FlaskClient, smtp: Mailbox) -> None:
    path = sent(host)
    token = {"form_token": re.findall(r'name="form_token" value="([^"]+)"', client.get(f"{path}/send-again").text)[0]}
    assert client.post(f"{path}/send-again", data=token).status_code == 303
    again = client.post(f"{path}/send-again", data=token)
    assert (again.status_code, "Once a day is the most." in again.text) == (409, True)
    assert "Once a day is the most." in client.get(f"{path}/send-again").text
    assert len(smtp.received) == 2


def test_a_failed_hand_off_is_said_and_noted(make: MakeHost, caplog: pytest.LogCaptureFixture) -> None:
    with smtp_server(RefusesRecipients) as smtp:
        host = make(operator=lambda: "Olga", MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
        answers = []
        with host.app.app_context():
            for to in ("jane@example.org", "joan@example.org"):
                host.app.extensions["mail"].suppress = True
                path = sent(host, to)
                host.app.extensions["mail"].suppress = False
                if to.startswith("jane"):
                    say(host, True, to=to)
                answer = post(host.app.test_client(), f"{path}/send-again")
                assert answer.status_code == 502
                assert "SMTPRecipientsRefused 550" in answer.text
                assert "SMTPRecipientsRefused 550" in host.app.test_client().get(path).text
                answers.append(uniform(answer.text))
        assert answers[0] == answers[1]
        assert {record.getMessage() for record in caplog.records} == {
            "An invitation could not be sent again (SMTPRecipientsRefused 550)."
        }


# Forms


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    ],
)
def test_a_form_of_another_site_is_refused(
    host: Host, client: FlaskClient, smtp: Mailbox, headers: dict[str, str]
) -> None:
    path = f"{sent(host)}/send-again"
    token = re.findall(r'name="form_token" value="([^"]+)"', client.get(path).text)[0]
    answer = client.post(path, data={"form_token": token}, headers=headers)
    assert (answer.status_code, "Nothing changed." in answer.text) == (400, True)
    assert len(smtp.received) == 1


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}])
def test_a_form_of_our_own_is_taken(host: Host, client: FlaskClient, headers: dict[str, str]) -> None:
    path = f"{sent(host)}/send-again"
    token = re.findall(r'name="form_token" value="([^"]+)"', client.get(path).text)[0]
    assert client.post(path, data={"form_token": token}, headers=headers).status_code == 303


def test_a_form_without_its_token_or_with_another_operators_is_refused(host: Host, client: FlaskClient) -> None:
    path = f"{sent(host)}/send-again"
    foreign = re.findall(r'name="form_token" value="([^"]+)"', operator_of(host, "Otto").get(path).text)[0]
    for token in ("", "x", foreign):
        assert client.post(path, data={"form_token": token}).status_code == 400


def test_an_old_form_is_refused(host: Host, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{sent(host)}/send-again"
    token = re.findall(r'name="form_token" value="([^"]+)"', client.get(path).text)[0]
    monkeypatch.setattr("flask_optout.operators.base.FORM_AGE", -1)
    assert client.post(path, data={"form_token": token}).status_code == 400


@pytest.mark.parametrize("csrf_first", [True, False])
def test_forms_carry_the_token_of_flask_wtf_where_it_guards_the_app(
    make: MakeHost, smtp: Mailbox, monkeypatch: pytest.MonkeyPatch, csrf_first: bool
) -> None:
    if csrf_first:
        made = OptOut.init_app
        monkeypatch.setattr(OptOut, "init_app", lambda self, app: (CSRFProtect(app), made(self, app))[1])
    host = make(operator=lambda: "Olga", MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    if not csrf_first:
        CSRFProtect(host.app)
    client = host.app.test_client()
    with host.app.app_context():
        path = f"{sent(host)}/send-again"
    fields = dict(re.findall(r'name="(\w+_token)" value="([^"]+)"', client.get(path).text))
    assert client.post(path, data={"form_token": fields["form_token"]}).status_code == 400
    assert client.post(path, data=fields).status_code == 303


# Saying nothing


def uniform(text: str) -> str:
    """What is left of a page without what tells two candidates' rows apart anyway."""
    text = re.sub(r"joan", "jane", text)
    text = re.sub(r'(form_token" value=|/ask/|datetime=)"?[^"\s]+', r"\1", text)
    text = re.sub(r"\d\d:\d\d:\d\d|(?:<|&lt;)\d+\.\d+\.\d+@[^>&]+(?:>|&gt;)|={10}\d+", "…", text)
    return re.sub(r"\d{19}", "ID", text)


def headers_of(answer: TestResponse) -> list[tuple[str, str]]:
    """All but the length, as Message-IDs differ in theirs."""
    return [(name, uniform(value)) for name, value in answer.headers.items() if name != "Content-Length"]


def test_every_page_and_answer_is_the_same_for_a_muted_candidate(
    host: Host, client: FlaskClient, smtp: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Bytes, status, headers, statements and log lines, modulo ids, addresses and times."""
    say(host, True, to="jane@example.org")
    paths = {to: sent(host, f"{to}@example.org") for to in ("jane", "joan")}
    walks: dict[str, list[Any]] = {}
    for to, path in paths.items():
        smtp.received.clear()
        with statements(host) as seen:
            answers = [
                *(
                    client.get(f"{LOG}?recipient={to}@example.org", headers=headers)
                    for headers in ({}, {"HX-Request": "1"})
                ),
                *(client.get(f"{path}?part={part}") for part in ("text", "html", "headers")),
                client.get(f"{path}/html"),
                client.get(f"{path}.eml"),
                client.get(f"{path}/send-again"),
                post(client, f"{path}/send-again"),
                client.get(f"{path}/send-again"),
                client.get(path),
                client.get(f"{LOG}counts"),
            ]
        walks[to] = [
            *((answer.status, uniform(answer.text), headers_of(answer)) for answer in answers),
            seen,
            len(smtp.received),
        ]
    for muted, unmuted in zip(walks["jane"], walks["joan"], strict=True):
        assert muted == unmuted
    assert caplog.records == []


def test_the_database_holds_nothing_that_joins_the_log_to_the_choices(host: Host, client: FlaskClient) -> None:
    path = sent(host)
    say(host, True, to="jane@example.org")
    post(client, f"{path}/send-again")
    state = current_state()
    with host.db.engine.connect() as connection:
        dump = {
            table.name: [tuple(row) for row in connection.execute(sa.select(table))]
            for table in host.db.metadata.sorted_tables
        }
    secrets = {value for row in dump["optout_choice"] for value in row if isinstance(value, bytes)}
    assert len(secrets) == 4  # scope, digest, domain tag, key
    for name, table in dump.items():
        for value in (value for row in table for value in row):
            assert not ("jane" in str(value) and name == "optout_choice")
            if name.startswith(("optout_email", "optout_resend", "optout_saved")):
                assert not isinstance(value, bytes)
                assert not any(secret.hex() in str(value).lower() for secret in secrets)
                assert ALPHABET.search(str(value).lower()) is None
    url = re.search(r'/ask/([a-z2-7]+)"', client.get(path).text)
    assert url is not None
    payload = state.ask_tokens.read(next(iter(state.ask_tokens.doors)), url[1]).payload
    assert not any(secret in payload for secret in secrets)


# Counting


@pytest.mark.parametrize(
    ("invited", "muted", "shown"),
    [
        (19, 5, None),
        (20, 4, None),
        (20, 5, 5),
        (20, 9, 5),
        (20, 10, 10),
        (18, 10, None),
        (20, 11, 10),
        (20, 15, None),
        (20, 20, None),
        (23, 17, None),
        (24, 17, 15),
        (1000, 999, None),
        (1000, 504, 500),
        (0, 50, None),
    ],
)
def test_a_count_shows_only_where_crowds_hide_both_sides(invited: int, muted: int, shown: int | None) -> None:
    assert coarse(invited, muted, 20, 5) == shown


def test_no_two_readings_tell_one_person(make: MakeHost, client: FlaskClient) -> None:
    """Whatever an operator adds one by one, what is shown depends on the rounded count alone."""
    for invited in range(60):
        for muted in range(0, 55, 5):
            assert len({coarse(invited, muted + one, 20, 5) for one in range(5)}) == 1


def test_counts_move_once_a_week(host: Host, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(30):
        sent(host, f"p{i}@example.org")
        if i < 12:
            say(host, True, to=f"p{i}@example.org")

    def row() -> tuple[str, str]:
        found = re.search(
            r">beta-42</a></td><td[^>]*>(\d+)</td>\s*<td[^>]*>([^<]+)</td>", client.get(f"{LOG}counts").text
        )
        assert found is not None
        return found[1], found[2]

    assert row() == ("30", "not shown")
    with host.db.engine.begin() as connection:
        connection.execute(sa.text("update optout_choice set day = '2020-01-01'"))
    assert row() == ("30", "10 or more")
    for i in range(12):
        say(host, False, to=f"p{i}@example.org")
    assert row() == ("30", "10 or more")
    with host.db.engine.begin() as connection:
        connection.execute(sa.text("update optout_choice set day = '2020-01-01'"))
    assert row() == ("30", "not shown")


def test_counts_are_paged(host: Host, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_optout.operators.counts.PAGE", 2)
    for opportunity in ("a", "b", "c & d"):
        sent(host, opportunity=opportunity)
    first = client.get(f"{LOG}counts").text
    assert "opportunity=b" in first and "c+" not in first
    assert "c &amp; d" in client.get(f"{LOG}counts?after=b").text


def test_counts_are_off_by_setting(make: MakeHost) -> None:
    client = make(operator=lambda: True, OPTOUT_COUNT_FLOOR=None).app.test_client()
    # A setting of None is left out by the host of the tests.
    client.application.config["OPTOUT_COUNT_FLOOR"] = None
    assert client.get(f"{LOG}counts").status_code == 404
    assert ">Counts<" not in client.get(LOG).text


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("OPTOUT_LOG_DAYS", 0),
        ("OPTOUT_LOG_DAYS", "90"),
        ("OPTOUT_LOG_DAYS", True),
        ("OPTOUT_LOG_DAYS", 10**9),
        ("OPTOUT_COUNT_FLOOR", 20),
        ("OPTOUT_COUNT_FLOOR", (20,)),
        ("OPTOUT_COUNT_FLOOR", (0, 5)),
        ("OPTOUT_COUNT_FLOOR", "20"),
        ("OPTOUT_TIMEZONE", "Mars/Olympus"),
        ("OPTOUT_TIMEZONE", "../../etc/passwd"),
        ("OPTOUT_TIMEZONE", 5),
        ("OPTOUT_TIMEZONE", ""),
    ],
)
def test_a_setting_that_cannot_work_is_refused_at_start_up(make: MakeHost, setting: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=setting):
        make(**{setting: value})


# Pruning


def test_prune_deletes_what_is_too_old_and_breaks_no_link(host: Host, client: FlaskClient, smtp: Mailbox) -> None:
    path = sent(host)
    post(client, f"{path}/send-again")
    say(host, True, to="jane@example.org")
    with host.db.engine.begin() as connection:
        for table, column in (("optout_email_log", "id"), ("optout_email_body", "id")):
            connection.execute(sa.text(f"update {table} set {column} = {column} - {91 * 86_400 * 10**6 * 1024}"))
    kept = sent(host, "joan@example.org")
    answer = host.app.test_cli_runner().invoke(args=["optout", "prune"])
    assert (answer.exit_code, answer.output) == (0, "Invitations deleted from the Email Log: 1.\n")
    assert (client.get(path).status_code, client.get(kept).status_code) == (404, 200)
    with host.db.engine.connect() as connection:
        assert connection.scalar(sa.text("select count(*) from optout_resend")) == 0
    landing = client.get(host.path())
    assert (landing.status_code, "I&#39;ve changed my mind." in landing.text) == (200, True)


def test_the_guard_leaves_nothing_behind(host: Host) -> None:
    with host.app.test_request_context(headers={"X-Operator": "Olga"}):
        assert current_state().operator() == "Olga"  # type: ignore[misc]
        assert "optout_guard_passed" not in g
