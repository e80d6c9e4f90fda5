"""Render a template of ours, translated by Flask-Babel where the host has it, in English elsewhere."""

from __future__ import annotations

from typing import Any

from flask import current_app, render_template


def render(template: str, **context: Any) -> str:
    """Render ``optout/<template>``; a host's template of the same name wins."""
    return render_template(f"optout/{template}", _=translate, **context)


def translate(message: str) -> str:
    """The message in the language that Flask-Babel has chosen, or as it is."""
    if "babel" in current_app.extensions:
        from flask_babel import gettext

        return str(gettext(message))
    return message
