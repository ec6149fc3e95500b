"""Mail of this app: an invitation's link, when the installation can send any."""

import logging
import smtplib

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string

from tenants.models import Invitation

logger = logging.getLogger("datanika.mail")

#: Backends that write mail down instead of sending it.
_NOT_SENDING = ("console.EmailBackend", "dummy.EmailBackend", "filebased.EmailBackend")


def can_send() -> bool:
    return not str(settings.EMAIL_BACKEND).endswith(_NOT_SENDING)


def send_invitation(invitation: Invitation, link: str) -> bool:
    """Mail the link; False when there is no mail, or the server did not take it."""
    if not can_send():
        return False
    context = {"invitation": invitation, "link": link}
    subject = render_to_string("tenants/mail/invitation_subject.txt", context).strip()
    text = render_to_string("tenants/mail/invitation.txt", context)
    try:
        send_mail(subject, text, None, [invitation.email])
    except (smtplib.SMTPException, OSError) as error:
        logger.warning("invitation not mailed: %s", type(error).__name__)
        return False
    return True
