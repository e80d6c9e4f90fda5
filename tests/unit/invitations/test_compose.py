"""An invitation: one recipient, one visible link in each part, headers that nobody can break."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import Any

import pytest
from markupsafe import Markup

from flask_optout import AddressError, InvitationError, OpportunityError
from flask_optout.addresses import Recipient, parse
from flask_optout.invitations.compose import OWN_HEADERS, Draft, Letter
from flask_optout.links.tokens import Door
from flask_optout.wiring import current_state
from tests.support.hosts import Host

DRAFT = Draft(
    recipients=["jane@x.org"],
    opportunity="beta-42",
    subject="Join us",
    text="Come.",
    html="<p>Come.</p>",
    sender="team@example.org",
)


def letter(**changes: Any) -> Letter:
    return current_state().composer.compose(replace(DRAFT, **changes))


@pytest.fixture(autouse=True)
def app(host: Host) -> Host:
    return host


def test_each_part_carries_the_link_once(host: Host) -> None:
    link = host.optout.link("jane@x.org", "beta-42")
    made = letter()
    assert made.text is not None and made.html is not None
    assert made.text.splitlines()[-1] == link
    assert made.text.count(link) == made.html.count(link) == 1


@pytest.mark.parametrize("part", ["text", "html"])
def test_a_part_that_is_not_there_is_not_made_up(part: str) -> None:
    assert getattr(letter(**{part: None}), part) is None


@pytest.mark.parametrize("closing", ["</body></html>", "</BODY>", "</body\n>"])
def test_the_html_footer_stands_inside_the_body(closing: str) -> None:
    before = "<html><body><p>\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}çeri gel.</p>"  # longer in lower case
    made = letter(html=before + closing)
    assert made.html is not None
    assert made.html.startswith(f"{before}\n<table") and made.html.endswith(f"</table>\n{closing}")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<p>Come.</p>", ""),
        ("<p>Come.</p>\n", ""),
        ("<html><p>Come.</p>", "</html>"),
        ("<html><body><p>Come.</p>", "</body></html>"),
        ("<p>Come.</p></body><p>More.</p>", "</body>\n"),
        ("<p>Come.</p><!-- </body> -->", ""),
        ("<p>Come.</p><!-- </html> -->", "</html>"),
        ("<!--><p>Come.</p>", "</body><!-- Bye -->"),
        ("<!-- Hi --!><p>Come.</p>", "</body><!-- Bye -->"),
        ("<p>Come.</p>", "</body><script>'</body>'</script></html>"),
        ('<p>Come.</p><script type="application/ld+json">{"a": "</body>"}</script>', ""),
        ("<style>a:after{content:'</body>'}</style><p>Come.</p>", ""),
        ("<title>The </body> tag</title><textarea></body></textarea><p>Come.</p>", "</html>"),
        ("<![CDATA[</body>]]><p>Come.</p>", ""),
        ("<p>Come.</p></body-guard>", ""),
        ("<p>Come.</p>", "</body class='a'></html>"),
    ],
)
def test_without_a_body_it_stands_before_the_end(before: str, after: str) -> None:
    made = letter(html=before + after)
    assert made.html is not None
    found, _, rest = made.html.partition("<table")
    footer, _, end = rest.rpartition("</table>")
    assert (found, end.strip("\n")) == (before.removesuffix("\n") + "\n", after.strip("\n"))
    assert "Not Interested?" in footer


def test_a_link_that_the_host_placed_itself_is_left_where_it_is(host: Host) -> None:
    link = host.optout.link("jane@x.org", "beta-42")
    assert letter(text=f"No thanks: {link}\nBye").text == f"No thanks: {link}\nBye"


def test_a_copied_footer_gets_this_candidates_link(host: Host) -> None:
    copied = letter(recipients=["bob@x.org"])
    made = letter(text=copied.text, html=copied.html)
    assert (made.text, made.html) == (letter().text, letter().html)


@pytest.mark.parametrize("part", ["text", "html"])
@pytest.mark.parametrize("who", ["jane@x.org", "bob@x.org"])
def test_a_one_click_link_becomes_the_candidates_own_link(host: Host, part: str, who: str) -> None:
    url = current_state().links.url(Door.ONE_CLICK, parse(who), "beta-42")
    assert getattr(letter(**{part: f"No: {url}."}), part) == f"No: {host.optout.link('jane@x.org', 'beta-42')}."


@pytest.mark.parametrize("part", ["text", "html"])
@pytest.mark.parametrize(("door", "about"), [(Door.ASK, "beta-42"), (Door.LANDING, "*")])
def test_a_link_to_another_page_stays_beside_the_footer(host: Host, part: str, door: Door, about: str) -> None:
    url = current_state().links.url(door, parse("jane@x.org"), about)
    made = getattr(letter(**{part: f"Or: {url}."}), part)
    assert made.startswith(f"Or: {url}.\n") and made.count(host.optout.link("jane@x.org", "beta-42")) == 1


class Name(str, Enum):  # noqa: UP042
    BETA = "beta-42"


@pytest.mark.parametrize("text", [Name.BETA, Markup("beta-42")], ids=["a member of an Enum", "Markup"])
def test_a_string_of_another_class_is_its_text(text: str) -> None:
    made = letter(opportunity=text, subject=text, html=text, headers={"X": text}, sender=(text, "team@x.org"))
    assert [made.subject, made.headers["X"], made.sender[0]] == ["beta-42"] * 3
    assert made.html is not None and made.html.startswith("beta-42\n<table ")
    assert made.headers["List-Id"] == "<beta-42.optout.invite.example.org>"


def test_the_headers_are_those_of_rfc_8058_2369_2919_and_3834() -> None:
    headers = letter(headers={"X-Campaign": "spring"}).headers
    assert headers["List-Unsubscribe"].startswith("<https://invite.example.org/optout/one-click/")
    assert headers["List-Unsubscribe"].endswith(">")
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["List-Id"] == "<beta-42.optout.invite.example.org>"
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["X-Campaign"] == "spring"


@pytest.mark.parametrize("opportunity", ["beta-42", "Beta 42", "**", "试用", "a" * 128, "-", "a.b", "é", "beta_42"])
def test_a_list_id_is_a_domain_name_of_its_own_for_each_opportunity(opportunity: str) -> None:
    label = letter(opportunity=opportunity).headers["List-Id"].removeprefix("<").partition(".")[0]
    assert label.isascii() and 0 < len(label) <= 63 and not label.startswith("-") and not label.endswith("-")
    assert label == "beta-42" or label != letter().headers["List-Id"].removeprefix("<").partition(".")[0]


@pytest.mark.parametrize(
    ("headers", "found"),
    [({}, {"Content-Language": "pt-br"}), ({"content-language": "fr"}, {"content-language": "fr"})],
)
def test_the_language_stands_in_a_header_unless_the_host_has_set_it(
    headers: dict[str, str], found: dict[str, str]
) -> None:
    made = letter(language="pt_BR", headers=headers).headers
    assert {name: value for name, value in made.items() if name.lower() == "content-language"} == found


def test_an_invitation_to_everything_is_refused() -> None:
    with pytest.raises(OpportunityError, match="to one opportunity"):
        letter(opportunity="*")


def test_a_folded_subject_is_left_as_the_host_wrote_it() -> None:
    assert letter(subject="Join\r\n us").subject == "Join\r\n us"


def refused(**changes: Any) -> InvitationError:
    """The error that refuses a draft with these changes, which holds no address."""
    with pytest.raises(InvitationError) as caught:
        letter(**changes)
    assert "@" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    "changes",
    [
        {"text": None, "html": None},
        {"text": "", "html": ""},
        {"subject": "Join\nBcc: e@y.org"},
        {"subject": None},
        {"text": b"Come."},
        {"html": b"<p>Come.</p>"},
        {"text": 5},
        {"text": "Come.", "html": ["<p>Come.</p>"]},
        *({name: "a \udcff"} for name in ("subject", "sender", "reply_to")),
        {"headers": {"X": "a \udcff"}},
        {"sender": None},
        {"sender": ""},
        {"sender": "team@x.org\nBcc: e@y.org"},
        {"sender": ("Te\ram", "team@x.org")},
        {"sender": ("The\r\n team", "team@x.org")},
        {"reply_to": "team@x.org\r\nBcc: e@y.org"},
        *({"headers": {name: "e"}} for name in ("X\r\nBcc", "X Y", "X:", "", 5, "Näme")),
        *({"headers": {"X": value}} for value in ("a\n\nb", "a\r\nBcc: e@y.org", 5)),
        *(
            {"headers": {name: "x"}}
            for name in (*OWN_HEADERS, "list-unsubscribe", "LIST-UNSUBSCRIBE-POST", "List-ID")
        ),
        *({"headers": {name: "x"}} for name in ("To", "cc", "BCC", "Resent-To", "resent-bcc")),
    ],
    ids=repr,
)
def test_what_cannot_be_sent_or_would_change_our_headers_is_refused(changes: dict[str, Any]) -> None:
    refused(**changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipients": []}, "An invitation has 0 recipients."),
        ({"recipients": "jane@x.org"}, "The recipients of an invitation is a string, and not a list of addresses."),
        ({"recipients": iter([])}, "An invitation has 0 recipients."),
        ({"recipients": {"jane@x.org", "kofi@x.org"}}, "An invitation has 2 recipients."),
        ({"recipients": ["jane@x.org", "kofi@x.org"]}, "An invitation has 2 recipients."),
        ({"recipients": ["jane@x.org", "jane@x.org"]}, "An invitation has 2 recipients."),
        ({"cc": ["kofi@x.org"]}, "An invitation has a cc."),
        ({"bcc": ["kofi@x.org"]}, "An invitation has a bcc."),
        ({"cc": "kofi@x.org"}, "The cc of an invitation is a string, and not a list of addresses."),
    ],
    ids=str,
)
def test_other_recipients_than_one_are_refused_and_counted(changes: dict[str, Any], said: str) -> None:
    error = refused(**changes)
    assert error.what == said and "Make one Invitation for each" in error.mend


@pytest.mark.parametrize(
    "one",
    [("jane@x.org",), {"jane@x.org"}, {"jane@x.org": 1}.keys(), iter(["jane@x.org"])],
    ids=lambda one: type(one).__name__,
)
def test_the_one_recipient_stands_in_any_collection(one: Any) -> None:
    assert letter(recipients=one).address.deliverable == "jane@x.org"


def test_a_library_without_smtputf8_refuses_what_it_cannot_deliver() -> None:
    assert letter(recipients=["josé@x.org"]).address.deliverable == "josé@x.org"
    with pytest.raises(AddressError, match="SMTPUTF8"):
        letter(recipients=["josé@x.org"], smtputf8=False)


def test_the_hosts_headers_stay_as_written_but_for_the_message_id() -> None:
    headers = {"X-Note": "a\n\tb", "Message-Id": "<mine@x.org>", "Reply-By": "today"}
    made = letter(headers=headers)
    assert {name: value for name, value in made.headers.items() if name not in OWN_HEADERS} == {
        "X-Note": "a\n\tb",
        "Reply-By": "today",
    }


@pytest.mark.parametrize("sender", ["team@x.org", ("The team", "team@x.org")])
@pytest.mark.parametrize("reply_to", [None, "help@x.org", ("Help", "help@x.org")])
def test_a_sender_is_as_the_host_wrote_it(sender: Recipient, reply_to: Recipient | None) -> None:
    made = letter(sender=sender, reply_to=reply_to)
    assert (made.sender, made.reply_to) == (sender, reply_to)
