"""The unit tests mirror the modules of the package one to one."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE, UNIT = ROOT / "flask_optout", ROOT / "tests" / "unit"


def test_every_module_has_a_unit_test_and_every_unit_test_a_module() -> None:
    paths = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    modules = {str(path.with_name(f"test_{path.name}")) for path in paths}
    tests = {path.relative_to(UNIT) for path in UNIT.rglob("test_*.py")} - {Path(__file__).relative_to(UNIT)}
    assert {str(test) for test in tests} == modules


def test_the_package_has_at_most_twenty_entries() -> None:
    assert len([path for path in PACKAGE.iterdir() if path.name != "__pycache__"]) <= 20
