"""The unit tests mirror the modules of the package."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE, UNIT = ROOT / "flask_optout", ROOT / "tests" / "unit"


def test_every_module_has_a_unit_test_and_every_unit_test_a_module() -> None:
    """A long one may be two, such as ``test_store.py`` and ``test_store_failures.py``."""
    paths = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    modules = {str(path.with_name(f"test_{path.stem}")) for path in paths}
    tests = {str(path.relative_to(UNIT).with_suffix("")) for path in UNIT.rglob("test_*.py")} - {"test_layout"}
    assert modules <= tests
    assert [test for test in tests - modules if not any(test.startswith(f"{module}_") for module in modules)] == []


def test_the_package_has_at_most_twenty_entries() -> None:
    assert len([path for path in PACKAGE.iterdir() if path.name != "__pycache__"]) <= 20
