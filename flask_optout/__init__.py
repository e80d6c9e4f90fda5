"""A "Not Interested?" link for every invitation that a Flask app sends, and the gate that obeys it."""

from .errors import (
    AddressError,
    BadToken,
    ConfigurationError,
    InvitationError,
    JournalError,
    ListError,
    NotAllSent,
    NotGated,
    OpportunityError,
    OptOutError,
    StoreUnavailable,
)
from .extension import OptOut
from .pages.words import Opportunity

__all__ = [
    "AddressError",
    "BadToken",
    "ConfigurationError",
    "InvitationError",
    "JournalError",
    "ListError",
    "NotAllSent",
    "NotGated",
    "Opportunity",
    "OpportunityError",
    "OptOut",
    "OptOutError",
    "StoreUnavailable",
]
