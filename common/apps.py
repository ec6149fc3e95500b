from django.apps import AppConfig
from django.core.signals import request_finished


class CommonConfig(AppConfig):
    """No tables: template tags and translations are found through it."""

    name = "common"

    def ready(self) -> None:
        from common import belonging, scope

        # After the last byte of an answer: what streams is still within its organization.
        request_finished.connect(scope.leave, dispatch_uid="scope of requests")
        belonging.watch()
