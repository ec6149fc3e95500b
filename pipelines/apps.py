from django.apps import AppConfig


class PipelinesConfig(AppConfig):
    name = "pipelines"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.models.signals import post_delete

        from common.access import register_grantable
        from connections.usage import register
        from pipelines.models import Pipeline
        from pipelines.selectors import named_pipeline, pipeline_in_path
        from pipelines.usage import SOURCE
        from tenants.services import forget_grants_on

        register("pipeline", SOURCE)
        register_grantable("pipeline", pipeline_in_path)
        register_grantable("named pipeline", named_pipeline)
        post_delete.connect(forget_grants_on, sender=Pipeline, dispatch_uid="grants on pipelines")
