"""Ten thousand invitations over one SMTP connection: ``python -m benchmarks.bulk [COUNT]``.

A real mail server receives them. Checked: whoever was muted before, or opted out during the run, gets nothing;
everybody else gets one message with their own links and nobody else's. Measured: how much memory a run takes at its
highest. How long it takes stands in the table of ``python -m benchmarks``.
"""

from __future__ import annotations

import re
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask_optout.mailers.flask_mail import Invitation
from tests.support.hosts import Host, Mailbox, dispose, make_host, say, smtp_server

MUTED_BEFORE, MUTED_DURING = 1_000, 5_000
TOKEN = re.compile(rb"/optout/(?:one-click/)?([a-z2-7]{50,})")


@dataclass
class Sink(Mailbox):
    """Keeps of each mail its recipient and its tokens."""

    on_mail: Callable[[int], None] = lambda count: None

    def __post_init__(self) -> None:
        self.tokens: dict[str, set[bytes]] = {}

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        (to,) = envelope.rcpt_tos
        self.tokens[to] = set(TOKEN.findall(envelope.original_content))
        self.on_mail(len(self.tokens))
        return "250 OK"


def people(count: int) -> Iterator[str]:
    return (f"person{number}@example.org" for number in range(count))


def send_invitations(host: Host, count: int) -> None:
    host.mail.send_invitations(
        Invitation("Join us", [person], "Come and try it.", opportunity="beta-42") for person in people(count)
    )


def check(host: Host, sink: Sink, count: int) -> None:
    before, during = count * MUTED_BEFORE // 10_000, count * MUTED_DURING // 10_000
    say(host, True, f"person{before}@example.org")

    def mute(arrived: int) -> None:
        if arrived == during:  # one was dropped, so this is person `during`; the next one opts out now
            with host.app.app_context():
                say(host, True, f"person{during + 1}@example.org")

    sink.on_mail = mute
    send_invitations(host, count)
    expected = [f"person{number}@example.org" for number in range(count) if number not in (before, during + 1)]
    assert list(sink.tokens) == expected, "somebody got what they should not, or not what they should"
    tokens = [token for own in sink.tokens.values() for token in own]
    assert len(tokens) == len(set(tokens)) == 2 * len(expected), "a link went to two people"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder, smtp_server(Sink) as sink:
        host = make_host(Path(folder), MAIL_SERVER=sink.host, MAIL_PORT=sink.port)
        with host.app.app_context():
            check(host, sink, count)
            print(f"{count} invitations, one muted before and one during the run: obeyed, and nothing leaked.")
            sink.on_mail = lambda arrived: None
            sink.tokens.clear()
            tracemalloc.start()
            send_invitations(host, max(count // 10, 1))
            peak = tracemalloc.get_traced_memory()[1] >> 10
            print(f"Memory at its highest, with the mail server in the process: {peak} KiB.")
        dispose(host)


if __name__ == "__main__":
    main()
