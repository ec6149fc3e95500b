from django.apps import AppConfig


class DatanikaSiteConfig(AppConfig):
    name = "datanika_site"
