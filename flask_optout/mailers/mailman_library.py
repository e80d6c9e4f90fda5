"""What the adapter uses of Flask-Mailman, which has no types; they stand beside this file, in the ``.pyi``."""

# ruff: noqa: F401
from flask_mailman import EmailMessage, EmailMultiAlternatives, Mail, _Mail, _MailMixin
from flask_mailman.backends.base import BaseEmailBackend
from flask_mailman.message import sanitize_address
