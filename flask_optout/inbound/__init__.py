"""Mails that opt somebody out."""
