"""What a browser or a crawler finds in a page, and what it sends."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode

#: What browsers call themselves, but for the version, and what a candidate's does.
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{} Safari/537.36"
CHROME = BROWSER.format("125.0.0.0")
#: The type of what a form sends, and the body of one click with its type (RFC 8058 section 3.1).
FORM = "application/x-www-form-urlencoded"
SIGNAL = (b"List-Unsubscribe=One-Click", FORM)
DECOY = "none"


@dataclass
class Button:
    """A button as a crawler finds it."""

    name: str
    value: str
    label: str = ""


@dataclass
class Form:
    """A form as a crawler finds it."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[Button] = field(default_factory=list)

    def body(self, button: Button) -> bytes:
        """What is sent when a button of it is pressed."""
        return urlencode({**self.fields, button.name: button.value}).encode()


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.scripts: list[str] = []
        self._button: Button | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(attributes.get("action", "")))
        elif tag == "input" and self.forms and "name" in attributes:
            self.forms[-1].fields[attributes["name"]] = attributes.get("value", "")
        elif tag == "button" and self.forms and "name" in attributes:
            self._button = Button(attributes["name"], attributes.get("value", ""))
            self.forms[-1].buttons.append(self._button)
        elif tag == "script" and "src" in attributes:
            self.scripts.append(attributes["src"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "button":
            self._button = None

    def handle_data(self, data: str) -> None:
        if self._button is not None:
            self._button.label += data.strip()


def find_forms(text: str) -> list[Form]:
    """The forms of a page, in their order."""
    return _Page(text).forms


def find_buttons(text: str) -> list[tuple[Form, Button]]:
    """The buttons of a page, each with its form."""
    return [(form, button) for form in find_forms(text) for button in form.buttons]


def find_scripts(text: str) -> list[str]:
    """Where the scripts of a page come from."""
    return _Page(text).scripts


def find_offered(text: str) -> frozenset[str]:
    """The choices that a page offers to people: they tell what stands."""
    return frozenset(button.value for _, button in find_buttons(text) if button.name == "choice") - {DECOY}
