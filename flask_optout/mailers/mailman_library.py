"""What the adapter uses of Flask-Mailman, which has no types; they stand beside this file, in the ``.pyi``."""

from flask_mailman import EmailMessage, EmailMultiAlternatives, Mail, _Mail, _MailMixin
from flask_mailman.backends.base import BaseEmailBackend
from flask_mailman.backends.smtp import EmailBackend
from flask_mailman.message import sanitize_address

__all__ = [
    "BaseEmailBackend",
    "EmailBackend",
    "EmailMessage",
    "EmailMultiAlternatives",
    "Mail",
    "_Mail",
    "_MailMixin",
    "sanitize_address",
]
