from django.apps import AppConfig


class PipelinesConfig(AppConfig):
    name = "pipelines"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from connections.usage import register
        from pipelines.usage import SOURCE

        register("pipeline", SOURCE)
