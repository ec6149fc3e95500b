from django.apps import AppConfig
from django.db.models.signals import post_migrate


class TenantsConfig(AppConfig):
    name = "tenants"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from common import row_security
        from tenants import signals  # noqa: F401  connects the receivers

        # All tables are there by then, also those of the apps above.
        post_migrate.connect(row_security.protect, sender=self, dispatch_uid="row security")
