"""Addresses as people write them: every spelling of a muted person is blocked, and what is no address is refused.

Each row goes through a send, a link, the page behind it, and an import.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from flask_optout import AddressError, InvitationError, OptOutError
from tests.support.hosts import Host, Mailbox, dispose, make_host, say, smtp_server

pytestmark = pytest.mark.long

OPPORTUNITY = "beta-42"


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with smtp_server(Mailbox) as mailbox:
        yield mailbox


@pytest.fixture(scope="module")
def shared(mailbox: Mailbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One host for all rows: each mutes an opportunity of its own."""
    host = make_host(tmp_path_factory.mktemp("addresses"), MAIL_SERVER=mailbox.host, MAIL_PORT=mailbox.port)
    with host.app.app_context():
        yield host
    dispose(host)


#: Row: who is muted, and how else that person is written.
SAME: dict[str, tuple[str, Any]] = {
    "upper case": ("jane@x.org", "JANE@X.ORG"),
    "mixed case": ("jane@x.org", "Jane@x.Org"),
    "a trailing dot": ("jane@x.org", "jane@x.org."),
    "spaces": ("jane@x.org", " jane@x.org "),
    "no-break space": ("jane@x.org", "\N{NO-BREAK SPACE}jane@x.org"),
    "a tab": ("jane@x.org", "\tjane@x.org"),
    "a tag": ("jane@x.org", "jane+2@x.org"),
    "an empty tag": ("jane@x.org", "jane+@x.org"),
    "tags": ("jane@x.org", "jane+a+b@x.org"),
    "needless quotes": ("jane@x.org", '"jane"@x.org'),
    "a quoted pair": ("jane@x.org", '"ja\\ne"@x.org'),
    "needed quotes": ('"jane doe"@x.org', '"JANE DOE"@x.org'),
    "a quoted @": ('"a@b"@x.org', '"A@b"@x.org'),
    "a comment": ("jane@x.org", "jane(work)@x.org"),
    "a comment before the domain": ("jane@x.org", "jane@(c)x.org"),
    "comments in comments": ("jane@x.org", "(a (b) c) jane@x.org (d)"),
    "a display name": ("jane@x.org", "Jane <jane@x.org>"),
    "a pair": ("jane@x.org", ("Jane", "jane@x.org")),
    "a pair without a name": ("jane@x.org", ("", "jane@x.org")),
    "only brackets": ("jane@x.org", "<jane@x.org>"),
    "a quoted name": ("jane@x.org", '"Doe, Jane" <jane@x.org>'),
    "the Kelvin sign": ("kate@x.org", "\N{KELVIN SIGN}ate@x.org"),
    "a long s": ("sam@x.org", "ſam@x.org"),
    "a ligature": ("fish@x.org", "ﬁsh@x.org"),
    "full-width letters": ("a@x.org", "ａ@x.org"),
    "a circled digit": ("1@x.org", "①@x.org"),
    "composed": ("josé@x.org", "jose\u0301@x.org"),
    "an accent in upper case": ("josé@x.org", "JOSÉ@x.org"),
    "an A-label": ("a@straße.de", "a@xn--strae-oqa.de"),
    "an A-label in upper case": ("a@straße.de", "a@XN--STRAE-OQA.DE"),
    "ß in upper case": ("straße@x.org", "STRAßE@x.org"),
    "a full-width domain": ("a@example.com", "a@ｅxample.com"),
    "an ideographic stop": ("a@x.org", "a@x。org"),
    "a soft hyphen in the domain": ("a@example.com", "a@exam\u00adple.com"),
    "an A-label of a short domain": ("a@faß.de", "a@xn--fa-hia.de"),
    "%": ("a%b@x.org", "A%B@x.org"),
    "!": ("b!a@x.org", "B!A@x.org"),
    "% alone": ("%@x.org", "%@X.org"),
}
#: Row: two people whom a careless comparison takes for one.
DIFFERENT: dict[str, tuple[str, str]] = {
    "a tag is not its owner": ("jane+2@x.org", "jane@x.org"),
    "a dotless i": ("mıke@x.org", "mike@x.org"),
    "a dotless i, the other way": ("mike@x.org", "mıke@x.org"),
    "ss for ß": ("weiss@x.org", "weiß@x.org"),
    "ss for ß, the other way": ("weiß@x.org", "weiss@x.org"),
    "ss for ß in the domain": ("a@straße.de", "a@strasse.de"),
    "ss for ß in a short domain": ("a@faß.de", "a@fass.de"),
    "look-alike domain": ("mike@gıthub.com", "mike@github.com"),
    "% matches only itself": ("%@x.org", "a@x.org"),
    "_": ("_ane@x.org", "jane@x.org"),
    "*": ("*@x.org", "jane@x.org"),
    "a quoted query": ('"\' OR 1=1--"@x.org', "jane@x.org"),
    "quotes that hold a space": ('"jane "@x.org', "jane@x.org"),
    "a dot more": ("ja.ne@x.org", "jane@x.org"),
    "another domain": ("jane@x.org", "jane@x.orge"),
    "a subdomain": ("jane@x.org", "jane@a.x.org"),
}
#: Row: what is not one well-formed address.
REFUSED: dict[str, Any] = {
    "an unquoted comma": "Doe, Jane <jane@x.org>",
    "a list": "a@x.org, b@y.org",
    "a list with semicolons": "a@x.org; b@y.org",
    "a group": "Team: a@x.org, b@y.org;",
    "an address as a name": "a@x.org <b@y.org>",
    "two in brackets": "<a@x.org> <b@y.org>",
    "a stray bracket": "alice@x.org)bob@y.org",
    "a bracket in a comment": "a@x.org(<b@y.org>",
    "a literal behind a name": '"a@x.org"[1] <b@y.org>',
    "a backslash in a bare name": "a\\b <b@y.org>",
    "an open bracket": "<jane@x.org",
    "no domain": "jane@",
    "no local part": "@x.org",
    "no @": "jane",
    "nothing": "",
    "spaces": "   ",
    "two @": "jane@x@y.org",
    "a bad A-label": "a@xn--a.org",
    "a long label": f"a@{'b' * 64}.org",
    "a long domain": f"a@{'b.' * 150}org",
    "an underscore": "a@exam_ple.com",
    "a snowman": "a@☃.net",
    "an empty label": "a@x..org",
    "a hyphen first": "a@-x.org",
    "zero width": "ja\u200bne@x.org",
    "a joiner": "ja\u200dne@x.org",
    "right to left": "\u202ejane@x.org",
    "a soft hyphen": "ja\u00adne@x.org",
    "NUL": "ja\0ne@x.org",
    "DEL": "ja\x7fne@x.org",
    "CR": "jane\r@x.org",
    "LF": "jane\n@x.org",
    "CRLF and a header": "jane@x.org\r\nBcc: evil@y.org",
    "LF in a name": ("Jane\nBcc: evil@y.org", "jane@x.org"),
    "LF in the domain": "jane@x\n.org",
    "two dots": "a..b@x.org",
    "a dot first": ".a@x.org",
    "a dot last": "a.@x.org",
    "a source route": "@relay:a@x.org",
    "a source route in brackets": "<@relay.org:a@x.org>",
    "an IPv4 literal": "a@[127.0.0.1]",
    "an IPv6 literal": "a@[IPv6:::1]",
    "localhost": "a@localhost",
    "a bare IP": "a@127.0.0.1",
    "an unquoted query": "' OR 1=1--@x.org",
    "None": None,
    "bytes": b"jane@x.org",
    "a number": 5,
    "a list of one": ["jane@x.org"],
    "one in a tuple": ("jane@x.org",),
    "three in a tuple": ("Jane", "jane@x.org", "x"),
    "a pair of None": (None, "jane@x.org"),
    "an object": object(),
    "a name inside a pair's address": ("Jane", "Joe <jane@x.org>"),
    "a lone surrogate": "ja\udc80ne@x.org",
    "a lone surrogate in the domain": "jane@x\udc80.org",
    "far too long": "a" * 100_000 + "@x.org",
    "255 octets": "a" * 249 + "@x.org",
    "deep comments": "(" * 5_000 + ")" * 5_000 + "jane@x.org",
}


def label(row: str) -> str:
    """An opportunity of its own for each row."""
    return row[:60].encode("ascii", "replace").decode()


def answer(host: Host, who: Any, opportunity: str) -> str:
    """What the person's own page says."""
    return host.app.test_client().get(urlsplit(host.optout.link(who, opportunity)).path).text


#: Refused as a recipient, but taken from a list of opt-outs: several people, or one with a stray character.
TAKEN_FROM_A_LIST = {
    *("a list", "a list with semicolons", "an address as a name", "two in brackets"),
    *("zero width", "right to left", "a soft hyphen"),
}


def import_one(host: Host, who: str, opportunity: str) -> tuple[int, str]:
    text = io.StringIO()
    csv.writer(text).writerows([["email", "opportunity"], [who, opportunity]])
    data = text.getvalue().encode("utf-8", "surrogatepass")
    result = host.app.test_cli_runner().invoke(args=["optout", "import", "-", "--yes"], input=data)
    return result.exit_code, result.output


def send(host: Host, who: Any, opportunity: str) -> None:
    """Send, unless this mail library cannot deliver to the address, which is told to everybody alike."""
    try:
        host.mail.send(host.invitation(who, opportunity))
    except AddressError as error:
        assert "SMTPUTF8" in error.mend


@pytest.mark.parametrize("row", SAME)
class TestTheSamePerson:
    def test_is_not_sent_to(self, shared: Host, mailbox: Mailbox, row: str) -> None:
        muted, other = SAME[row]
        say(shared, True, to=muted, opportunity=label(row))
        before = len(mailbox.received)
        for who in (muted, other):
            send(shared, who, label(row))
            assert not shared.optout.may_invite(who, label(row))
            assert list(shared.optout.invitable([who], label(row))) == []
        assert len(mailbox.received) == before

    def test_has_a_page_that_says_so(self, shared: Host, row: str) -> None:
        muted, other = SAME[row]
        say(shared, True, to=muted, opportunity=label(row))
        assert "You will get no more invitations to" in answer(shared, other, label(row))

    def test_is_muted_by_an_import_of_the_other_spelling(self, shared: Host, row: str) -> None:
        muted, other = SAME[row]
        if not isinstance(other, str):
            other = f"{other[0]} <{other[1]}>"
        about = f"import {label(row)}"
        assert import_one(shared, muted, about)[0] == 0
        assert not shared.optout.may_invite(other, about)


@pytest.mark.parametrize("row", DIFFERENT)
class TestAnotherPerson:
    def test_is_invited(self, shared: Host, row: str) -> None:
        muted, other = DIFFERENT[row]
        say(shared, True, to=muted, opportunity=label(row))
        assert not shared.optout.may_invite(muted, label(row))
        assert shared.optout.may_invite(other, label(row))
        assert "You will get no more" not in answer(shared, other, label(row))

    def test_is_left_alone_by_an_import(self, shared: Host, row: str) -> None:
        muted, other = DIFFERENT[row]
        about = f"import {label(row)}"
        assert import_one(shared, muted, about)[0] == 0
        assert not shared.optout.may_invite(muted, about)
        assert shared.optout.may_invite(other, about)


@pytest.mark.parametrize("row", REFUSED)
def test_what_is_no_address_is_refused_before_anything_is_sent(
    shared: Host, mailbox: Mailbox, row: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = len(mailbox.received)
    with pytest.raises(OptOutError) as sent:
        shared.mail.send(shared.invitation(REFUSED[row]))
    with pytest.raises(AddressError) as linked:
        shared.optout.link(REFUSED[row], OPPORTUNITY)
    with pytest.raises(AddressError):
        shared.optout.may_invite(REFUSED[row], OPPORTUNITY)
    with pytest.raises(AddressError):
        list(shared.optout.invitable([REFUSED[row]], OPPORTUNITY))
    assert len(mailbox.received) == before
    for error in (sent.value, linked.value):
        names_nobody(error)
    assert "x.org" not in caplog.text


#: What can stand in a row of a CSV file, and is the same there.
IN_A_LIST = [row for row, who in REFUSED.items() if isinstance(who, str) and row not in ("LF", "LF in the domain")]


@pytest.mark.parametrize("row", IN_A_LIST)
def test_what_is_no_address_is_refused_by_an_import_with_its_line(shared: Host, row: str) -> None:
    code, output = import_one(shared, REFUSED[row], OPPORTUNITY)
    assert (code, ": line 2." in " ".join(output.split())) == ((0, False) if row in TAKEN_FROM_A_LIST else (1, True))
    assert "x.org" not in output and "jane" not in output


def names_nobody(error: BaseException | None) -> None:
    while error is not None:
        text = str(error).replace("jane@example.org", "").replace("'Jane'", "").lower()
        assert "x.org" not in text and "jane" not in text
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@pytest.mark.parametrize("who", ["mıke@x.org", "josé@x.org", "ａ@x.org"])
def test_what_the_library_cannot_deliver_to_is_refused_with_a_reason(shared: Host, who: str) -> None:
    with pytest.raises(AddressError, match="SMTPUTF8"):
        shared.mail.send(shared.invitation(who))


@pytest.mark.parametrize(
    "fields",
    [
        {"recipients": []},
        {"recipients": ["jane@x.org", "bob@x.org"]},
        {"recipients": ["jane@x.org"], "cc": ["bob@x.org"]},
        {"recipients": ["jane@x.org"], "bcc": ["bob@x.org"]},
        {"recipients": ["jane@x.org"], "cc": ["jane@x.org"], "bcc": ["jane@x.org"]},
        {"recipients": [], "bcc": ["jane@x.org"], "cc": ["bob@x.org"]},
        {"recipients": "a@x.org"},
        {"recipients": None},
    ],
    ids=str,
)
def test_an_invitation_has_exactly_one_recipient(shared: Host, mailbox: Mailbox, fields: dict[str, Any]) -> None:
    invitation = shared.invitation()
    for name, value in fields.items():
        setattr(invitation, name, value)
    before = len(mailbox.received)
    with pytest.raises(InvitationError) as refused:
        shared.mail.send(invitation)
    names_nobody(refused.value)
    assert len(mailbox.received) == before
