"""People, the organizations they belong to, and the keys that machines use."""

from tenants.models.access import ApiKey, Invitation, TokenFamily
from tenants.models.organizations import Membership, Organization
from tenants.models.people import IdentityProvider, ProviderKind, User
from tenants.models.platform import PlatformSettings, SignUpPolicy
from tenants.models.sessions import BrowserSession

__all__ = [
    "ApiKey",
    "BrowserSession",
    "IdentityProvider",
    "Invitation",
    "Membership",
    "Organization",
    "PlatformSettings",
    "ProviderKind",
    "SignUpPolicy",
    "TokenFamily",
    "User",
]
