"""The operator's blueprint: the Email Log. It shows the same for everybody, whatever they chose."""

from . import entries, resending  # noqa: F401  (their routes)
from .base import blueprint
from .guard import Guard, checked, operator_name

__all__ = ["Guard", "blueprint", "checked", "operator_name"]
