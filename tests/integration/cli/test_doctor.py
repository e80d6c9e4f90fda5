"""``flask optout doctor``: options, output and exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, redirect
from flask.cli import ScriptInfo

from flask_optout.cli.commands import optout_cli
from tests.conftest import MakeHost
from tests.support.command_line import on_terminal
from tests.support.dns_server import Zone, dns_server
from tests.support.hosts import Host, free_port, http_server
from tests.support.people import run
from tests.support.samples import eml
from tools.doctor_demo import ZONE

pytestmark = pytest.mark.long


def examine(host: Host, *options: str) -> tuple[int, str]:
    return run(host, "doctor", *options)


def test_all_is_well_or_something_fails_with_its_mend(make: MakeHost) -> None:
    assert examine(make(), "--offline")[0] == 0
    walled = make()
    walled.app.before_request(lambda: redirect("/login"))
    code, output = examine(walled, "--offline")
    assert code == 1 and "does not reach Flask-OptOut" in " ".join(output.split())
    assert "could not be told" in output.splitlines()[-1]


def test_an_app_without_optout_is_told_so() -> None:
    info = ScriptInfo(create_app=lambda: Flask("new"))
    result = Flask("other").test_cli_runner().invoke(optout_cli, ["doctor", "--offline"], obj=info)
    assert result.exit_code == 1 and result.output.startswith("Error: This Flask app has no OptOut.")


@pytest.mark.parametrize(
    "options",
    [
        ["--domain", "not a domain"],
        ["--domain", "a\x00b"],
        ["--message", "missing.eml"],
        ["--message", "."],
        ["--nameserver", "dns.example"],
        ["--block-list", "not a zone"],
        ["--status", "jane@example.org"],
        ["extra"],
    ],
)
def test_wrong_use(make: MakeHost, options: list[str]) -> None:
    assert examine(make(), *options)[0] == 2


def test_json_of_a_domain_and_a_sample(make: MakeHost, tmp_path: Path) -> None:
    sample = tmp_path / "sample.eml"
    sample.write_bytes(eml(Return_Path=None))
    with dns_server(ZONE) as server:
        address = f"127.0.0.1:{server.address[1]}"
        code, output = examine(
            make(OPTOUT_BASE_URL=f"https://127.0.0.1:{free_port()}"),
            *("--json", "--domain", "broken.example", "--message", str(sample), "--nameserver", address),
        )
    said = json.loads(output)
    found = {finding["id"]: finding for finding in said["findings"]}
    assert (said["domain"], said["exit_status"], code) == ("broken.example", 1, 1)
    assert found["domain.spf.several"]["severity"] == "fail"
    assert found["domain.spf.several"]["facts"]["count"] == "2"
    assert {finding["group"] for finding in said["findings"]} == {"setup", "domain", "message", "doors"}
    assert "jane" not in output


BAD = "mx.example; spf=fail smtp.mailfrom=x.example; dkim=fail header.d=x.example; dmarc=fail header.from=x.example"
PERMERROR = {"mended.example TXT": ["v=spf1 ip4:192.0.2.0/24 -all moo"]}
NO_PTR = {name: records for name, records in ZONE.items() if not name.startswith("25.2.0.192")}


@pytest.mark.parametrize(
    ("zone", "settings", "sample", "status"),
    [
        (ZONE, {"OPTOUT_SENDING_HOST": "192.0.2.25"}, None, 0),
        ({**ZONE, **PERMERROR}, {"OPTOUT_SENDING_HOST": "192.0.2.25"}, None, 1),
        ({**ZONE, **PERMERROR}, {}, None, 1),
        # A relay that has no name, or that SPF does not know, says nothing about the host that delivers.
        (NO_PTR, {"MAIL_SERVER": "192.0.2.25"}, None, 0),
        (ZONE, {"MAIL_SERVER": "192.0.2.99"}, None, 0),
        (NO_PTR, {"OPTOUT_SENDING_HOST": "192.0.2.25"}, None, 1),
        (ZONE, {"OPTOUT_SENDING_HOST": "192.0.2.25"}, eml(Authentication_Results=BAD), 1),
        (ZONE, {"OPTOUT_SENDING_HOST": "192.0.2.25"}, eml(X_Spam_Flag="YES"), 1),
    ],
)
def test_the_exit_status_of_a_deployed_app(
    make: MakeHost, tmp_path: Path, zone: Zone, settings: dict[str, Any], sample: bytes | None, status: int
) -> None:
    port = free_port()
    host = make(OPTOUT_BASE_URL=f"http://127.0.0.1:{port}", **settings)
    (tmp_path / "sample.eml").write_bytes(sample or b"")
    given = ["--message", str(tmp_path / "sample.eml")] if sample else []
    with dns_server(zone) as server, http_server(host.app, port):
        address = f"127.0.0.1:{server.address[1]}"
        code, output = examine(host, "--domain", "mended.example", "--nameserver", address, *given)
    assert code == status, output


def test_block_lists_are_asked_when_they_are_named(make: MakeHost) -> None:
    with dns_server({**ZONE, "mended.example.bl.example A": ["127.0.0.2"]}) as server:
        host = make(OPTOUT_BASE_URL=f"https://127.0.0.1:{free_port()}")
        address = f"127.0.0.1:{server.address[1]}"
        options = ("--domain", "mended.example", "--nameserver", address)
        assert "bl.example" not in examine(host, *options)[1]
        assert "bl.example lists mended.example" in examine(host, *options, "--block-list", "bl.example")[1]


def test_on_a_terminal_the_wait_is_announced(make: MakeHost) -> None:
    announced = "Looking at the app, its domain and its pages…"
    assert on_terminal(optout_cli, "doctor", "--offline", app=make().app).startswith(announced)
    assert announced not in examine(make(), "--offline")[1]
