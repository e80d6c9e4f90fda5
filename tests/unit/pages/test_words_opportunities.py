"""What a host's loader says of an opportunity; whatever it does, links work and pages stand."""

from __future__ import annotations

from collections import UserString
from dataclasses import replace
from typing import Any

import pytest
from flask import abort
from flask.testing import FlaskClient

from flask_optout import Opportunity
from flask_optout.pages.words import describe_opportunity
from flask_optout.wiring import current_state
from tests.support.hosts import Host
from tests.support.stage import DRAFT


async def coroutine(id: str) -> dict[str, str]:
    return {"title": id}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"title": " Pixel\n Beta "}, Opportunity("Pixel Beta")),
        ({"title": 42, "summary": None}, Opportunity("42")),
        ({"title": "Beta \ud83d", "summary": "\udc80"}, Opportunity("Beta ?", "?")),
        ({"title": "B", "link": "//x.org/", "picture": "/b.svg"}, Opportunity("B", "", "//x.org/", "/b.svg")),
        ({"title": "B", "link": "mailto:a@x.org", "picture": "data:image/png,x"}, Opportunity("B")),
        (Opportunity("B", "Sum", "https://x.org/"), Opportunity("B", "Sum", "https://x.org/")),
        ({"title": "B", "language": "pt_BR"}, Opportunity("B", language="pt-br")),
        ({"title": "B", "language": '"><script>'}, Opportunity("B")),
        (None, Opportunity("")),
        ({}, Opportunity("")),
        ("Pixel Beta", Opportunity("")),
    ],
    ids=ascii,
)
def test_what_is_said(host: Host, found: object, said: Opportunity) -> None:
    assert describe_opportunity(lambda id: found, "beta-42") == said


def test_without_a_loader_nothing_is_said(host: Host) -> None:
    assert describe_opportunity(None, "beta-42") == Opportunity("")


@pytest.mark.parametrize(
    "found",
    [
        {"title": "Beta", "summary": "Sum", "link": "/beta", "picture": "/beta.svg"},
        Opportunity("Beta", "Sum", "/beta", "/beta.svg"),
        type("Row", (), {"title": "Beta", "summary": "Sum", "link": "/beta", "picture": "/beta.svg"})(),
    ],
    ids=["mapping", "opportunity", "object"],
)
def test_it_tells_title_summary_link_and_picture(host: Host, client: FlaskClient, found: object) -> None:
    host.optout.opportunity_loader(lambda id: found)
    page = client.get(host.path()).text
    assert "Beta" in page and "Sum" in page and 'href="/beta"' in page and 'src="/beta.svg"' in page


def test_a_screen_reader_is_told_the_language_of_its_words(host: Host, client: FlaskClient) -> None:
    host.optout.opportunity_loader(lambda id: {"title": "Kamera", "summary": "Zwei Wochen.", "language": "de"})
    page = client.get(host.path()).text
    assert '<bdi lang="de">Kamera</bdi>' in page and 'dir="auto" lang="de">Zwei Wochen.' in page
    client.post(host.path(), data=host.form("mute"))
    assert '<cite dir="auto" lang="de">Kamera</cite>' in client.get(host.path()).text
    letter = current_state().composer.compose(replace(DRAFT, html="<p>Komm</p>"))
    assert '<span dir="auto" lang="de">Kamera</span>' in (letter.html or "")


@pytest.mark.parametrize(
    "load",
    [lambda id: None, lambda id: {}, lambda id: {"title": None}, lambda id: abort(404), lambda id: 1 / 0],
    ids=["none", "empty", "untitled", "not found", "broken"],
)
def test_a_deleted_opportunity_still_gets_a_working_page(
    host: Host, client: FlaskClient, load: Any, caplog: pytest.LogCaptureFixture
) -> None:
    host.optout.opportunity_loader(load)
    assert "Not Interested?" in client.get(host.path()).text
    client.post(host.path(), data=host.form("mute"))
    assert "You will get no more invitations to" in client.get(host.path()).text
    assert "jane" not in caplog.text


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        ("Pixel Beta", "str"),
        (b"Pixel Beta", "bytes"),
        (("Pixel Beta", "Sum"), "tuple"),
        (coroutine, "coroutine"),
        (UserString("Pixel Beta"), "UserString whose title is a method"),
        ({"title": "Pixel Beta", "link": print}, "dict whose link is a method"),
    ],
    ids=["string", "bytes", "tuple", "async", "method", "function"],
)
def test_one_that_breaks_its_contract_is_told_so_and_the_page_stands(
    host: Host, client: FlaskClient, answer: Any, named: str, caplog: pytest.LogCaptureFixture
) -> None:
    host.optout.opportunity_loader(lambda id: answer(id) if callable(answer) else answer)
    page = client.get(host.path())
    assert page.status_code == 200 and "Not Interested?" in page.text and "built-in" not in page.text
    assert f"The opportunity loader returned a {named}." in caplog.text
    assert "a plain function, not an async one, that returns an Opportunity" in caplog.text


@pytest.mark.parametrize("answer", [{}, {"titel": "Pixel Beta"}])
def test_a_mapping_without_a_title_is_told_so(
    host: Host, client: FlaskClient, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    host.optout.opportunity_loader(lambda id: answer)
    assert client.get(host.path()).status_code == 200 and "a mapping without a title" in caplog.text


def test_without_a_loader_the_page_works(host: Host, client: FlaskClient) -> None:
    current_state().hooks.load = None
    assert "Not Interested?" in client.get(host.path()).text


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "vbscript:x"])
def test_a_link_that_runs_something_is_left_out(host: Host, client: FlaskClient, link: str) -> None:
    host.optout.opportunity_loader(lambda id: {"title": "Beta", "link": link})
    page = client.get(host.path()).text
    assert "Beta" in page and link not in page
