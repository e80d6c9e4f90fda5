"""What mail programs glue to either end of a link does not kill it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask.testing import FlaskClient

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
]
BEFORE = ["<", "%3C", "&lt;", "(", "[", '"', "\u200b", "\xa0", "“", "=3D", "*", "_", "%20", "「"]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One host for all links, as nothing here writes."""
    host = make_host(tmp_path_factory.mktemp("host"))
    with host.app.app_context():
        yield host
    dispose(host)


@pytest.mark.parametrize("glued", BEHIND, ids=ascii)
def test_what_stands_behind_a_link_is_dropped(host: Host, client: FlaskClient, glued: str) -> None:
    assert client.get(host.path() + glued).status_code == 200


@pytest.mark.parametrize("glued", BEFORE, ids=ascii)
def test_what_stands_before_a_token_is_dropped(host: Host, client: FlaskClient, glued: str) -> None:
    prefix, _, token = host.path().rpartition("/")
    assert client.get(f"{prefix}/{glued}{token}").status_code == 200


@pytest.mark.parametrize("change", [str.upper, str.title, str.swapcase])
def test_case_does_not_matter_in_a_token(host: Host, client: FlaskClient, change: Callable[[str], str]) -> None:
    prefix, _, token = host.path().rpartition("/")
    assert client.get(f"{prefix}/{change(token)}").status_code == 200


@pytest.mark.parametrize("glued", ["a", "2", "aa", "z7", "a.", "%61"])
def test_what_could_belong_to_a_token_is_not_dropped(host: Host, client: FlaskClient, glued: str) -> None:
    assert client.get(host.path() + glued).status_code == 404
    prefix, _, token = host.path().rpartition("/")
    assert client.get(f"{prefix}/{token[:-1]}").status_code == 404
