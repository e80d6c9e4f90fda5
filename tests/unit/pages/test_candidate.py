"""The candidate's pages: reading changes nothing, a pressed button does what it says, a bad link tells nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import sqlalchemy as sa
from flask import request
from flask.testing import FlaskClient
from flask_wtf import CSRFProtect

from flask_optout import OptOut
from flask_optout.addresses import parse
from flask_optout.links.tokens import Door
from flask_optout.pages.candidate import UNSIGNED
from flask_optout.testing import broken_store
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.email_log import statements as statements_of
from tests.support.hosts import Host, say

#: What a mail program, a hand or an attacker makes of a token.
BAD: list[Callable[[str], str]] = [
    lambda token: "",
    lambda token: ".",
    lambda token: token[:-1],
    lambda token: token[: len(token) // 2],
    lambda token: token[1:],
    lambda token: token[:20] + "=\n" + token[20:],
    lambda token: token.replace("a", "\N{LATIN SMALL LETTER A WITH ACUTE}", 1),
    lambda token: "a" * 8_000,
    lambda token: "<script>alert(1)</script>",
    lambda token: "{{7*7}}",
    lambda token: "../../etc/passwd",
]
MARKER = "List-Unsubscribe=One-Click"


def one_click_path(to: str = "jane@example.org") -> str:
    return urlsplit(current_state().links.url(Door.ONE_CLICK, parse(to), "beta-42")).path


@pytest.fixture
def statements(host: Host) -> Iterator[list[str]]:
    """Every statement that reaches the database."""
    with statements_of(host) as seen:
        yield seen


class TestLanding:
    def test_it_shows_the_invitation_and_the_opt_out(self, host: Host, client: FlaskClient) -> None:
        page = client.get(host.path()).text
        assert "Pixel Beta" in page and "Try the new camera." in page and "https://example.org/beta-42" in page
        assert 'value="mute"' in page and 'value="undo"' not in page

    def test_while_muted_it_shows_the_mute_and_the_undo_instead(self, host: Host, client: FlaskClient) -> None:
        say(host, True, to="jane@example.org")
        page = client.get(host.path()).text
        assert "You will get no more invitations to" in page and "Pixel Beta" in page
        assert "Try the new camera." not in page and "https://example.org/beta-42" not in page
        assert 'value="undo"' in page and 'value="mute-all"' in page and 'value="mute"' not in page

    def test_stopping_everything_shows_on_every_page_with_its_own_undo(self, host: Host, client: FlaskClient) -> None:
        say(host, True, to="jane@example.org", everything=True)
        for opportunity in ("beta-42", "study-7", "*"):
            page = client.get(host.path(opportunity=opportunity)).text
            assert "You will get no more invitations from us." in page and 'value="undo-all"' in page

    def test_a_link_for_all_invitations_offers_only_that(self, host: Host, client: FlaskClient) -> None:
        host.optout.opportunity_loader(lambda id: {"title": "Pixel Beta", "summary": "Try it."})
        page = client.get(host.path(opportunity="*")).text
        assert 'value="mute-all"' in page and 'value="mute"' not in page
        assert "If you want no invitations from us" in page and "Other invitations are not affected" not in page
        assert page.count("All invitations from The team") == 2 and "Pixel Beta" not in page and "Try it." not in page
        say(host, True, to="jane@example.org", everything=True)
        tagged = client.get(host.path("jane+2@example.org", "*")).text
        assert "You will get no more invitations from us." in tagged and "Pixel Beta" not in tagged

    def test_a_mute_of_the_address_without_its_tag_is_told_but_not_undone(
        self, host: Host, client: FlaskClient
    ) -> None:
        say(host, True, to="jane@example.org")
        page = client.get(host.path("jane+2@example.org")).text
        assert "You will get no more invitations to" in page
        assert 'value="undo"' not in page
        client.post(host.path("jane+2@example.org"), data=host.form("undo", "jane+2@example.org"))
        assert not host.optout.may_invite("jane+2@example.org", "beta-42")

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
    @pytest.mark.parametrize("query", ["", "?choice=mute", "?utm_source=x&token=y&next=//evil.example"])
    def test_reading_changes_nothing(self, host: Host, client: FlaskClient, method: str, query: str) -> None:
        before = dump(host)
        for path in (host.path(), one_click_path()):
            response = client.open(path + query, method=method)
            assert response.status_code == 200
            assert "Set-Cookie" not in response.headers and "Location" not in response.headers
        assert dump(host) == before

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
    def test_no_other_method_is_allowed(self, host: Host, client: FlaskClient, method: str) -> None:
        for path in (host.path(), one_click_path()):
            assert client.open(path, method=method).status_code == 405

    def test_pages_stay_out_of_caches_indexes_frames_and_referrers(self, host: Host, client: FlaskClient) -> None:
        for response in (client.get(host.path()), client.get("/optout/none"), client.post(one_click_path())):
            headers = response.headers
            assert headers["Cache-Control"] == "no-store"
            assert headers["Referrer-Policy"] == "same-origin"
            assert headers["X-Robots-Tag"] == "noindex, nofollow"
            assert headers["Content-Security-Policy"].startswith("default-src 'self'; ")
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
            assert headers["Vary"] == "HX-Request"
            assert "Set-Cookie" not in headers

    @pytest.mark.parametrize(
        ("settings", "name"),
        [
            ({}, "The team"),
            ({"MAIL_DEFAULT_SENDER": "Example Jobs <jobs@example.org>"}, "Example Jobs"),
            ({"MAIL_DEFAULT_SENDER": "jobs@example.org"}, "jobs@example.org"),
            ({"MAIL_DEFAULT_SENDER": None}, "invite.example.org"),
            ({"OPTOUT_SENDER_NAME": "Example & Sons"}, "Example &amp; Sons"),
        ],
        ids=str,
    )
    def test_it_says_who_asks_and_for_what(self, make: MakeHost, settings: dict[str, Any], name: str) -> None:
        host = make(**settings)
        with host.app.app_context():
            page = host.app.test_client().get(host.path()).text
        assert f"<title>Pixel Beta · {name}</title>" in page
        assert f'<p class="optout-brand"><bdi>{name}</bdi>' in page
        assert '<a href="https://invite.example.org" rel="noreferrer">invite.example.org</a>' in page

    def test_it_names_nobody(self, host: Host, client: FlaskClient) -> None:
        assert "jane" not in client.get(host.path()).text + client.get(one_click_path()).text

    def test_its_forms_are_no_scripts_of_the_hosts_to_send(self, host: Host, client: FlaskClient) -> None:
        """Turbo shows no answer to a form but a redirect, and htmx puts a boosted one into the whole page."""
        host.app.config["OPTOUT_FIND_LINK"] = True
        asks = client.post(host.path(), data={"choice": "mute"})
        for page in (client.get(host.path()), asks, client.get("/optout/")):
            forms = re.findall("<form.*?>", page.text)
            assert forms and all('hx-boost="false" data-turbo="false"' in form for form in forms)

    @pytest.mark.parametrize("path", ["/optout/?q=1&q=2", "/optout/nothing", "{link}?optout=x"])
    def test_a_boosted_link_of_the_hosts_page_leaves_that_page(
        self, host: Host, client: FlaskClient, path: str
    ) -> None:
        """In the host's page, ours would lack its stylesheet and scripts."""
        host.app.config["OPTOUT_FIND_LINK"] = True
        url = path.format(link=host.path())
        answer = client.get(url, headers={"HX-Request": "true", "HX-Boosted": "true"})
        assert (answer.status_code, answer.data, answer.headers["HX-Redirect"]) == (200, b"", url)

    def test_its_strings_are_escaped(self, host: Host, client: FlaskClient) -> None:
        host.optout.opportunity_loader(lambda id: {"title": "<b>{{ 7*7 }}", "summary": '"><svg onload=x>'})
        page = client.get(host.path()).text
        assert "&lt;b&gt;{{ 7*7 }}" in page and "<svg" not in page


class TestPress:
    @pytest.mark.parametrize(
        ("choices", "may_beta", "may_study"),
        [
            (["mute"], False, True),
            (["mute", "mute"], False, True),
            (["mute", "undo"], True, True),
            (["undo"], True, True),
            (["mute-all"], False, False),
            (["mute", "mute-all", "undo-all"], False, True),
            (["mute-all", "undo"], False, False),
        ],
        ids=str,
    )
    def test_each_button_does_what_it_says(
        self, host: Host, client: FlaskClient, choices: list[str], may_beta: bool, may_study: bool
    ) -> None:
        for choice in choices:
            host.wait(6)  # so that each page shows what was pressed before
            client.post(host.path(), data=host.form(choice))
        assert host.optout.may_invite("jane@example.org", "beta-42") is may_beta
        assert host.optout.may_invite("jane@example.org", "study-7") is may_study

    def test_a_browsers_press_leads_back_to_the_same_url(self, host: Host, client: FlaskClient) -> None:
        response = client.post(host.path(), data=host.form("mute"))
        assert response.status_code == 303
        assert response.headers["Location"].partition("?")[0] == host.path()

    def test_an_htmx_press_gets_the_changed_part_alone(self, host: Host, client: FlaskClient) -> None:
        form = {**host.form("mute"), "scripts": "trusted"}
        response = client.post(host.path(), data=form, headers={"HX-Request": "true"})
        assert response.status_code == 200
        assert "<html" not in response.text and 'value="undo"' in response.text

    @pytest.mark.parametrize("data", [{}, {"choice": ""}, {"choice": "MUTE"}, {"choice": "toggle"}, {"mute": "mute"}])
    def test_a_form_without_a_pressed_button_changes_nothing(
        self, host: Host, client: FlaskClient, data: dict[str, str]
    ) -> None:
        before = dump(host)
        response = client.post(host.path(), data=data)
        assert response.status_code == 200 and 'value="mute"' in response.text
        assert dump(host) == before

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (b"{", "application/json"),
            (b"choice=mute", "text/plain"),
            (b"choice=mute", "multipart/form-data; boundary=x"),
            (b"\xff\xfe", "application/x-www-form-urlencoded; charset=utf-7"),
            (b"a=b&" * 50_000, "application/x-www-form-urlencoded"),
        ],
        ids=["json", "text", "boundary", "utf-7", "large"],
    )
    def test_a_broken_body_changes_nothing(
        self, host: Host, client: FlaskClient, body: bytes, content_type: str
    ) -> None:
        before = dump(host)
        assert client.post(host.path(), data=body, content_type=content_type).status_code in (200, 413)
        assert dump(host) == before

    def test_a_session_counts_for_nothing(self, host: Host, client: FlaskClient) -> None:
        client.set_cookie("session", "somebody-else")
        client.post(host.path(), data=host.form("mute"), headers={"Origin": "https://elsewhere.example"})
        assert not host.optout.may_invite("jane@example.org", "beta-42")


class TestOneClick:
    """The exact signal mutes at once, and nothing else does anything (RFC 8058)."""

    @pytest.mark.parametrize(("body", "status"), [(MARKER, 200), ("", 400)])
    def test_it_mutes_or_says_that_nothing_changed(
        self, host: Host, client: FlaskClient, body: str, status: int
    ) -> None:
        for _ in range(2):
            answer = client.post(one_click_path(), data=body, content_type="application/x-www-form-urlencoded")
            assert answer.status_code == status and (answer.text == UNSIGNED) is (status == 400)
            assert "Location" not in answer.headers and "Set-Cookie" not in answer.headers
        assert host.optout.may_invite("jane@example.org", "beta-42") is (status == 400)
        assert host.optout.may_invite("jane@example.org", "study-7")

    @pytest.mark.parametrize("read", ["form", "data", "values", "json"])
    @pytest.mark.parametrize(
        "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b", None], ids=str
    )
    @pytest.mark.parametrize("signals", [True, False])
    def test_a_host_may_have_read_it_before(
        self, host: Host, client: FlaskClient, read: str, kind: str | None, signals: bool
    ) -> None:
        @host.app.before_request
        def read_it() -> None:
            request.get_json(silent=True) if read == "json" else getattr(request, read)

        part = b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
        body = (part if kind and "multipart" in kind else MARKER.encode()) if signals else b"a=b"
        assert client.post(one_click_path(), data=body, content_type=kind).status_code == (200 if signals else 400)

    def test_it_never_undoes(self, host: Host, client: FlaskClient) -> None:
        say(host, True, to="jane@example.org")
        client.post(one_click_path(), data={"List-Unsubscribe": "One-Click", "choice": "undo"})
        assert not host.optout.may_invite("jane@example.org", "beta-42")

    def test_opened_in_a_browser_it_shows_the_landing_page(self, host: Host, client: FlaskClient) -> None:
        pages = [client.get(path).text for path in (one_click_path(), host.path())]
        opened, landing = (re.sub(r'name="nonce" value="[^"]+"', "", page) for page in pages)
        assert opened == landing


class TestBadLinks:
    @pytest.mark.parametrize("damage", BAD)
    def test_they_all_get_the_same_bytes_and_no_query(
        self, host: Host, client: FlaskClient, statements: list[str], damage: Callable[[str], str]
    ) -> None:
        token = damage(host.path().rpartition("/")[2])
        statements.clear()
        expected = client.get("/optout/nothing").data
        for prefix in ("/optout/", "/optout/one-click/"):
            for method in ("GET", "POST"):
                response = client.open(prefix + quote(token, safe=""), method=method, data={"choice": "mute"})
                assert response.status_code == 404
                assert response.data == expected
        assert statements == []

    @pytest.mark.parametrize("path", ["/optout/", "/optout/one-click/", "/optout/a/b/c", "/optout/one-click/a/b"])
    def test_so_does_every_other_path_below_ours(self, host: Host, client: FlaskClient, path: str) -> None:
        assert client.get(path).data == client.get("/optout/nothing").data

    def test_the_page_says_how_to_get_a_whole_link(self, host: Host, client: FlaskClient) -> None:
        page = client.get("/optout/nothing").text
        assert "Copy the whole link" in page and "Nothing changed." in page

    def test_no_door_opens_another(self, host: Host, client: FlaskClient) -> None:
        landing, one_click = host.path().rpartition("/")[2], one_click_path().rpartition("/")[2]
        assert client.post(f"/optout/one-click/{landing}", data=MARKER).status_code == 404
        assert client.post(f"/optout/{one_click}", data={"choice": "mute"}).status_code == 404
        assert host.optout.may_invite("jane@example.org", "beta-42")


@pytest.mark.parametrize("csrf_first", [True, False])
def test_flask_wtf_guards_the_host_but_not_us(make: MakeHost, csrf_first: bool) -> None:
    host = make()
    app = host.app
    if csrf_first:
        app.extensions.pop("optout")
        app.blueprints.pop("optout")
        CSRFProtect(app)
        OptOut(host.db, app)
    else:
        CSRFProtect(app)
    app.add_url_rule("/own", "own", lambda: "", methods=["POST"])
    with app.app_context():
        client = app.test_client()
        assert client.post(host.path(), data=host.form("mute")).status_code == 303
        assert client.post(one_click_path(), data={"List-Unsubscribe": "One-Click"}).status_code == 200
        assert client.post("/own").status_code == 400


@pytest.mark.parametrize("htmx", [True, False])
def test_without_a_store_the_page_says_that_nothing_changed(
    host: Host, client: FlaskClient, htmx: bool, caplog: pytest.LogCaptureFixture
) -> None:
    form = host.form("mute")
    host.db.drop_all()
    headers = {"HX-Request": "true"} if htmx else {}
    for response in (
        client.get(host.path(), headers=headers),
        client.post(host.path(), data=form, headers=headers),
        client.post(one_click_path(), data={"List-Unsubscribe": "One-Click"}, headers=headers),
    ):
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert "Nothing changed." in response.text and "You will get no more" not in response.text
    assert "flask optout init-db" in caplog.text and "jane" not in caplog.text


@pytest.mark.parametrize("htmx", [True, False])
def test_when_the_store_fails_after_a_press_the_page_does_not_deny_it(
    host: Host, client: FlaskClient, htmx: bool
) -> None:
    with ExitStack() as stack:

        def fail(connection: sa.Connection) -> None:
            stack.enter_context(broken_store())

        form = {**host.form("mute"), "scripts": "trusted"}
        sa.event.listen(current_state().store._engine(), "commit", fail, once=True)
        headers = {"HX-Request": "true"} if htmx else {}
        answer = client.post(host.path(), data=form, headers=headers, follow_redirects=True)
    assert answer.status_code == 503 and "Please try again" in answer.text
    assert "Nothing changed." not in answer.text and not host.optout.may_invite("jane@example.org", "beta-42")


PARTS = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 2_000


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"a=" + b"b" * 600_000, "application/x-www-form-urlencoded"),
        (PARTS + b"--x--\r\n", "multipart/form-data; boundary=x"),
        (b"abc", "multipart/form-data"),
    ],
    ids=["large", "many parts", "no boundary"],
)
@pytest.mark.parametrize("path", [Host.path, lambda host: one_click_path()], ids=["page", "one-click"])
def test_nor_does_a_broken_body_keep_it_from_saying_so(
    make: MakeHost, path: Callable[[Host], str], body: bytes, kind: str
) -> None:
    host = make()
    with host.app.app_context():
        url = path(host)
        current_state().begin()  # a new process, which has not opened the data key
        with broken_store():
            answer = host.app.test_client().post(url, data=body, content_type=kind)
    assert answer.status_code == 503 and "Nothing changed." in answer.text


def test_the_stylesheet_and_the_scripts_are_cached_as_long_as_they_are_the_same(
    host: Host, client: FlaskClient
) -> None:
    urls = re.findall(r'(?:href|src)="(/optout/static/[^"]+\.(?:css|js)\?v=[^"]+)"', client.get(host.path()).text)
    assert len(urls) >= 3
    for url in urls:
        for version, is_kept in ((url, True), (f"{url}0", False), (url.partition("?")[0], False)):
            with client.get(version) as response:
                assert response.status_code == 200
                assert ("immutable" in str(response.headers["Cache-Control"])) is is_kept, version


def dump(host: Host) -> list[str]:
    host.path()  # the first link makes the data key
    with host.db.engine.connect() as connection:
        return list(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]
