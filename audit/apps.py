from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_migrate


class AuditConfig(AppConfig):
    name = "audit"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from audit import database, guard

        connection_created.connect(guard.give_function, dispatch_uid="guard of the audit log")
        pre_migrate.connect(
            _before_migrations, sender=self, dispatch_uid="triggers of the audit log go"
        )
        post_migrate.connect(
            database.install, sender=self, dispatch_uid="triggers of the audit log"
        )


def _before_migrations(*, plan: list[Any], using: str, **_: Any) -> None:
    if any(migration.app_label == "audit" for migration, _backwards in plan):
        from audit import database

        database.remove(using=using)
