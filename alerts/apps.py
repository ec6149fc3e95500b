from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "alerts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from alerts.receivers import take_ended_run
        from alerts.retention import DELIVERIES, INCIDENTS
        from alerts.signals import deliveries_written
        from alerts.tasks import ring
        from orchestration import retention
        from orchestration.signals import run_ended

        retention.register(DELIVERIES)
        retention.register(INCIDENTS)
        run_ended.connect(take_ended_run, dispatch_uid="alerts")
        deliveries_written.connect(ring, dispatch_uid="alerts")
