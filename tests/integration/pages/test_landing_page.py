"""The host's own landing page at the candidate's link: which page is shown to whom, and under which headers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import pytest
from flask import Blueprint, Response, abort, redirect, render_template_string
from flask.testing import FlaskClient

from flask_optout.pages.toggle import optout_toggle
from tests.support.host_pages import dress
from tests.support.hosts import Host, say


@pytest.fixture
def jobs(host: Host) -> Host:
    return dress(host)


def test_the_hosts_public_page_has_no_toggle(jobs: Host, client: FlaskClient) -> None:
    assert "optout-toggle" in client.get(jobs.path()).text
    page = client.get("/opportunities/beta-42").text
    assert "Try the Pixel Beta" in page and "optout-toggle" not in page


def test_its_headers_are_ours(jobs: Host, client: FlaskClient) -> None:
    policy = "default-src *"
    jobs.optout.landing_page(
        lambda id: Response("Theirs", headers={"Content-Security-Policy": policy, "Cache-Control": "public"})
    )
    answer = client.get(jobs.path())
    assert answer.text == "Theirs" and answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("opportunity", ["study-7", "*"])
def test_without_a_page_of_the_hosts_ours_is_shown(jobs: Host, client: FlaskClient, opportunity: str) -> None:
    page = client.get(jobs.path(opportunity=opportunity))
    assert page.status_code == 200 and 'class="optout-button"' in page.text


def breaks_off() -> Iterator[str]:
    yield "<h1>Try the"
    raise RuntimeError


@pytest.mark.parametrize(
    "view",
    [
        lambda id: 1 / 0,
        lambda id: breaks_off(),
        lambda id: Response(breaks_off()),
        lambda id: abort(404),
        lambda id: redirect("/login"),
        lambda id: ("Gone", 410),
        lambda id: 17,
        lambda: "no argument",
    ],
    ids=[
        "raises",
        "streams and raises",
        "a stream that raises",
        "not found",
        "redirects",
        "gone",
        "no response",
        "takes no id",
    ],
)
def test_a_view_that_fails_breaks_no_link(jobs: Host, client: FlaskClient, view: Callable[..., Any]) -> None:
    jobs.optout.landing_page(view)
    answer = client.get(jobs.path())
    assert answer.status_code == 200 and "Pixel Beta" in answer.text and 'value="mute"' in answer.text


def test_the_view_of_a_blueprint_has_what_its_templates_have_at_its_own_url(host: Host, client: FlaskClient) -> None:
    def needs_login(view: Callable[..., Any]) -> Callable[..., Any]:
        return wraps(view)(lambda **arguments: abort(401))

    jobs = Blueprint("jobs", __name__)
    jobs.context_processor(lambda: {"brand": "Jobs at Example"})
    jobs.add_url_rule("/apply", "apply")

    @jobs.get("/<id>")
    @needs_login
    @host.optout.landing_page
    def job(id: str) -> str:
        return render_template_string(
            "{{ brand }}: <a href='{{ url_for('.apply') }}'>Apply</a> "
            "<a href='{{ url_for(request.endpoint, lang='de', **request.view_args) }}'>Deutsch</a> "
            "{{ optout_toggle() }}"
        )

    host.app.register_blueprint(jobs, url_prefix="/jobs")
    answer = client.get(host.path())
    assert answer.text.startswith("Jobs at Example: <a href='/jobs/apply'>") and 'value="mute"' in answer.text
    assert "<a href='/jobs/beta-42?lang=de'>" in answer.text
    assert answer.headers["Cache-Control"] == "no-store" and client.get("/jobs/beta-42").status_code == 401


def test_an_async_view_is_awaited(jobs: Host, client: FlaskClient) -> None:
    async def view(id: str) -> str:
        return f"Page of {id}"

    jobs.optout.landing_page(view)
    assert client.get(jobs.path()).text == "Page of beta-42"


def test_a_streamed_page_knows_whose_link_it_is(jobs: Host, client: FlaskClient) -> None:
    def view(id: str) -> Iterator[str]:
        yield "<h1>Page of"
        yield f" {id}</h1>{optout_toggle()}"

    jobs.optout.landing_page(view)
    page = client.get(jobs.path()).text
    assert page.startswith("<h1>Page of beta-42</h1>") and 'value="mute"' in page


def test_whoever_has_been_muted_sees_no_invitation(jobs: Host, client: FlaskClient) -> None:
    say(jobs, True, to="jane@example.org")
    for path in (jobs.path(), jobs.path("jane+2@example.org")):
        page = client.get(path).text
        assert "Jobs at Example" in page and "Apply now" not in page
        assert "hx-post" not in page  # a press leads to a page of its own, which may be the host's
