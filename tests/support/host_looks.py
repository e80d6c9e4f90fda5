"""Hosts of five looks: a page with toggles, and the frame of our own page, from ``tests/support/host_looks``."""

from __future__ import annotations

from pathlib import Path

from flask import Response, render_template, request, send_file
from jinja2 import ChoiceLoader, DictLoader, FileSystemLoader

from tests.support.hosts import Host

FILES = Path(__file__).parent / "host_looks"
LOOKS = sorted(file.stem for file in FILES.glob("*.css"))


def put_on_looks(host: Host) -> None:
    """Give the host a page in each look, at ``/look?look=...``; a link with that query is framed so."""
    own = Path("templates/optout/base.html").read_text()
    framed = '{% extends "frame.html" if request.args.get("look") else "own.html" %}'
    loaders = (
        DictLoader({"own.html": own, "optout/base.html": framed}),
        FileSystemLoader(FILES),
        host.app.jinja_loader,
    )
    host.app.jinja_loader = ChoiceLoader([loader for loader in loaders if loader is not None])

    @host.app.get("/look.css")
    def look_css() -> Response:
        return send_file(FILES / f"{request.args['look']}.css")

    @host.app.get("/look")
    def look() -> Response:
        page = Response(render_template("look.html"))
        page.headers["Content-Security-Policy"] = "default-src 'self'"
        return page
