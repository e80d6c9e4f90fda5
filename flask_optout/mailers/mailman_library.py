"""The names of Flask-Mailman that the adapter uses. It has no types; the ``.pyi`` beside this file adds them."""

from flask_mailman import EmailMessage, EmailMultiAlternatives, Mail, _Mail, _MailMixin
from flask_mailman.backends.base import BaseEmailBackend
from flask_mailman.message import sanitize_address

__all__ = [
    "BaseEmailBackend",
    "EmailMessage",
    "EmailMultiAlternatives",
    "Mail",
    "_Mail",
    "_MailMixin",
    "sanitize_address",
]
