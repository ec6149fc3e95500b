"""Mail that a request asks for and a worker writes.

Whether an address has an account is looked up by the worker. So a page takes the same time for known and
unknown addresses, and no link waits in the broker.
"""

import logging
import smtplib

from celery import shared_task
from kombu.exceptions import OperationalError

from tenants import mail
from tenants.models import User

logger = logging.getLogger("datanika.mail")

#: What nobody has written by then is not expected any more.
EXPIRES_SECONDS = 3600


@shared_task(
    name="tenants.write_mail",
    autoretry_for=(smtplib.SMTPException, OSError),
    retry_backoff=30,
    max_retries=3,
)
def write_mail(kind: str, email: str, user_id: int = 0) -> None:
    """``kind`` is what for: ``sign_up``, ``reset``, ``verification``, ``change`` or ``changed``."""
    if kind == "sign_up":
        mail.write_sign_up(email)
    elif kind == "reset":
        mail.write_reset(email)
    elif user := User.objects.filter(pk=user_id, is_active=True).first():
        _write_to(user, kind, email)


def _write_to(user: User, kind: str, email: str) -> None:
    if kind == "verification":
        mail.write_verification(user)
    elif kind == "change":
        mail.write_change(user, email)
    else:
        mail.write_changed(user, email)


def ask(kind: str, email: str, user: User | None = None) -> None:
    """Have a mail written. A broker that is away is logged, and the page says the same as ever."""
    arguments = (kind, email, user.pk if user else 0)
    try:
        write_mail.apply_async(arguments, expires=EXPIRES_SECONDS, retry=False)
    except (OperationalError, OSError) as error:
        logger.error("the broker did not take a mail to be written: %s", type(error).__name__)
