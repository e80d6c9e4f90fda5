"""Measurements: each figure is a ratio to something that was measured in the same rounds."""
