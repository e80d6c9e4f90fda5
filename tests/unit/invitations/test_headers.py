"""The headers that a host gives an invitation: left as written, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from flask_optout import InvitationError
from flask_optout.addresses import Recipient
from flask_optout.invitations.headers import OWN_HEADERS, checked_sender, host_headers, unfolded


@pytest.mark.parametrize(
    ("value", "line"),
    [("Join us", "Join us"), ("Join\r\n us", "Join us"), ("a\n\tb", "a\tb"), ("a\tb", "a\tb"), ("", "")],
)
def test_a_folded_value_is_one_line(value: str, line: str) -> None:
    assert unfolded(value) == line


@pytest.mark.parametrize(
    "value",
    [
        *("Join\nBcc: e@y.org", "Join\r\n\r\nus", "Join\rus", "Join\0us", "a\n\nb", "a\r\nBcc: e@y.org", "a\n \n b"),
        *("=?utf-8?q?x=0d=0aBcc:_e?=", "=?utf-8?b?DQo=?=", None, b"Join us", 5),
    ],
    ids=repr,
)
def test_a_value_of_two_lines_is_refused(value: Any) -> None:
    with pytest.raises(InvitationError) as refused:
        unfolded(value)
    assert "@" not in str(refused.value)


@pytest.mark.parametrize(
    "headers",
    [
        *(
            {"X\r\nBcc": "e"},
            {"X Y": "z"},
            {"X:": "z"},
            {"": "z"},
            {5: "z"},
            {"Näme": "z"},
            {"X": "a\n\nb"},
            {"X": 5},
        ),
        *({name: "x"} for name in (*OWN_HEADERS, "list-unsubscribe", "LIST-UNSUBSCRIBE-POST", "List-ID")),
        *({name: "x"} for name in ("To", "cc", "BCC", "Resent-To", "resent-bcc")),
    ],
    ids=repr,
)
def test_headers_that_break_the_message_or_stand_in_for_ours_are_refused(headers: Any) -> None:
    with pytest.raises(InvitationError):
        host_headers(headers)


def test_the_others_stay_as_written_but_for_the_message_id() -> None:
    headers = {"X-Note": "a\n\tb", "Message-Id": "<mine@x.org>", "Reply-By": "today"}
    assert host_headers(headers) == {"X-Note": "a\n\tb", "Reply-By": "today"}


@pytest.mark.parametrize("sender", ["team@x.org", ("The team", "team@x.org")])
@pytest.mark.parametrize("reply_to", [None, "help@x.org", ("Help", "help@x.org")])
def test_a_sender_is_as_the_host_wrote_it(sender: Recipient, reply_to: Recipient | None) -> None:
    assert checked_sender(sender, reply_to) == sender


@pytest.mark.parametrize(
    ("sender", "reply_to"),
    [
        *((None, None), ("", None), ("team@x.org\nBcc: e@y.org", None), (("Te\ram", "team@x.org"), None)),
        *(("team@x.org", "team@x.org\r\nBcc: e@y.org"), (("The\r\n team", "team@x.org"), None)),
    ],
)
def test_a_sender_that_would_start_another_header_is_refused(sender: Any, reply_to: Any) -> None:
    with pytest.raises(InvitationError):
        checked_sender(sender, reply_to)
