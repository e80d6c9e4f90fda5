"""The library of docs/adapters.md, with the adapter that stands there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from flask_optout.invitations.gate import OnError
from tests.support import postbox
from tests.support.hosts import Host
from tests.support.library import Many, Wanted, Way, over_smtp, pair
from tests.support.quick_start import ROOT, blocks

MANUAL = (ROOT / "docs" / "adapters.md").read_text()


class Postbox:
    name = "docs/adapters.md"
    smtputf8 = False
    works_without_optout = True
    parts: dict[str, Callable[[Any], object]] = {
        "a file": lambda message: message.attachments.append(("Plän.pdf", "application/pdf", b"\0\1")),
    }

    def __init__(self) -> None:
        self.ways: dict[str, Way] = {"Client.deliver": over_smtp(self.send)}
        self.many: dict[str, Many] = {
            "Client.send_invitations": self.send_invitations,
            "Client.deliver": self._deliver,
        }
        [code] = [code for code in blocks("python", MANUAL) if "postbox" in code]
        self._adapter: Any = ModuleType("postbox_adapter")
        sys.modules["postbox"] = postbox
        sys.modules["postbox_adapter"] = self._adapter
        exec(code, vars(self._adapter))

    def invitation(self, host: Host, wanted: Wanted) -> Any:
        more = {"cc": [pair(to) for to in wanted.cc], "bcc": [pair(to) for to in wanted.bcc]}
        return self._fill(
            self._adapter.Invitation, wanted, opportunity=wanted.opportunity, language=wanted.language, **more
        )

    def ordinary(self, host: Host, wanted: Wanted) -> Any:
        return self._fill(postbox.Message, wanted)

    def address(self, message: Any, to: str) -> None:
        message.to = [to]

    def send(self, host: Host, message: Any) -> object:
        with self._connected(host, self._adapter.Client) as client:
            return client.deliver(message)

    def send_invitations(self, host: Host, messages: Iterable[Any], on_error: OnError | None = None) -> object:
        with self._connected(host, self._adapter.Client) as client:
            return client.send_invitations(messages, on_error)

    def send_ungated(self, host: Host, message: Any) -> None:
        with self._connected(host, postbox.Client) as client:
            client.deliver(message)

    def _deliver(self, host: Host, messages: Iterable[Any]) -> None:
        with self._connected(host, self._adapter.Client) as client:
            for message in messages:
                client.deliver(message)

    @staticmethod
    def _fill(kind: type[Any], wanted: Wanted, **more: Any) -> Any:
        return kind(
            sender=pair(wanted.sender),
            to=[pair(to) for to in wanted.to],
            reply_to=pair(wanted.reply_to) if wanted.reply_to else "",
            subject=wanted.subject,
            text=wanted.text,
            html=wanted.html,
            headers=dict(wanted.headers),
            attachments=list(wanted.attachments),
            **more,
        )

    @staticmethod
    def _connected(host: Host, kind: type[Any]) -> Any:
        return kind(host.app.config["MAIL_SERVER"], host.app.config["MAIL_PORT"])
