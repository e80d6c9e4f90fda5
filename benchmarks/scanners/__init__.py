"""Scanners and people against the real app on a real HTTP server: who ends up muted, and who wanted to be."""
