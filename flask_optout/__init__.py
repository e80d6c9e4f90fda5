"""A "Not Interested?" link in every invitation of a Flask app, and no further invitation for whoever presses it."""

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
