"""Whether a person's address is proven, for their account page."""

from django import template

from tenants import mail
from tenants.models import User
from tenants.services import addresses

register = template.Library()


@register.simple_tag
def is_address_verified(user: User) -> bool:
    return addresses.is_verified(user)


@register.simple_tag
def can_send_mail() -> bool:
    return mail.can_send()
