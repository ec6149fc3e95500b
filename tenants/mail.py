"""Mail of this app: links that invite, prove an address or lead to a new password."""

import logging
import smtplib
from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.mail import EmailMessage, get_connection, send_mail
from django.template.loader import render_to_string
from django.urls import reverse

from tenants import platform_mail, proofs
from tenants.models import Invitation, User
from tenants.services import addresses

logger = logging.getLogger("datanika.mail")

#: A mail server that does not answer must not hold a worker's thread.
SECONDS = 20


def can_send() -> bool:
    return platform_mail.can_send()


def send_invitation(invitation: Invitation, link: str) -> bool:
    """Mail the link; False when there is no mail, or the server did not take it."""
    if not can_send():
        return False
    # The link on the page lacks this: only who reads the mail proves the address.
    link = f"{link}?proof={proofs.invitation_proof(invitation)}"
    context = {"invitation": invitation, "link": link}
    subject = render_to_string("tenants/mail/invitation_subject.txt", context).strip()
    text = render_to_string("tenants/mail/invitation.txt", context)
    try:
        send_mail(subject, text, None, [invitation.email])
    except (smtplib.SMTPException, OSError) as error:
        logger.warning("invitation not mailed: %s", type(error).__name__)
        return False
    return True


# Written by a worker (``tenants.tasks``), which looks up by itself who has the address ---------------


def write_sign_up(email: str) -> None:
    """To whom somebody signed up as: the link that proves the address, or that there is an account already."""
    user = addresses.find_person(email)
    if user is not None and addresses.must_verify(user) and user.is_active:
        write_verification(user)
    elif user is not None:
        _send("account_exists", email, link=_link("account_login"))


def write_verification(user: User) -> None:
    token = proofs.verification_token(user)
    _send("verification", user.email, link=_link("account_confirm_email", token))


def write_reset(email: str) -> None:
    """A link to choose a new password. It goes to the person's own address, whichever of theirs was given."""
    user = addresses.find_person(email)
    if user is None or not user.is_active:
        return
    key = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
    link = settings.BASE_URL + path.replace("UID-KEY", key)
    _send("password_reset_key", user.email, link=link)


def write_change(user: User, email: str) -> None:
    """To the new address: the link that proves it, or that another account has it."""
    owner = addresses.find_person(email)
    if owner is not None and owner.pk != user.pk:
        _send("account_exists", email, link=_link("account_login"))
        return
    token = proofs.change_token(user, email)
    _send("email_change", email, link=_link("account_email_confirm", token), name=user.display_name)


def write_changed(user: User, before: str) -> None:
    """To the address that no longer is theirs."""
    _send("email_changed", before, email=user.email)


def _link(name: str, *arguments: str) -> str:
    # Not the host that was asked for: who asks may choose that.
    return f"{settings.BASE_URL}{reverse(name, args=arguments)}"


def _send(template: str, to: str, **context: Any) -> None:
    context["site"] = settings.BASE_URL
    subject = render_to_string(f"account/email/{template}_subject.txt", context)
    text = render_to_string(f"account/email/{template}_message.txt", context)
    EmailMessage(
        " ".join(subject.split()),
        text.strip() + "\n",
        to=[to],
        headers={"Auto-Submitted": "auto-generated"},
        connection=get_connection(timeout=SECONDS),
    ).send()
