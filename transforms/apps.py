from django.apps import AppConfig


class TransformsConfig(AppConfig):
    name = "transforms"
    default_auto_field = "django.db.models.BigAutoField"
