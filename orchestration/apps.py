from django.apps import AppConfig


class OrchestrationConfig(AppConfig):
    name = "orchestration"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from orchestration.pipeline_history import HISTORY
        from pipelines.selectors import register_history

        register_history(HISTORY)
