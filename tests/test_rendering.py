"""Pages and footers speak the language that the host's Flask-Babel has chosen."""

from __future__ import annotations

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from flask_babel import Babel

from .conftest import MakeHost


def test_a_hosts_catalogue_translates_the_page_and_the_footer(make: MakeHost, tmp_path: Path) -> None:
    catalog = Catalog(locale="de")
    catalog.add("Not Interested?", "Kein Interesse?")
    folder = tmp_path / "translations" / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "messages.mo").open("wb") as file:
        write_mo(file, catalog)
    host = make(TESTING=True)
    Babel(host.app, default_locale="de", default_translation_directories=str(tmp_path / "translations"))
    with host.app.app_context(), host.mail.record_messages() as outbox:
        assert "Kein Interesse?" in host.app.test_client().get(host.path()).text
        host.mail.send(host.invitation())
    assert outbox[0].html is not None and "Kein Interesse?" in outbox[0].html
