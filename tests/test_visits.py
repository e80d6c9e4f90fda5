"""The visit log: off by default, names nobody, bounded in size and age."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flask_optout.addresses import parse
from flask_optout.links.tokens import Door
from flask_optout.pages import visits
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.hosts import Host


def entries(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().splitlines()]


@pytest.fixture
def logged(make: MakeHost, tmp_path: Path) -> Host:
    return make(OPTOUT_VISIT_LOG=str(tmp_path / "visits"))


def test_it_is_off_by_default(host: Host) -> None:
    assert current_state().visits is None


def test_it_tells_what_came_and_not_who(logged: Host, tmp_path: Path) -> None:
    with logged.app.app_context():
        client = logged.app.test_client()
        client.get(logged.path(), headers={"User-Agent": "Slackbot 1.0", "Sec-Purpose": "prefetch"})
        client.post(logged.path(), data={**logged.form("mute"), "scripts": "ran"})
        client.post(logged.path(), data=logged.form("none"))
        url = current_state().links.url(Door.ONE_CLICK, parse("jane@example.org"), "beta-42")
        client.post(url, data={"List-Unsubscribe": "One-Click"})
        client.get("/optout/nothing")
        token = logged.path().rpartition("/")[2]
        digest = logged.claim().person[0].digest.hex()
    scanned, scripted, decoy, signal = entries(tmp_path / "visits")
    assert (scanned["method"], scanned["client"], scanned["prefetch"]) == ("GET", "scanner", True)
    assert (scripted["verdict"], scripted["cause"], scripted["scripts"]) == ("ask", "untrusted click", "ran")
    assert decoy["decoy"] and signal["door"] == "one-click"
    assert len({entry["link"] for entry in (scanned, scripted, decoy, signal)}) == 1
    text = json.dumps(entries(tmp_path / "visits"))
    for secret in ("jane", "example.org", "beta-42", token, token[:20], digest, "127.0.0.1", "Slackbot", "mute"):
        assert secret not in text


def test_a_days_file_stops_growing_and_old_files_go(
    logged: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visits, "LARGEST", 2_000)
    with logged.app.app_context():
        log, claim = current_state().visits, logged.claim()
        assert log is not None
        for day in range(40):
            for _ in range(50):
                log.write(claim, 1_800_000_000 + day * 86_400, {"method": "GET"})
    files = list((tmp_path / "visits").iterdir())
    assert len(files) == visits.KEPT + 1
    assert all(file.stat().st_size <= 2_100 for file in files)


def test_a_log_that_cannot_be_written_stops_nobody(
    make: MakeHost, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "taken").write_text("")
    host = make(OPTOUT_VISIT_LOG=str(tmp_path / "taken"))
    with host.app.app_context():
        assert host.app.test_client().post(host.path(), data=host.form("mute")).status_code == 303
    assert "The visit log cannot be written" in caplog.text and "jane" not in caplog.text
