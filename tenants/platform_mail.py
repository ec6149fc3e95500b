"""The mail server in force: the one that operators saved, else that of the environment."""

import re
import smtplib
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend as SmtpBackend
from django.core.validators import validate_email

from common.errors import TransientError, UserError
from common.redaction import Redactor
from tenants.models import PlatformSettings
from tenants.selectors import platform_settings

BACKEND = "tenants.platform_mail.PlatformMailBackend"
SECURITY = {
    "starttls": "STARTTLS (port 587)",
    "tls": "TLS from the first byte (port 465)",
    "none": "None",
}
SECONDS = 15
#: Backends that write mail down instead of sending it.
_NOT_SENDING = ("console.EmailBackend", "dummy.EmailBackend", "filebased.EmailBackend")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[?[0-9A-Fa-f:]{2,45}\]?")


class MailNotSent(TransientError):
    """The mail server did not take the mail."""

    code = "mail_not_sent"


@dataclass(frozen=True)
class MailServer:
    """As operators saved it; ``security`` is a key of ``SECURITY``."""

    host: str
    port: int
    security: str
    user: str
    password: str
    sender: str


def server_in_force() -> MailServer | None:
    """The saved server; None leaves mail to the environment."""
    platform = platform_settings()
    if not platform.mail:
        return None
    saved = platform.mail
    # Read by itself: platform_settings() is asked for all the time and leaves the ciphertext alone.
    secrets = PlatformSettings.objects.only("mail_secrets").get(pk=1).mail_secrets
    return MailServer(
        host=saved["host"],
        port=saved["port"],
        security=saved["security"],
        user=saved["user"],
        password=secrets.get("password", ""),
        sender=saved["from"],
    )


def can_send() -> bool:
    """Whether mail leaves this installation, rather than being written down."""
    backend = str(settings.EMAIL_BACKEND)
    if backend == BACKEND:
        if platform_settings().mail:
            return True
        backend = str(settings.MAIL_BACKEND_OF_ENVIRONMENT)
    return not backend.endswith(_NOT_SENDING)


class PlatformMailBackend(BaseEmailBackend):
    """Asks for the server with every mail, so that a change needs no restart."""

    def __init__(self, fail_silently: bool = False, **options: Any) -> None:
        super().__init__(fail_silently=fail_silently)
        self._options = options

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        server = server_in_force()
        if server is None:
            backend = get_connection(
                settings.MAIL_BACKEND_OF_ENVIRONMENT,
                fail_silently=self.fail_silently,
                **self._options,
            )
            return backend.send_messages(email_messages) or 0
        for message in email_messages:
            # What names no sender of its own has Django's default, which is the environment's.
            if message.from_email == settings.DEFAULT_FROM_EMAIL:
                message.from_email = server.sender
        return self._smtp(server).send_messages(email_messages) or 0

    def _smtp(self, server: MailServer) -> SmtpBackend:
        return SmtpBackend(
            host=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.security == "starttls",
            use_ssl=server.security == "tls",
            timeout=self._options.get("timeout") or SECONDS,
            fail_silently=self.fail_silently,
        )


def send_test(address: str) -> None:
    """A mail through the server in force; ``UserError`` with what the server said when it was not taken."""
    check_address(address, "address")
    if not can_send():
        raise UserError(
            "This installation sends no mail: it is written into the log.",
            remedy="Save a mail server first, or set DATANIKA_EMAIL_URL.",
        )
    server = server_in_force()
    message = EmailMessage(
        "Test mail of Datanika", "The mail server of this installation works.", to=[address]
    )
    try:
        message.send()
    except smtplib.SMTPResponseException as error:
        said = f"{error.smtp_code} {_text(error.smtp_error)}"
        raise _not_sent(f"The mail server answered {said}", server) from None
    except smtplib.SMTPRecipientsRefused as error:
        codes = ", ".join(str(code) for code, _words in error.recipients.values())
        raise _not_sent(f"The mail server refused the address ({codes})", server) from None
    except (smtplib.SMTPException, OSError) as error:
        raise _not_sent(f"The mail server cannot be used: {error}", server) from None


def check_mail(mail: Any) -> dict[str, Any] | None:
    """The settings of a server as they are stored, or ``UserError`` with the form's field; None is none."""
    if not mail or not str(mail.get("host") or "").strip():
        return None
    host, security = str(mail["host"]).strip(), mail.get("security") or "starttls"
    port, user = mail.get("port"), str(mail.get("user") or "").strip()
    if not _HOST.fullmatch(host):
        raise _refused(f"{host!r} is no host name.", "mail_host", "Write mail.example.com.")
    if not isinstance(port, int) or not 1 <= port <= 65_535:
        raise _refused("The port is a number from 1 to 65535.", "mail_port", "Usually 587 or 465.")
    if security not in SECURITY:
        raise _refused(
            f"{security!r} is no kind of encryption.",
            "mail_security",
            f"One of {', '.join(SECURITY)}.",
        )
    if user and security == "none":
        raise _refused(
            "A password is not sent without encryption.", "mail_security", "Choose STARTTLS or TLS."
        )
    sender = str(mail.get("from") or "").strip()
    check_address(parseaddr(sender)[1], "mail_from")
    return {"host": host, "port": port, "security": security, "user": user, "from": sender}


def check_address(address: str, field: str) -> None:
    try:
        validate_email(address)
    except ValidationError:
        raise _refused(
            f"{address!r} is not an e-mail address.", field, "Write name@example.com."
        ) from None


def _refused(message: str, field: str, remedy: str) -> UserError:
    return UserError(message, field=field, remedy=remedy)


def _not_sent(message: str, server: MailServer | None) -> MailNotSent:
    known = [server.password] if server else [str(settings.EMAIL_HOST_PASSWORD)]
    return MailNotSent(
        f"{Redactor(known).text(message).rstrip('.')}.",
        remedy="Check host, port, encryption, user and password.",
    )


def _text(words: bytes | str) -> str:
    return words.decode(errors="replace") if isinstance(words, bytes) else words
