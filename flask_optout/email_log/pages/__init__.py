"""The operator's blueprint: the Email Log. It shows the same for everybody, whatever they chose."""

from . import entries, resending, saving  # noqa: F401  (their routes)
from .base import blueprint
from .guard import Guard, as_check

__all__ = ["Guard", "as_check", "blueprint"]
