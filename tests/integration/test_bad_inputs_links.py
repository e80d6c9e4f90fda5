"""Bad links and bad requests: one page for every bad link, no query to the store, nothing reflected, never a 500."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from flask.testing import FlaskClient
from itsdangerous import URLSafeSerializer, URLSafeTimedSerializer
from werkzeug.test import TestResponse

from flask_optout.addresses import parse
from flask_optout.links.tokens import Door
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.email_log import statements as statements_of
from tests.support.hosts import KEY, Host, say

pytestmark = pytest.mark.long

DEAD = "/optout/no-such-token"
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


@pytest.fixture
def statements(host: Host) -> Iterator[list[str]]:
    """Every statement that reaches the database once its data key is open."""
    host.path()
    with statements_of(host) as seen:
        yield seen


def token_of(host: Host, to: str = "jane@example.org", opportunity: str = "beta-42") -> str:
    return host.path(to, opportunity).rpartition("/")[2]


def signed(payload: bytes) -> str:
    """A token of ours with any payload, as only the holder of the key could make it."""
    tokens = current_state().tokens
    return tokens._sign(Door.LANDING, payload)


def claim(host: Host) -> bytes:
    return current_state().tokens.read(Door.LANDING, token_of(host)).payload


def mixed(host: Host) -> str:
    one, other = token_of(host), token_of(host, opportunity="beta-43")
    return one[:-26] + other[-26:]


#: What stands where a token should, by row; each is made from a host at hand.
BAD: dict[str, Callable[[Host], str]] = {
    "empty": lambda host: "",
    "a slash": lambda host: "/",
    "less 1": lambda host: token_of(host)[:-1],
    "less 3": lambda host: token_of(host)[:-3],
    "half": lambda host: token_of(host)[: len(token_of(host)) // 2],
    "+ for -": lambda host: token_of(host)[:-2] + "+" + token_of(host)[-1],
    "/ for _": lambda host: token_of(host)[:-2] + "/" + token_of(host)[-1],
    "a stop inside": lambda host: token_of(host)[:9] + "." + token_of(host)[9:],
    "3D": lambda host: "3D" + token_of(host),
    "a soft break": lambda host: token_of(host)[:30] + "=%0D%0A" + token_of(host)[30:],
    "a bare =": lambda host: token_of(host)[:30] + "=" + token_of(host)[30:],
    "a session": lambda host: URLSafeTimedSerializer(KEY, salt="cookie-session").dumps({"_user_id": "1"}),
    "a password reset": lambda host: URLSafeTimedSerializer(KEY, salt="reset").dumps("jane@example.org"),
    "our salt, another signer": lambda host: URLSafeSerializer(KEY, salt="flask-optout.link.landing").dumps([1]),
    "a JWT": lambda host: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJqYW5lIn0.",
    "the other door": lambda host: current_state().tokens.mint(Door.ONE_CLICK, parse("jane@example.org"), "beta-42"),
    "version 0": lambda host: signed(b"\0" + claim(host)[1:]),
    "version 99": lambda host: signed(b"\x63" + claim(host)[1:]),
    "three people": lambda host: signed(b"\1\3" + claim(host)[2:]),
    "nobody": lambda host: signed(b"\1\0" + claim(host)[2:]),
    "a long name's length": lambda host: signed(claim(host)[:38] + b"\xff" + claim(host)[39:]),
    "a longer payload": lambda host: signed(claim(host) + b"x"),
    "a shorter payload": lambda host: signed(claim(host)[:-1]),
    "a name that is no UTF-8": lambda host: signed(claim(host)[:-7] + b"\xff" * 7),
    "a name with a line break": lambda host: signed(claim(host)[:-1] + b"\n"),
    "a list": lambda host: signed(json.dumps(["beta-42", "jane"] * 4).encode()),
    "null": lambda host: signed(b"null" * 12),
    "an int": lambda host: signed(b"1" * 45),
    "nested": lambda host: signed(b"[" * 90 + b"]" * 90),
    "parts of two": mixed,
    "other digests": lambda host: token_of(host, "bob@example.org")[:50] + token_of(host)[50:],
    "8 KB": lambda host: "a" * 8_000,
    "100 KB": lambda host: "a" * 100_000,
    "2 MB": lambda host: "a" * 2_000_000,
    "a bomb": lambda host: signed(zlib.compress(b"0" * 10_000_000)[:160]),
    "a marked bomb": lambda host: "." + base64.urlsafe_b64encode(zlib.compress(b"0" * 10_000_000)).decode(),
    "a script": lambda host: "%3Cscript%3Ealert(7)%3C/script%3E",
    "a template": lambda host: "%7B%7B7*7%7D%7D",
    "a header": lambda host: "x%0d%0aSet-Cookie:%20a=b",
    "upwards": lambda host: "../../etc/passwd",
    "upwards, encoded": lambda host: "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "upwards, encoded twice": lambda host: "%252e%252e%252fetc%252fpasswd",
    "the Kelvin sign": lambda host: "%E2%84%AA" + token_of(host)[1:],
    "full-width letters": lambda host: quote("".join(chr(ord(c) + 0xFEE0) for c in token_of(host))),
    "Arabic digits": lambda host: quote(token_of(host).translate({50: 0x662, 51: 0x663})) + "%D9%A2",
    "a null byte alone": lambda host: "%00",
    "emoji": lambda host: "%F0%9F%99%82",
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("row", BAD)
def test_a_bad_link_gets_the_one_page_for_bad_links(
    host: Host, client: FlaskClient, statements: list[str], row: str, method: str
) -> None:
    expected = client.get(DEAD)
    answer = client.open(f"/optout/{BAD[row](host)}", method=method, data={"choice": "mute"}, follow_redirects=True)
    assert_dead(answer, expected)
    assert statements == []


def assert_dead(answer: TestResponse, expected: TestResponse) -> None:
    assert (answer.status_code, answer.data) == (404, expected.data)
    assert "Set-Cookie" not in answer.headers
    assert dict(answer.headers) == dict(expected.headers)


def test_no_last_character_but_its_own_opens_a_link(host: Host, client: FlaskClient) -> None:
    token, expected = token_of(host), client.get(DEAD)
    for last in set(ALPHABET + "0189-_") - {token[-1]}:
        assert_dead(client.get(f"/optout/{token[:-1]}{last}"), expected)


GOOD = {"?": "%3F", "a query": "?utm_source=x&fbclid=y&token=evil&next=//evil.example"}


@pytest.mark.parametrize("row", GOOD)
def test_what_is_added_to_a_link_changes_nothing_of_its_page(host: Host, client: FlaskClient, row: str) -> None:
    answers = [client.get(path) for path in (host.path() + GOOD[row], host.path())]
    assert [answer.status_code for answer in answers] == [200, 200]
    changed, clean = (re.sub('name="nonce" value="[^"]+"', "", answer.text) for answer in answers)
    assert changed == clean


@pytest.mark.parametrize("years", [-1, 20])
def test_a_link_has_no_date(host: Host, client: FlaskClient, years: int) -> None:
    path = host.path()
    host.wait(years * 31_557_600)
    assert client.get(path).status_code == 200


MULTIPART = '--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
#: Beside those of pages/test_one_click.py.
ONE_CLICKS: dict[str, tuple[str, str, int]] = {
    "broken JSON": ('{"List-Unsubscribe"', "application/json", 400),
    "a bad boundary": (MULTIPART, "multipart/form-data; boundary=" + "x" * 500, 200),
    "no boundary": (MULTIPART, "multipart/form-data", 200),
    "UTF-7": ("+AEwAaQBzAHQ-", "application/x-www-form-urlencoded; charset=utf-7", 400),
    "5,000 parts": ("&".join(["a=b"] * 5_000), "application/x-www-form-urlencoded", 400),
    "2 MB": ("x" * 2_000_000, "application/x-www-form-urlencoded", 400),
    "wrong value": ("List-Unsubscribe=one click", "application/x-www-form-urlencoded", 400),
}


def one_click_path() -> str:
    return urlsplit(current_state().links.url(Door.ONE_CLICK, parse("jane@example.org"), "beta-42")).path


@pytest.mark.parametrize("row", ONE_CLICKS)
def test_the_one_click_door_takes_its_marker_and_nothing_else(host: Host, client: FlaskClient, row: str) -> None:
    body, kind, status = ONE_CLICKS[row]
    answer = client.post(one_click_path(), data=body, content_type=kind)
    assert answer.status_code == status and answer.mimetype == "text/plain"
    assert "Set-Cookie" not in answer.headers and "Location" not in answer.headers
    assert host.optout.may_invite("jane@example.org", "beta-42") is (status == 400)


def test_one_click_after_an_undo_mutes_again(host: Host, client: FlaskClient) -> None:
    say(host, True, to="jane@example.org")
    say(host, False, to="jane@example.org")
    assert client.post(one_click_path(), data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert not host.optout.may_invite("jane@example.org", "beta-42")


def test_one_click_while_the_store_is_down(host: Host, client: FlaskClient) -> None:
    path = one_click_path()
    host.db.drop_all()
    answer = client.post(path, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 503 and "Retry-After" in answer.headers
    assert "You will get no more" not in answer.text


READS = {
    "a scanner": {"User-Agent": "Mozilla/5.0 (compatible; SafeLinks)"},
    "prefetch": {"Sec-Purpose": "prefetch"},
    "htmx": {"HX-Request": "true"},
    "a bad range": {"Range": "bytes=9-1"},
    "long cookies": {"Cookie": "a=" + "b" * 100_000},
    "X-Forwarded-Host": {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"},
    **{
        f"language {value[:20]}": {"Accept-Language": value}
        for value in ("ar,*;q=0", "x" * 10_000, ";;q=,", "de-AT", "")
    },
}


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("row", READS)
def test_reading_writes_nothing(
    host: Host, client: FlaskClient, statements: list[str], row: str, method: str, tmp_path: Path
) -> None:
    before = (tmp_path / "host.db").read_bytes()
    for path in (host.path(), one_click_path()):
        answer = client.open(path, method=method, headers=READS[row])
        assert answer.status_code == 200 and "evil" not in answer.text
    assert (tmp_path / "host.db").read_bytes() == before
    assert all(statement.split()[0] in ("SELECT", "PRAGMA") for statement in statements)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_no_other_method(host: Host, client: FlaskClient, method: str) -> None:
    assert client.open(host.path(), method=method).status_code == 405
    assert client.open(one_click_path(), method=method).status_code == 405


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        (True, {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 200),
        (False, {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 404),
        (False, {"Cookie": "session=of-an-operator"}, 404),
        (True, {"Cookie": "session=of-an-operator"}, 200),
    ],
    ids=["cross-site", "cross-site without a link", "a session alone", "a foreign session"],
)
def test_the_link_is_the_one_credential(
    host: Host, client: FlaskClient, token: bool, headers: dict[str, str], status: int
) -> None:
    path = one_click_path() if token else one_click_path()[:-20]
    answer = client.post(path, data={"List-Unsubscribe": "One-Click"}, headers=headers)
    assert answer.status_code == status
    assert host.optout.may_invite("jane@example.org", "beta-42") is (status != 200)
    assert host.optout.may_invite("bob@example.org", "beta-42")


def test_a_fragment_and_a_page_say_the_same(host: Host, client: FlaskClient) -> None:
    fragment = client.get(host.path(), headers={"HX-Request": "true"})
    page = client.get(host.path())
    assert "<html" not in fragment.text and "<html" in page.text and "Try the new camera." in fragment.text
    assert page.headers["Vary"] == fragment.headers["Vary"] == "HX-Request"


@pytest.mark.parametrize("name", ["evil.example", "invite.example.org:1", "127.0.0.1", "[::1]"])
def test_the_host_header_moves_no_link(host: Host, name: str) -> None:
    with host.app.test_request_context(headers={"Host": name, "X-Forwarded-Host": "evil.example"}):
        assert host.optout.link("jane@example.org", "beta-42").startswith("https://invite.example.org/optout/")


def test_a_stale_button_in_another_tab_shows_the_mute(host: Host) -> None:
    for _ in range(2):
        status, page = host.press(host.path(), "mute")
        assert status == 200 and "You will get no more invitations to" in page


def test_a_new_secret_key_between_page_and_press_does_no_harm(make: MakeHost) -> None:
    first = make()
    with first.app.app_context():
        path = first.path()
    second = make(SECRET_KEY="another key of 32 bytes or more.", SECRET_KEY_FALLBACKS=[KEY])
    with second.app.app_context():
        assert second.press(path, "mute")[0] == 200
        assert not second.optout.may_invite("jane@example.org", "beta-42")


FORMS: dict[str, dict[str, Any]] = {
    "no button": {"data": {}},
    "an unknown button": {"data": {"choice": "delete"}},
    "two buttons": {"data": {"choice": ["nothing", "mute"]}},
    "JSON": {"json": {"choice": "mute"}},
    "a NUL": {"data": {"choice": "mute\0"}},
    "a long form": {"data": "x" * 100_000, "content_type": "application/x-www-form-urlencoded"},
    "broken multipart": {"data": b"--b\r\n", "content_type": "multipart/form-data; boundary=b"},
    "no UTF-8": {"data": b"choice=%ff", "content_type": "application/x-www-form-urlencoded"},
    "a file": {"data": b"choice", "content_type": "application/octet-stream"},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_that_holds_no_command_changes_nothing(host: Host, client: FlaskClient, form: str) -> None:
    answer = client.post(host.path(), **FORMS[form])
    assert answer.status_code < 500
    assert host.optout.may_invite("jane@example.org", "beta-42")
