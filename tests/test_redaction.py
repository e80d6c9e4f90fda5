"""Redaction: no personal link survives it, in whatever spelling; everything else does."""

from __future__ import annotations

import base64
import html
import logging
import re
from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_optout.addresses import parse
from flask_optout.email_log.redaction import SLOT, redact, restore
from flask_optout.links.keys import DataKey
from flask_optout.links.tokens import LONGEST_TOKEN, SHORTEST_TOKEN, Door, Tokens
from tests.conftest import MakeHost

TOKENS = Tokens(DataKey(b"a key of the redaction tests, 32."), tuple(Door))
SURVIVOR = re.compile(rf"[a-z2-7]{{{SHORTEST_TOKEN}}}", re.IGNORECASE)


def link(door: Door = Door.LANDING, to: str = "jane@example.org", opportunity: str = "beta-42") -> str:
    return f"https://invite.example.org/optout/{TOKENS.mint(door, parse(to), opportunity)}"


LINK = link()
CUT = len(LINK) - 30


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"Say so: {LINK}", f"Say so: {SLOT}"),
        (f"Say so: {LINK}.", f"Say so: {SLOT}."),
        (f"<{LINK}>", f"<{SLOT}>"),
        (f"({LINK})!", f"({SLOT})!"),
        (f'<a href="{LINK}">No</a>', f'<a href="{SLOT}">No</a>'),
        (f"<a href={LINK}>No</a>", f"<a href={SLOT}>No</a>"),
        (f"{LINK} and {LINK}", f"{SLOT} and {SLOT}"),
        (f"{LINK}?utm_source=x&utm_medium=mail now", f"{SLOT} now"),
        (f"see {LINK.upper()}", f"see {SLOT}"),
        (f"&lt;{LINK}&gt; &quot;{LINK}&quot;", f"&lt;{SLOT}&gt; &quot;{SLOT}&quot;"),
        (f"token {LINK.rpartition('/')[2]} alone", f"token {SLOT} alone"),
        (f"https://click.example/?u={quote(LINK, safe='')}&x=1 now", f"{SLOT} now"),
        (f"https://click.example/?u={quote(quote(LINK, safe=''), safe='')} now", f"{SLOT} now"),
        (f"https://click.example/{base64.urlsafe_b64encode(LINK.encode()).decode()} now", f"{SLOT} now"),
        (f"https://click.example/{base64.b64encode(b'x' + LINK.encode()).decode()} now", f"{SLOT} now"),
        (f"{LINK[:CUT]}\n{LINK[CUT:]} now", f"{SLOT} now"),
        (f"> {LINK[:CUT]}\n> {LINK[CUT:]} now", f"> {SLOT} now"),
        (f"{LINK[:CUT]}<br>{LINK[CUT:]} now", f"{SLOT} now"),
        (f"{LINK[:CUT]}<wbr>{LINK[CUT:]} now", f"{SLOT} now"),
        (f"{LINK[:CUT]}\u200b{LINK[CUT:]} now", f"{SLOT} now"),
        (f"{LINK[:CUT]}&shy;{LINK[CUT:]} now", f"{SLOT} now"),
    ],
)
def test_a_slot_stands_where_a_link_stood(text: str, kept: str) -> None:
    assert redact(text, [LINK]) == kept


@pytest.mark.parametrize("door", list(Door))
@pytest.mark.parametrize("to", ["jane@example.org", "jane+2@example.org"])
@pytest.mark.parametrize("opportunity", ["x", "*", "o" * 128])
def test_links_of_others_and_of_every_door_are_found_by_their_shape(door: Door, to: str, opportunity: str) -> None:
    assert redact(f"see {link(door, to, opportunity)} now") == f"see {SLOT} now"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Come and try it: https://example.org/beta-42?from=mail&x=%20y",
        "antidisestablishmentarianism " * 20,
        "a" * (SHORTEST_TOKEN - 1),
        "x1" * 200,
        base64.b64encode(bytes(range(256)) * 40).decode(),
        "<p>&nbsp;&amp;&#8217;</p>" * 50,
        "日本語" * 100,
    ],
)
def test_everything_else_is_kept_to_the_letter(text: str) -> None:
    assert redact(text, [LINK]) == text


AROUND = st.text(st.characters(exclude_characters="\0"))


def encoded(one: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: "".join(map(one, text))


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper": str.upper,
    "percent": encoded(lambda c: f"%{ord(c):02X}"),
    "percent twice": encoded(lambda c: f"%25{ord(c):02x}"),
    "decimal": encoded(lambda c: f"&#{ord(c)};"),
    "hexadecimal": encoded(lambda c: f"&#x{ord(c):x};"),
    "hexadecimal, padded": encoded(lambda c: f"&#X00{ord(c):X};"),
    "escaped twice": encoded(lambda c: f"&amp;#{ord(c)};"),
    "JSON": encoded(lambda c: f"\\u00{ord(c):02x}"),
    "JavaScript": encoded(lambda c: f"\\x{ord(c):02x}"),
    "quoted-printable": encoded(lambda c: f"={ord(c):02X}"),
}


@given(st.data())
def test_no_token_survives_in_any_mix_of_spellings(data: st.DataObject) -> None:
    letters = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=SHORTEST_TOKEN, max_size=LONGEST_TOKEN)
    token = data.draw(letters)
    spellings = data.draw(st.lists(st.sampled_from(sorted(SPELLINGS)), min_size=1, max_size=4))
    size = -(-len(token) // len(spellings))
    written = "".join(SPELLINGS[name](token[i * size : (i + 1) * size]) for i, name in enumerate(spellings))
    around = st.text(max_size=20)
    kept = redact(f"{data.draw(around)} https://invite.example.org/optout/{written} {data.draw(around)}")
    assert SLOT in kept
    plain = re.sub(r"\\u00|\\x|=", "%", html.unescape(html.unescape(kept)))
    assert SURVIVOR.search(unquote(unquote(plain))) is None


@given(AROUND, AROUND)
def test_a_fresh_link_fills_every_slot(before: str, after: str) -> None:
    fresh = link(to="other@example.org")
    assert restore(redact(f"{before} {LINK} {after}"), fresh) == redact(f"{before} \0 {after}").replace("\0", fresh)


@pytest.mark.parametrize("name", ["werkzeug", "gunicorn.access", "host"])
def test_log_lines_that_name_urls_lose_their_links(
    make: MakeHost, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    make()
    token = LINK.rpartition("/")[2]
    atoms = {"h": "127.0.0.1", "r": f"GET /optout/{token} HTTP/1.1", "s": "200"}
    with caplog.at_level(logging.INFO, name):
        logging.getLogger(name).info('%(h)s "%(r)s" %(s)s', atoms)
        logging.getLogger(name).info("Exception on %s [%s]", f"/optout/{token}", "GET")
        logging.getLogger(name).info("%s", "nothing of ours")
    assert [record.getMessage() for record in caplog.records] == [
        f'127.0.0.1 "GET /optout/{SLOT} HTTP/1.1" 200',
        f"Exception on /optout/{SLOT} [GET]",
        "nothing of ours",
    ]
    assert caplog.records[-1].args == ("nothing of ours",)
