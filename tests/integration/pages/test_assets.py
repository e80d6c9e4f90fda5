"""htmx is vendored, at the version that the refresh script wrote down, and everything ships with its licence."""

from __future__ import annotations

import re
from pathlib import Path

from flask_optout.pages.routing import HOME

STATIC = HOME / "static"


def test_htmx_is_the_version_that_stands_beside_it() -> None:
    version = re.search(r'version="([\d.]+)"', (STATIC / "htmx.min.js").read_text())
    assert version is not None and version[1] == (STATIC / "htmx.version").read_text().strip()
    assert version[1].startswith("4.")
    assert "Zero-Clause BSD" in (STATIC / "htmx.LICENSE").read_text()


def test_the_stylesheet_is_small() -> None:
    assert (STATIC / "optout.css").stat().st_size < 8_000


def test_templates_hold_no_inline_script_or_style() -> None:
    pages = [path for path in (HOME / "templates").rglob("*.html") if path.parent.name != "mail"]
    assert len(pages) > 3
    for page in pages:
        assert not re.search(r"<style|style=|\son\w+=|hx-on|<script(?![^>]*\ssrc=)|javascript:", page.read_text()), (
            page
        )


def test_assets_stand_where_the_checkout_has_them() -> None:
    assert Path(__file__).parents[3] == HOME
