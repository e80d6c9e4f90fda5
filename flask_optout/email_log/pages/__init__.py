"""The operator's pages of the Email Log. They show the same for everybody, whatever they chose."""

from . import invitation, listing  # noqa: F401  (their routes)
from .base import Guard, checked, register

__all__ = ["Guard", "checked", "register"]
