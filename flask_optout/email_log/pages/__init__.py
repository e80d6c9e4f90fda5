"""The operator's blueprint: the Email Log. It shows the same for everybody, whatever they chose."""

from . import entries, resending  # noqa: F401  (their routes)
from .base import blueprint, enter
from .guard import SEGMENT, Guard, checked, stand_before

__all__ = ["SEGMENT", "Guard", "blueprint", "checked", "enter", "stand_before"]
