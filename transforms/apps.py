from django.apps import AppConfig


class TransformsConfig(AppConfig):
    name = "transforms"
    verbose_name = "Transformations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from connections.usage import register
        from transforms.usage import SOURCE

        register("transformation", SOURCE)
