from collections.abc import Iterable, Mapping, Sequence
from email.charset import Charset
from email.message import Message
from email.mime.base import MIMEBase
from functools import cached_property
from pathlib import Path
from smtplib import SMTP
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self

from flask import Flask

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

def sanitize_address(addr: str | tuple[str, str], encoding: str) -> str: ...

class BaseEmailBackend:
    fail_silently: bool
    mailman: _Mail
    def __init__(self, mailman: _Mail | None = None, fail_silently: bool = False, **kwargs: Any) -> None: ...
    def open(self) -> bool | None: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def send_messages(self, email_messages: Iterable[EmailMessage]) -> int | None: ...

class EmailBackend(BaseEmailBackend):
    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        username: str | None = None,
        password: str | None = None,
        use_tls: bool | None = None,
        fail_silently: bool = False,
        use_ssl: bool | None = None,
        timeout: float | None = None,
        ssl_keyfile: str | None = None,
        ssl_certfile: str | None = None,
        **kwargs: Any,
    ) -> None: ...
    @property
    def connection_class(self) -> type[SMTP]: ...
    @cached_property
    def ssl_context(self) -> SSLContext: ...

class EmailMessage:
    content_subtype: str
    mixed_subtype: str
    encoding: str | Charset | None
    to: list[str]
    cc: list[str]
    bcc: list[str]
    reply_to: list[str]
    from_email: str
    subject: str
    body: str
    attachments: list[Any]
    extra_headers: dict[str, str]
    connection: BaseEmailBackend | None
    def __init__(
        self,
        subject: str = "",
        body: str | None = "",
        from_email: str | tuple[str, str] | None = None,
        to: Iterable[str] | None = None,
        bcc: Iterable[str] | None = None,
        connection: BaseEmailBackend | None = None,
        attachments: Iterable[MIMEBase | tuple[Any, ...]] | None = None,
        headers: dict[str, str] | None = None,
        cc: Iterable[str] | None = None,
        reply_to: Iterable[str] | None = None,
    ) -> None: ...
    def get_connection(self, fail_silently: bool = False) -> BaseEmailBackend: ...
    def message(self) -> Message: ...
    def recipients(self) -> list[str]: ...
    def send(self, fail_silently: bool = False) -> int | None: ...
    def attach(
        self,
        filename: str | MIMEBase | None = None,
        content: Any = None,
        mimetype: str | None = None,
    ) -> None: ...
    def attach_file(self, path: str | Path, mimetype: str | None = None) -> None: ...

class EmailMultiAlternatives(EmailMessage):
    alternative_subtype: str
    alternatives: list[tuple[Any, str]]
    def __init__(
        self,
        subject: str = "",
        body: str | None = "",
        from_email: str | tuple[str, str] | None = None,
        to: Iterable[str] | None = None,
        bcc: Iterable[str] | None = None,
        connection: BaseEmailBackend | None = None,
        attachments: Iterable[MIMEBase | tuple[Any, ...]] | None = None,
        headers: dict[str, str] | None = None,
        alternatives: list[tuple[Any, str]] | None = None,
        cc: Iterable[str] | None = None,
        reply_to: Iterable[str] | None = None,
    ) -> None: ...
    def attach_alternative(self, content: Any, mimetype: str) -> None: ...

class _MailMixin:
    # A backend of the host's own need not be a BaseEmailBackend.
    def import_backend(self, backend_name: Any) -> type[Any]: ...
    def get_connection(
        self,
        backend: Any = None,
        fail_silently: bool = False,
        **kwds: Any,
    ) -> BaseEmailBackend: ...
    def send_mail(
        self,
        subject: str,
        message: str,
        from_email: str | tuple[str, str] | None = None,
        recipient_list: Iterable[str] | None = None,
        fail_silently: bool = False,
        auth_user: str | None = None,
        auth_password: str | None = None,
        connection: BaseEmailBackend | None = None,
        html_message: str | None = None,
    ) -> int | None: ...
    def send_mass_mail(
        self,
        datatuple: Iterable[tuple[str, str, str | tuple[str, str] | None, Iterable[str]]],
        fail_silently: bool = False,
        auth_user: str | None = None,
        auth_password: str | None = None,
        connection: BaseEmailBackend | None = None,
    ) -> int | None: ...

class _Mail(_MailMixin):
    server: str
    port: int
    username: str | None
    password: str | None
    use_tls: bool
    use_ssl: bool
    default_sender: str | tuple[str, str] | None
    timeout: float | None
    ssl_keyfile: str | None
    ssl_certfile: str | None
    use_localtime: bool
    file_path: str | Path | None
    default_charset: str
    mail_options: Sequence[str]
    backend: Any
    def __init__(
        self,
        server: str,
        port: int,
        username: str | None,
        password: str | None,
        use_tls: bool,
        use_ssl: bool,
        default_sender: str | tuple[str, str] | None,
        timeout: float | None,
        ssl_keyfile: str | None,
        ssl_certfile: str | None,
        use_localtime: bool,
        file_path: str | Path | None,
        default_charset: str,
        mail_options: Sequence[str],
        backend: Any,
    ) -> None: ...

class Mail(_MailMixin):
    app: Flask | None
    state: _Mail | None
    def __init__(self, app: Flask | None = None) -> None: ...
    @staticmethod
    def init_mail(config: Mapping[str, Any], testing: bool = False) -> _Mail: ...
    def init_app(self, app: Flask) -> _Mail: ...
    def __getattr__(self, name: str) -> Any: ...
