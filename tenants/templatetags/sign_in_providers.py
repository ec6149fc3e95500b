"""What the fragments of ``templates/socialaccount/`` show."""

from dataclasses import dataclass

from allauth.socialaccount.models import SocialAccount
from django import template

from tenants.models import IdentityProvider, User
from tenants.providers import enabled_providers

register = template.Library()


@dataclass(frozen=True)
class Linked:
    pk: int
    name: str
    label: str
    is_enabled: bool


@register.simple_tag
def sign_in_providers() -> list[IdentityProvider]:
    """Those that people may sign in with now."""
    return enabled_providers()


@register.simple_tag
def linked_sign_ins(user: User) -> list[Linked]:
    """What is linked to a person's account."""
    providers = {row.slug: row for row in IdentityProvider.objects.defer("secrets")}
    found = []
    for account in SocialAccount.objects.filter(user=user).order_by("date_joined", "pk"):
        row = providers.get(account.provider)
        name = row.name if row else account.provider
        label = str(account.extra_data.get("label") or "")
        found.append(Linked(account.pk, name, label, bool(row and row.is_enabled)))
    return found
