"""Mails of our own: a letter of links, and which library it leaves by."""

from __future__ import annotations

import re

import pytest

from flask_optout import ConfigurationError, Opportunity
from flask_optout.addresses import parse
from flask_optout.mailers.own_mails import compose_link_letter, deliver, get_default_sender
from tests.support.hosts import Host

JANE = parse("Jane <jane@example.org>")


def test_without_either_library_it_says_what_to_do(host: Host) -> None:
    del host.app.extensions["mail"]
    letter = compose_link_letter(
        parse("jane@example.org"), "beta-42", (Opportunity(""), "https://x.example/"), sender="team@example.org"
    )
    with pytest.raises(ConfigurationError, match="Flask-Mailman"):
        deliver(letter)


def test_it_holds_each_link_and_is_no_invitation(host: Host) -> None:
    links = (Opportunity("Pixel Beta"), "https://x.example/one"), (Opportunity(""), "https://x.example/two")
    letter = compose_link_letter(JANE, "beta-42", *links, sender="team@example.org", reply_to="help@example.org")
    for part in (letter.text, letter.html):
        assert part is not None and all(url in part for _, url in links) and "Pixel Beta" in part
    assert "here they are" in (letter.text or "") and letter.subject.endswith(": your links")
    assert f'<a href="{links[1][1]}" style="color:inherit">Your invitation</a>' in (letter.html or "")
    assert letter.headers == {"Auto-Submitted": "auto-generated"} and letter.links == ()
    assert (letter.address.named, letter.reply_to) == (("Jane", "jane@example.org"), "help@example.org")


def test_its_html_names_the_invitation_and_hides_the_url(host: Host) -> None:
    about = Opportunity("Kamera", language="de")
    letter = compose_link_letter(JANE, "beta-42", (about, "https://x.example/one"), sender="team@example.org")
    words = re.sub(r"<[^>]+>", "", letter.html or "")
    assert "Your invitation: Kamera" in words and "https" not in words and 'lang="de"' in (letter.html or "")
    assert "https://x.example/one" in (letter.text or "")


def test_without_a_sender_it_says_what_to_set(host: Host) -> None:
    assert get_default_sender() == ("The team", "team@example.org")
    host.app.config["MAIL_DEFAULT_SENDER"] = None
    with pytest.raises(ConfigurationError, match="MAIL_DEFAULT_SENDER"):
        get_default_sender()
