"""The page on ways to send: the headers that it shows are those that arrive."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

from tests.support.hosts import Mailbox

TEXT = (Path(__file__).parents[3] / "docs" / "sending.md").read_text()


def test_the_headers_are_those_that_arrive(module: ModuleType, smtp: Mailbox) -> None:
    assert module.app.test_cli_runner().invoke(args=["invite", "jane@example.org"]).exit_code == 0
    lines = smtp.received[0].raw.decode().split("\r\n")
    [block] = re.findall(r"^```text\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    for header in block.splitlines():
        pattern = re.escape(header).replace("…", "[a-z2-7]{80,}")
        assert any(re.fullmatch(pattern, line) for line in lines), header
