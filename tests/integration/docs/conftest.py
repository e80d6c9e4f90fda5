"""The README's quick start as an app."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.hosts import Mailbox
from tests.support.quick_start import INIT_DB, MAKE_KEY, QUICK_START, flask


@pytest.fixture
def settings(tmp_path: Path, smtp: Mailbox) -> dict[str, str]:
    """``app.py`` as the README has it, and an environment that leads its mail to the SMTP server."""
    (tmp_path / "app.py").write_text(QUICK_START)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    made = subprocess.check_output(["sh", "-c", f"{MAKE_KEY}; echo $FLASK_SECRET_KEY"], env={"PATH": path}, text=True)
    settings = {"FLASK_SECRET_KEY": made.strip(), "FLASK_MAIL_SERVER": smtp.host, "FLASK_MAIL_PORT": str(smtp.port)}
    assert flask(tmp_path, INIT_DB, settings).wait() == 0
    return settings


@pytest.fixture
def module(tmp_path: Path, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The quick start, imported; its base URL is the one that the README speaks of."""
    for name, value in {**settings, "FLASK_OPTOUT_BASE_URL": "https://jobs.example.org"}.items():
        monkeypatch.setenv(name, value)
    spec = importlib.util.spec_from_file_location("quick_start", tmp_path / "app.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "quick_start", module)
    spec.loader.exec_module(module)
    with module.app.app_context():
        yield module
        module.db.engine.dispose()
