"""The errors: each says what is wrong, why it matters and how to mend it, and holds no address."""

from __future__ import annotations

import re

#: The page of the manual that explains every error, each under its own anchor.
ERROR_INDEX = "https://flask-optout.readthedocs.io/page/errors.html"


class OptOutError(Exception):
    """The base class of every error that Flask-OptOut raises on purpose.

    :param what: what is wrong.
    :param why: why it matters.
    :param mend: how to mend it.
    """

    def __init__(self, what: str, why: str, mend: str) -> None:
        super().__init__(what, why, mend)
        self.what = what
        self.why = why
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.what} {self.why} {self.mend}\nSee {self.see}"

    @property
    def see(self) -> str:
        """The URL of this error in the manual."""
        return f"{ERROR_INDEX}#{re.sub('(?<!^)(?=[A-Z])', '-', type(self).__name__).lower()}"


class ConfigurationError(OptOutError):
    """A setting is missing or cannot work; no invitation leaves until it is mended."""


class AddressError(OptOutError, ValueError):
    """A recipient is not one well-formed email address."""


class OpportunityError(OptOutError, ValueError):
    """An opportunity's id cannot stand in a link."""


class InvitationError(OptOutError, ValueError):
    """An invitation cannot be sent as it is written."""


class ListError(OptOutError, ValueError):
    """A list of mutes from another system cannot be read at all."""


class JournalError(OptOutError):
    """The journal of choices is missing or damaged, or the database does not belong to it; no invitation leaves."""


class NotGated(OptOutError):
    """An invitation was about to leave without passing the gate."""


class NotAllSent(OptOutError):
    """Some of many messages could not be sent; the others were handed off."""


class BadToken(OptOutError, ValueError):
    """A link's token is damaged, forged, or made for another door."""


class StoreUnavailable(OptOutError):
    """The choices could not be read or written just now; the same call may succeed later."""
