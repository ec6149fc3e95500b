from django.apps import AppConfig


class CommonConfig(AppConfig):
    """No tables: template tags and translations are found through it."""

    name = "common"
