"""Render a template of ours in the language at hand."""

from __future__ import annotations

from typing import Any

from flask import render_template

from .languages import at_hand, day, translate, translate_many


def render(template: str, **context: Any) -> str:
    """Render ``optout/<template>``; a host's template of the same name wins."""
    words = {"_": translate, "ngettext": translate_many, "day": day, "language": at_hand()}
    return render_template(f"optout/{template}", **words, **context)
