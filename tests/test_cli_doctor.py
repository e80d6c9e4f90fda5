"""``flask optout doctor``: options, output and exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result

from tests.conftest import MakeHost
from tests.doctor.test_message import eml
from tests.support.dns_server import dns_server
from tests.support.hosts import Host
from tools.doctor_demo import ZONE


def run(host: Host, *options: str) -> Result:
    return host.app.test_cli_runner().invoke(args=["optout", "doctor", *options])


def test_all_is_well_or_something_fails(make: MakeHost) -> None:
    assert run(make(), "--offline").exit_code == 0
    assert run(make(OPTOUT_BASE_URL=None), "--offline").exit_code == 1


@pytest.mark.parametrize(
    "options",
    [
        ["--domain", "not a domain"],
        ["--domain", "a\x00b"],
        ["--message", "missing.eml"],
        ["--message", "."],
        ["--nameserver", "dns.example"],
        ["--status", "jane@example.org"],
        ["extra"],
    ],
)
def test_wrong_use(make: MakeHost, options: list[str]) -> None:
    assert run(make(), *options).exit_code == 2


def test_json_of_a_domain_and_a_sample(make: MakeHost, tmp_path: Path) -> None:
    sample = tmp_path / "sample.eml"
    sample.write_bytes(eml(Return_Path=None))
    with dns_server(ZONE) as server:
        address = f"127.0.0.1:{server.address[1]}"
        result = run(
            make(OPTOUT_BASE_URL=None),
            *("--json", "--domain", "broken.example", "--message", str(sample), "--nameserver", address),
        )
    said = json.loads(result.output)
    found = {finding["id"]: finding for finding in said["findings"]}
    assert (said["domain"], said["exit_status"], result.exit_code) == ("broken.example", 1, 1)
    assert found["domain.spf.lookups"]["severity"] == "fail"
    assert {finding["group"] for finding in said["findings"]} == {"setup", "domain", "message", "doors"}
    assert "jane" not in result.output


def test_the_text_names_the_mend(make: MakeHost) -> None:
    result = run(make(OPTOUT_BASE_URL=None), "--offline")
    assert "OPTOUT_BASE_URL is not set" in result.output
    assert "Set OPTOUT_BASE_URL to where candidates reach this app" in result.output
