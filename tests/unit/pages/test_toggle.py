"""The toggle: one line in a page of the host's, which shows what stands and comes back to where it stood."""

from __future__ import annotations

import logging
import re

import pytest
from flask import render_template_string
from flask.testing import FlaskClient

from flask_optout.errors import AddressError, OpportunityError
from flask_optout.pages.candidate import make_context
from flask_optout.pages.words import render
from flask_optout.presses.evidence import Command, Nonce, Page
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.host_pages import dress
from tests.support.hosts import VISIT, Host, say

NO_MORE = "You will get no more invitations to Pixel Beta."


@pytest.fixture
def jobs(host: Host) -> Host:
    return dress(host)


def test_elsewhere_the_toggle_of_whoever_opened_the_link_is_empty(jobs: Host) -> None:
    with jobs.app.test_request_context("/opportunities/beta-42"):
        assert render_template_string("{{ optout_toggle() }}") == ""


@pytest.mark.parametrize(
    ("about", "said", "button"),
    [("beta-42", NO_MORE, "undo"), ("*", "You will get no more invitations from us.", "undo-all")],
)
def test_it_shows_what_stands(jobs: Host, client: FlaskClient, about: str, said: str, button: str) -> None:
    say(jobs, True, to="jane@example.org", everything=about == "*")
    page = client.get("/account").text
    assert said in re.sub("</?cite[^>]*>", "", page)
    assert f'value="{button}"' in page and 'value="mute"' not in page


def test_a_mute_of_the_address_without_its_tag_has_no_undo(jobs: Host) -> None:
    say(jobs, True, to="jane@example.org")
    with jobs.app.test_request_context():
        line = render_template_string("{{ optout_toggle('jane+2@example.org', 'beta-42') }}")
    assert "has a part after “+”" in line and 'value="undo"' not in line and 'value="mute"' not in line


@pytest.mark.parametrize(("muted", "asks"), [(False, False), (True, False), (False, True)])
def test_only_the_title_is_in_its_language(jobs: Host, muted: bool, asks: bool) -> None:
    jobs.optout.opportunity_loader(lambda id: {"title": "Schlafstudie", "language": "de"})
    say(jobs, muted, to="jane@example.org")
    page, said = (Page.REPEAT, Command.MUTE) if asks else (Page.OPENED, None)
    nonce = Nonce(page, current_state().clock(), VISIT, said)
    with jobs.app.test_request_context():
        line = render("toggle.html", page=make_context(jobs.claim(), nonce, toggle=True))
    assert re.findall(r'<(\w+)[^>]* lang="de"[^>]*>([^<]*)', line) == [("cite" if muted else "span", "Schlafstudie")]
    [name] = re.findall(r'role="group"[^>]* aria-labelledby="([^"]+)"', line)
    assert line.count(f'id="{name}"') == 1 and ("once more" in line) is asks


def test_for_all_invitations_it_is_named_after_who_sends_them(jobs: Host) -> None:
    jobs.optout.opportunity_loader(lambda id: {"title": "Pixel Beta"})
    with jobs.app.test_request_context():
        line = render_template_string("{{ optout_toggle('jane@example.org', '*') }}")
    assert ">All invitations from The team</span>" in line and "Pixel Beta" not in line


def test_without_a_store_the_hosts_page_stands(
    jobs: Host, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    jobs.db.drop_all()
    with caplog.at_level(logging.ERROR):
        answer = client.get("/account")
    assert answer.status_code == 200 and "My invitations" in answer.text and "Nothing changed." in answer.text
    assert "init-db" in caplog.text and "jane" not in caplog.text


@pytest.mark.parametrize(
    ("arguments", "error"), [("'jane', 'beta-42'", AddressError), ("'jane@example.org'", OpportunityError)]
)
def test_what_it_cannot_be_for_is_an_error(jobs: Host, arguments: str, error: type[Exception]) -> None:
    with jobs.app.test_request_context(), pytest.raises(error):
        render_template_string(f"{{{{ optout_toggle({arguments}) }}}}")


def test_on_the_answer_to_a_form_of_the_hosts_it_stays_a_line_or_leads_to_its_link(
    jobs: Host, client: FlaskClient
) -> None:
    jobs.app.add_url_rule("/apply", "apply", jobs.app.view_functions["account"], methods=["POST"])
    nonce = re.findall(r'name="nonce" value="([^"]+)"', client.post("/apply").text)[-1]
    jobs.wait(5)
    form = {"nonce": nonce, "choice": "mute", "scripts": "trusted"}
    part = client.post(jobs.path(), data=form, headers={"HX-Request": "true"}).text
    assert 'class="optout-words"' in part and "<h1" not in part
    assert client.post(jobs.path(), data=form).headers["Location"].startswith(f"{jobs.path()}?optout=")


@pytest.mark.parametrize("back", ["//evil.example/", "https://evil.example/", "\\\\evil.example"])
def test_a_form_leads_only_where_the_page_stood(jobs: Host, client: FlaskClient, back: str) -> None:
    form = jobs.form("mute") | {"back": back, "optout": back, "next": back}
    assert client.post(jobs.path(), data=form).headers["Location"].startswith("/optout/")


@pytest.mark.parametrize("root", ["", "/jobs"])
def test_it_comes_back_below_the_base_urls_path(make: MakeHost, root: str) -> None:
    host = dress(make(OPTOUT_BASE_URL=f"https://example.org{root}"))
    client = host.app.test_client()
    page = client.get("/account?a=1&a=%26&optout=old", environ_overrides={"SCRIPT_NAME": root}).text
    nonces = re.findall(r'name="nonce" value="([^"]+)"', page)
    with host.app.app_context():
        host.wait(5)
        form = {**host.form("mute"), "nonce": nonces[-1]}
        answer = client.post(host.path().removeprefix(root), data=form)
    assert answer.status_code == 303
    assert re.fullmatch(rf"{root}/account\?a=1&a=%26&optout=[\w.-]+#optout-\w+", answer.headers["Location"])
