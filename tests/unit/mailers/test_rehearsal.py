"""A rehearsal is a mail without its text."""

from __future__ import annotations

import smtplib
from typing import Any

from flask_optout.mailers.rehearsal import MOST_REHEARSALS, can_rehearse, is_worn_out, rehearsing


def test_a_rehearsal_says_all_but_the_text_and_ends() -> None:
    class Server(smtplib.SMTP):
        answer = 250, b"reset"

        def rset(self) -> tuple[int, bytes]:
            return self.answer

        def data(self, msg: Any) -> tuple[int, bytes]:
            return 250, b"sent"

    server = Server()
    with rehearsing(server):
        assert server.data("text") == (250, b"reset")
        server.answer = 220, b"reset"
        assert server.data("text") == (250, b"reset"), "which some servers say in another way"
    assert server.data("text") == (250, b"sent")
    assert can_rehearse(server) and not is_worn_out(server)


def test_a_connection_that_was_rehearsed_on_too_often_is_worn_out() -> None:
    server = smtplib.SMTP()
    server.rset = lambda: (250, b"reset")  # type: ignore[method-assign]
    for number in range(MOST_REHEARSALS):
        assert (can_rehearse(server), is_worn_out(server)) == (True, False), number
        with rehearsing(server):
            server.data("text")
    assert (can_rehearse(server), is_worn_out(server)) == (False, True)
