"""Fuzz targets: ``python -m fuzz all --seconds 10``."""
