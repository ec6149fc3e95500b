from django.apps import AppConfig
from django.db.models.signals import post_migrate


class TenantsConfig(AppConfig):
    name = "tenants"
    verbose_name = "Organizations and people"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.models.signals import post_delete

        from common import ciphertext, row_security
        from tenants import signals  # noqa: F401  connects the receivers
        from tenants.ciphertext import walk_authenticator
        from tenants.models import Membership
        from tenants.services import forget_grants_of

        post_delete.connect(forget_grants_of, sender=Membership, dispatch_uid="grants of members")
        ciphertext.hold("mfa.Authenticator", "data", walk_authenticator)
        # All tables are there by then, also those of the apps above.
        post_migrate.connect(row_security.protect, sender=self, dispatch_uid="row security")
