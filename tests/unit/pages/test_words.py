"""What pages and mails say, in the language of the recipient, of the browser, of the app, or else in English."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from flask import g, request
from flask_babel import Babel, force_locale
from jinja2 import DictLoader
from markupsafe import Markup

from flask_optout import InvitationError, Opportunity
from flask_optout.addresses import parse
from flask_optout.mailers import flask_mailman as mailman
from flask_optout.mailers import stdlib
from flask_optout.mailers.own_mails import compose_link_letter
from flask_optout.pages.toggle import optout_toggle
from flask_optout.pages.words import render, translate
from flask_optout.presses.evidence import Command
from tests.conftest import MakeHost
from tests.support.hosts import BASE_URL, Host
from tests.support.story import WORDS
from tests.support.walk import Form


@pytest.fixture
def speaker(host: Host) -> Host:
    """A host with Flask-Babel, whose own language is French."""
    Babel(host.app, default_locale="fr")
    return host


def mailed(host: Host, **fields: Any) -> Any:
    """The invitation as it left."""
    with host.mail.record_messages() as outbox:
        host.mail.send(host.invitation(**fields))
    [sent] = outbox
    return sent


def opened(host: Host, path: str, accept: str = "", **headers: str) -> tuple[str, str, str]:
    """What the page behind a path says of its language, and the label of the first button that people see."""
    page = host.app.test_client().get(path, headers={"Accept-Language": accept, **headers} if accept else headers)
    found = re.search(r'<html lang="(.+?)" dir="(.+?)">', page.text)
    assert found is not None
    labels = [label for label, button in Form(page.text).buttons.items() if button["value"] != Command.DECOY]
    return found[1], found[2], next(iter(labels), "")


@pytest.mark.parametrize("language", WORDS)
def test_a_link_says_which_language_its_page_speaks(speaker: Host, language: str) -> None:
    path = speaker.optout.link("jane@example.org", "beta-42", language).removeprefix(BASE_URL)
    assert path.startswith(f"/optout/{language}/")
    direction = "rtl" if language == "ar" else "ltr"
    for accept in ("", "de", "ja, en;q=0.5"):
        assert opened(speaker, path, accept) == (language, direction, WORDS[language])


@pytest.mark.parametrize(
    ("accept", "tag", "language"),
    [
        ("de", "de", "de"),
        ("de-AT,de;q=0.9", "de-AT", "de"),
        ("pt-BR", "pt-BR", "pt"),
        ("AR-eg", "ar-EG", "ar"),
        ("nl, ja;q=0.8, de;q=0.5", "ja", "ja"),
        ("de;q=0.1, es;q=0.9", "es", "es"),
        ("de;q=0, es;q=0.1", "es", "es"),
        ("de;q=0", "fr", "fr"),
        ("en-XX, es", "es", "es"),
        ("nl", "fr", "fr"),
        ("*", "fr", "fr"),
        ("", "fr", "fr"),
        ("../../etc, x" * 1_000, "fr", "fr"),
    ],
)
def test_without_it_the_browser_chooses_and_then_the_app(speaker: Host, accept: str, tag: str, language: str) -> None:
    assert opened(speaker, speaker.path(), accept) == (tag, "rtl" if language == "ar" else "ltr", WORDS[language])


def test_caches_learn_whether_the_browser_had_a_say(speaker: Host) -> None:
    client = speaker.app.test_client()
    german = speaker.optout.link("jane@example.org", "beta-42", "de").removeprefix(BASE_URL)
    assert client.get(speaker.path()).vary.as_set() == {"hx-request", "accept-language"}
    assert client.get(german).vary.as_set() == {"hx-request"}


def test_the_choice_of_the_app_is_its_selector(host: Host) -> None:
    Babel(host.app, locale_selector=lambda: "es")
    assert opened(host, host.path())[0] == "es"
    assert opened(host, host.path(), "de")[0] == "de"


@pytest.mark.parametrize(
    "selector",
    [
        lambda: request.view_args["lang"],  # type: ignore[index]
        lambda: g.user.locale,
        lambda: 1 / 0,
        lambda: "xx",
        lambda: "de-DE",
        lambda: "",
        lambda: 5,
    ],
    ids=["the URL's", "the user's", "broken", "unknown", "with a hyphen", "empty", "a number"],
)
def test_where_the_selector_of_the_app_fails_english_is_spoken(
    host: Host, selector: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    host.app.config["OPTOUT_FIND_LINK"] = True
    host.app.add_url_rule("/account", view_func=lambda: str(optout_toggle("jane@example.org", "beta-42")))
    Babel(host.app, default_locale="fr", locale_selector=selector)
    client = host.app.test_client()
    assert opened(host, host.path()) == ("en", "ltr", WORDS["en"])
    for path, status in {"/optout/": 200, "/optout/nothing": 404}.items():
        answer = client.get(path)
        assert answer.status_code == status and 'lang="en"' in answer.text
    assert "Not Interested?" in client.get("/account").text
    assert client.post(host.path(), data=host.form("mute"), follow_redirects=True).status_code == 200
    assert opened(host, host.path(), "de")[0] == "de"
    with host.app.test_request_context("/"):
        assert WORDS["en"] in mailed(host, to="bob@example.org").body
        assert WORDS["ja"] in mailed(host, to="bob@example.org", language="ja").body
    assert "optout.locale_failed" in caplog.text and "jane" not in caplog.text


@pytest.mark.parametrize("selector", [lambda: g.lang, lambda: g.get("lang")], ids=["set by the view", "or missing"])
def test_the_hosts_own_landing_page_speaks_as_the_host_has_it(host: Host, selector: Callable[[], Any]) -> None:
    Babel(host.app, default_locale="fr", locale_selector=selector)

    @host.optout.landing_page
    def landing(id: str) -> str:
        g.lang = "ja"
        return translate("Not Interested?")

    assert host.app.test_client().get(host.path()).text == WORDS["ja"]


def test_a_mail_that_no_request_sends_is_in_the_default_language_of_an_app_whose_selector_reads_one(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    Babel(host.app, default_locale="de", locale_selector=lambda: request.accept_languages.best_match(["en"]))
    assert WORDS["de"] in mailed(host).body and caplog.text == ""


def test_a_language_without_words_is_no_language_of_a_page(host: Host) -> None:
    Babel(host.app, default_locale="nl")
    assert opened(host, host.path()) == ("en", "ltr", WORDS["en"])
    assert host.optout.link("jane@example.org", "beta-42", "nl") == host.optout.link("jane@example.org", "beta-42")
    assert opened(host, host.path().replace("/optout/", "/optout/nl/")) == ("en", "ltr", WORDS["en"])


def test_without_flask_babel_everything_is_english(host: Host) -> None:
    assert host.optout.link("jane@example.org", "beta-42", "de") == host.optout.link("jane@example.org", "beta-42")
    german = host.path().replace("/optout/", "/optout/de/")
    assert opened(host, german, "de") == ("en", "ltr", WORDS["en"])
    sent = mailed(host, language="de")
    assert WORDS["en"] in sent.body and sent.extra_headers["Content-Language"] == "de"


@pytest.mark.parametrize("spelling", [str.lower, str.upper, str.title], ids=["lower", "upper", "title"])
def test_a_link_with_a_language_survives_what_mail_does_to_it(speaker: Host, spelling: Callable[[str], str]) -> None:
    path = speaker.optout.link("jane@example.org", "beta-42", "pt_BR").removeprefix(f"{BASE_URL}/optout/")
    assert opened(speaker, f"/optout/{spelling(path)}).") == ("pt-BR", "ltr", WORDS["pt"])


@pytest.mark.parametrize(
    "before", ["de/de/", "german/", "d/", "de-/", "de//", "/de/", "%64%65%2F/", "12/", "ask/de/"]
)
def test_nothing_but_one_language_may_stand_before_a_token(speaker: Host, before: str) -> None:
    client = speaker.app.test_client()
    dead = client.get("/optout/x")
    answer = client.get(speaker.path().replace("/optout/", f"/optout/{before}"))
    assert (answer.status_code, answer.data, dict(answer.headers)) == (404, dead.data, dict(dead.headers))


def test_a_dead_link_says_the_same_whatever_language_stands_in_it(speaker: Host) -> None:
    client = speaker.app.test_client()
    pages = {client.get(f"/optout/{path}", headers={"Accept-Language": "es"}).data for path in ("x", "de/x", "ar/x")}
    assert len(pages) == 1 and b'lang="es"' in pages.pop()


def test_the_story_in_arabic(speaker: Host) -> None:
    sent = mailed(speaker, language="ar")
    link = sent.body.splitlines()[-1]
    assert link.startswith(f"{BASE_URL}/optout/ar/") and WORDS["ar"] in sent.body
    assert 'lang="ar" dir="rtl"' in sent.html and f'href="{link}"' in sent.html
    assert "/one-click/ar/" in sent.extra_headers["List-Unsubscribe"]
    client, path = speaker.app.test_client(), link.removeprefix(BASE_URL)
    german = {"Accept-Language": "de"}
    one_click = sent.extra_headers["List-Unsubscribe"].strip("<>").removeprefix(BASE_URL)
    for read in (path, one_click):
        assert opened(speaker, read, "de") == ("ar", "rtl", WORDS["ar"])
    speaker.wait(1)
    form = speaker.form("mute")
    fragment = client.post(path, data={**form, "scripts": "trusted"}, headers={"HX-Request": "true", **german})
    assert "لن تصلك أي دعوات أخرى" in fragment.text and 'hx-post="/optout/ar/' in fragment.text
    back = client.post(path, data={**speaker.form("undo", age=60)}, headers=german)
    assert back.status_code == 303 and back.location.startswith("/optout/ar/")
    page = client.get(back.location, headers=german).text
    assert 'lang="ar" dir="rtl"' in page and Form(page).action.startswith("/optout/ar/") and WORDS["ar"] in page


def test_a_dead_store_says_so_in_the_language_of_the_link(speaker: Host) -> None:
    path = speaker.optout.link("jane@example.org", "beta-42", "ja").removeprefix(BASE_URL)
    speaker.db.drop_all()
    answer = speaker.app.test_client().get(path)
    assert answer.status_code == 503 and 'lang="ja"' in answer.text


def by_flask_mail(host: Host, language: str | None) -> tuple[str, object]:
    sent = mailed(host, language=language)
    return sent.body, sent.extra_headers.get("Content-Language")


def by_flask_mailman(host: Host, language: str | None) -> tuple[str, object]:
    host.app.config["MAIL_BACKEND"] = "locmem"
    mailman.Mail(host.app)
    mailman.Invitation("Join us", "Come.", to=["jane@example.org"], opportunity="beta-42", language=language).send()
    [sent] = host.app.extensions["mailman"].outbox
    return sent.body, sent.extra_headers.get("Content-Language")


def by_stdlib(host: Host, language: str | None) -> tuple[str, object]:
    invitation = stdlib.Invitation(opportunity="beta-42", language=language)
    invitation["From"], invitation["To"], invitation["Subject"] = "team@example.org", "jane@example.org", "Join us"
    invitation.set_content("Come.")
    left: list[EmailMessage] = []
    host.optout.send_invitations([invitation], left.append)
    [ready] = left
    return ready.get_content(), ready["Content-Language"]


@pytest.mark.parametrize(
    "options",
    [
        {"trim_blocks": True},
        {"lstrip_blocks": True},
        {"autoescape": True},
        {"variable_start_string": "[[", "variable_end_string": "]]"},
        {"block_start_string": "<%", "block_end_string": "%>", "comment_start_string": "<!--#"},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_a_host_wants_of_its_own_templates_damages_no_mail(host: Host, options: dict[str, Any]) -> None:
    titled = Opportunity("Müller's R&D <Lab>")
    host.optout.opportunity_loader(lambda id: titled)
    links = [(titled, "https://example.org/1"), (Opportunity(""), "https://example.org/2")]

    def texts() -> list[str]:
        letters = [
            compose_link_letter(
                parse("jane@example.org"), "beta-42", *links[:many], sender="R&D <team@example.org>", about=about
            )
            for many in (1, 2)
            for about in ("link", "notice")
        ]
        prefaces = [render("mail/preface.txt"), mailed(host).body]
        return [*prefaces, *(text for letter in letters for text in (letter.subject, letter.text))]

    expected = texts()
    assert f"R&D <Lab>:\n{BASE_URL}/optout/" in expected[1]
    host.app.jinja_env.bytecode_cache = None
    host.app.jinja_env.cache.clear()  # type: ignore[union-attr]
    host.app.jinja_loader = DictLoader({})  # and not this checkout's own folder
    vars(host.app.jinja_env).update(options)
    assert texts() == expected


@pytest.mark.parametrize("send", [by_flask_mail, by_flask_mailman, by_stdlib])
@pytest.mark.parametrize("language", ["de", "pt-BR", None])
def test_every_mailer_takes_the_language(
    speaker: Host, send: Callable[[Host, str | None], tuple[str, object]], language: str | None
) -> None:
    text, header = send(speaker, language)
    assert WORDS[(language or "fr")[:2]] in text
    assert text.splitlines()[-1].startswith(f"{BASE_URL}/optout/{language.lower()}/" if language else BASE_URL)
    assert header == (language and language.lower())


def test_without_a_language_a_footer_speaks_as_the_host_does_just_then(speaker: Host) -> None:
    with force_locale("es"):
        assert WORDS["es"] in mailed(speaker).body


@pytest.mark.parametrize("language", ["german", "d", "de/fr", "../x", "de\n", "e n"])
def test_what_is_no_language_is_refused(speaker: Host, language: str) -> None:
    with pytest.raises(InvitationError, match="language tag"):
        speaker.mail.send(speaker.invitation(language=language))


def test_the_hosts_words_win_over_ours_and_add_languages(make: MakeHost, tmp_path: Path) -> None:
    for language, words in {"de": "Nein danke", "it": "Non ti interessa?"}.items():
        catalog = Catalog(locale=language)
        catalog.add("Not Interested?", words)
        folder = tmp_path / "translations" / language / "LC_MESSAGES"
        folder.mkdir(parents=True)
        with (folder / "optout.mo").open("wb") as file:
            write_mo(file, catalog)
    host = make(TESTING=True)
    Babel(host.app, default_translation_directories=str(tmp_path / "translations"))
    with host.app.app_context():
        assert opened(host, host.path(), "de") == ("de", "ltr", "Nein danke")
        assert opened(host, host.path(), "it-CH") == ("it-CH", "ltr", "Non ti interessa?")
        assert "Weiterhin einladen" in host.app.test_client().get(host.path(), headers={"Accept-Language": "de"}).text
        html = mailed(host, language="it").html
    assert "Non ti interessa?" in html and "/optout/it/" in html


@pytest.mark.parametrize(
    ("placed", "language", "arrives"),
    [("de", None, "de/"), ("de", "ar", "ar/"), (None, "ar", "ar/"), (None, None, ""), ("pt-BR", None, "pt-br/")],
)
def test_a_link_that_the_host_placed_keeps_its_language_and_gets_this_candidates_token(
    speaker: Host, placed: str | None, language: str | None, arrives: str
) -> None:
    copied = speaker.optout.link("another@example.org", "beta-42", placed)
    own = speaker.path().rpartition("/")[2]
    body = mailed(speaker, body=f"No? {copied}. Bye", language=language).body
    assert body == f"No? {BASE_URL}/optout/{arrives}{own}. Bye"


@pytest.mark.parametrize(
    ("values", "filled"),
    [
        ({"title": "<b>"}, "You will get no more invitations to <b>."),  # which the template escapes
        ({"title": Markup("<b>1</b>")}, "You will get no more invitations to <b>1</b>."),
    ],
)
def test_placeholders_are_filled(host: Host, values: dict[str, str], filled: str) -> None:
    made = translate("You will get no more invitations to %(title)s.", **values)
    assert made == filled and isinstance(made, Markup) is isinstance(values["title"], Markup)


def test_a_title_is_no_html_and_neither_is_a_message(host: Host) -> None:
    assert translate("<i> %(a)s %(b)s", a=Markup("<b>"), b="<u>") == Markup("&lt;i&gt; <b> &lt;u&gt;")


def test_what_the_host_gives_all_templates_is_not_taken_for_ours(host: Host) -> None:
    host.app.config["OPTOUT_FIND_LINK"] = True
    client, nonce = host.app.test_client(), re.compile('name="nonce" value="[^"]+"')
    paths = (host.path(), "/optout/")
    before = [nonce.sub("", client.get(path).text) for path in paths]
    names = ("page", "part", "toggle", "opportunity", "typed", "error", "button", "sender", "language")
    host.app.template_context_processors[None].append(lambda: dict.fromkeys(names, "theirs"))
    assert [nonce.sub("", client.get(path).text) for path in paths] == before
