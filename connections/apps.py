from django.apps import AppConfig


class ConnectionsConfig(AppConfig):
    name = "connections"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.models.signals import post_delete

        from common.access import register_grantable
        from connections.connectors.registry import all_connectors
        from connections.models import Connection
        from connections.selectors import connection_in_path
        from tenants.services import forget_grants_on, know_connectors

        know_connectors(lambda: {key: str(one.label) for key, one in all_connectors().items()})
        register_grantable("connection", connection_in_path)
        post_delete.connect(
            forget_grants_on, sender=Connection, dispatch_uid="grants on connections"
        )
