"""A page with forms, as one that reads or presses them meets it."""

from __future__ import annotations

import re

from flask_optout.doctor.forms import DECOY

PAGE = f"""
<script src="/static/htmx.js"></script><script>inline()</script>
<button name="outside" value="1">Outside</button>
<form action="/optout/aaaa"><input name="nonce" value="n1"><input type="submit">
  <button name="choice" value="mute"> Not <b>Interested?</b></button>
  <button name="choice" value="{DECOY}">Nothing</button><button type="button">No name</button>
</form>
<form><input name="empty"><button name="other" value="x">Other</button></form>
"""


def unnamed(answer: bytes) -> bytes:
    """The answer of a page that mails links, without what its visitor typed."""
    return re.sub(rb"<p>You typed .*?</p>\n", b"", answer)
