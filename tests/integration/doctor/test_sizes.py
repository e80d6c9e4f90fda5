"""The size of a sample, beside the sizes that the mail server says it takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from flask_optout.doctor.domain import size
from flask_optout.doctor.finding import attempt
from tests.support.hosts import Mailbox, free_port


class Silent(SMTP):
    """Says nothing of sizes."""

    async def smtp_EHLO(self, hostname: str) -> None:
        self.session.host_name, self.session.extended_smtp = hostname, True  # type: ignore[union-attr]
        await self.push("250 HELP")


class Server(Controller):
    def factory(self) -> SMTP:
        return (SMTP if self.SMTP_kwargs["data_size_limit"] else Silent)(self.handler, **self.SMTP_kwargs)


@pytest.fixture
def config(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Of an app whose mail server takes so many octets; 0 says nothing of sizes."""
    mailbox = Mailbox(port=free_port())
    server = Server(mailbox, hostname=mailbox.host, port=mailbox.port, data_size_limit=request.param)
    server.start()
    yield {"MAIL_SERVER": mailbox.host, "MAIL_PORT": mailbox.port}
    server.stop()


@pytest.mark.parametrize(
    ("config", "octets", "id"),
    [
        (50_000, 49_000, "message.size"),
        (50_000, 51_000, "message.size.small"),
        (0, 51_000, "message.size.unsaid"),
    ],
    indirect=["config"],
)
def test_a_sample_is_compared_with_the_servers_largest_size(config: dict[str, Any], octets: int, id: str) -> None:
    assert [finding.id for finding in size(config, octets)] == [id]


def test_a_server_that_does_not_answer_is_unknown() -> None:
    config = {"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": free_port()}
    [finding] = attempt("message.size", size(config, 1))
    assert (finding.id, finding.facts["reason"]) == ("message.size.unknown", "ConnectionRefusedError")
