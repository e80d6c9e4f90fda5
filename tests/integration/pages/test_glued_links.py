"""What mail programs glue to either end of a link does not kill it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from flask_optout.addresses import parse
from flask_optout.links.tokens import Door
from flask_optout.wiring import current_state
from tests.support.hosts import Host, dispose, make_host

BEHIND = [
    *(".", ",", ";", ":", "!", ")", "]", ">", "'", '"', "*", "_", "/", "}", "~", "|", "\\", "`", "=", "-", "+", "&"),
    *("...", ").", '">', "**", "__", "/)", ">.", "]]"),
    *(
        "。",
        "、",
        "，",
        "！",
        "）",
        "」",
        "』",
        "】",
        "》",
        "؟",
        "،",
        "।",
        "։",
        "·",
        "…",
        "”",
        "’",
        "“",
        "»",
        "›",
        "«",
    ),
    *("\xa0", "\u200b", "\u200c", "\u200d", "\u200e", "\u2028", "\u202f", "\u2060", "\ufeff", "\xad", "\u3000"),
    *("&gt;", "&gt", "&quot;", "&#39;", "&nbsp;", "&lt;/a&gt;", "</a>", "<br>", "=3D", "=20", "=", "%20", "%3E"),
    *("%22", "%0A", "%0D%0A", "%C2%A0", "%E2%80%8B", "%E3%80%82", "%253E", "%25253E", "%2E"),
    *("a", "2", "aa", "z7", "a.", "%61", "Unsubscribe"),
]
BEFORE = ["<", "%3C", "&lt;", "(", "[", '"', "\u200b", "\xa0", "“", "=3D", "*", "_", "%20", "「"]
BEFORE += ["/", "//", "%2F", "%0D%0A", "=%0D%0A"]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One host for all links, as nothing here writes."""
    host = make_host(tmp_path_factory.mktemp("host"))
    with host.app.app_context():
        yield host
    dispose(host)


def path_of(door: Door) -> str:
    return urlsplit(current_state().links.url(door, parse("jane@example.org"), "beta-42")).path


@pytest.mark.parametrize("door", Door)
@pytest.mark.parametrize("glued", BEHIND, ids=ascii)
def test_what_stands_behind_a_link_is_dropped(host: Host, client: FlaskClient, glued: str, door: Door) -> None:
    assert client.get(path_of(door) + glued).status_code == 200


@pytest.mark.parametrize("door", Door)
@pytest.mark.parametrize("glued", BEFORE, ids=ascii)
def test_what_stands_before_a_token_is_dropped(host: Host, client: FlaskClient, glued: str, door: Door) -> None:
    prefix, _, token = path_of(door).rpartition("/")
    assert client.get(f"{prefix}/{glued}{token}").status_code == 200


@pytest.mark.parametrize("door", Door)
def test_a_link_in_capitals_leads_to_itself(host: Host, client: FlaskClient, door: Door) -> None:
    """As a QR code has it that is printed, where host, path and token are of one case."""
    answer = client.get(path_of(door).upper() + ".")
    assert (answer.status_code, answer.location) == (302, path_of(door) + ".")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("change", [str.upper, str.title, str.swapcase])
def test_case_does_not_matter_in_a_token(host: Host, client: FlaskClient, change: Callable[[str], str]) -> None:
    prefix, _, token = host.path().rpartition("/")
    assert client.get(f"{prefix}/{change(token)}").status_code == 200


@pytest.mark.parametrize("rest", ["", "."])
def test_a_token_without_its_last_character_is_none(host: Host, client: FlaskClient, rest: str) -> None:
    assert client.get(host.path()[:-1] + rest).status_code == 404
