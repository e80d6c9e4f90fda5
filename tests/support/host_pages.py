"""Pages of a host's: its frame, its page for an opportunity, and an account page with toggles."""

from __future__ import annotations

from flask import render_template, request
from jinja2 import ChoiceLoader, DictLoader

from tests.support.hosts import Host

BASE = """<!doctype html><html lang="en"><head><title>{% block title %}Jobs{% endblock %}</title>
{% block head %}{% include "optout/_head.html" %}{% endblock %}</head>
<body><header>Jobs at Example</header><main>{% block main %}{% endblock %}</main></body></html>"""
TEMPLATES = {
    "base.html": BASE,
    "optout/base.html": "{% extends 'base.html' %}{% block main %}{% block content %}{% endblock %}{% endblock %}",
    "opportunity.html": "{% extends 'base.html' %}{% block main %}<h1>Try the Pixel Beta</h1>"
    "<a href='/apply'>Apply now</a> {{ optout_toggle() }}{% endblock %}",
    "account.html": "{% extends 'base.html' %}{% block main %}<h1>My invitations</h1>"
    "{% for id in ids %}{{ optout_toggle('jane@example.org', id) }}{% endfor %}{% endblock %}",
}


def dress(host: Host, base: str = BASE) -> Host:
    """Give the host templates, an account page with toggles, and a public page for an opportunity."""
    templates = TEMPLATES | {"base.html": base}
    host.app.jinja_loader = ChoiceLoader([DictLoader(templates), *filter(None, [host.app.jinja_loader])])

    @host.app.get("/account")
    def account() -> str:
        return render_template("account.html", ids=request.args.getlist("id") or ["beta-42"])

    @host.app.get("/opportunities/<opportunity_id>")
    def opportunity(opportunity_id: str) -> str:
        return render_template("opportunity.html")

    host.optout.landing_page(lambda id: opportunity(id) if id == "beta-42" else None)
    return host
