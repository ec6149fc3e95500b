from django.apps import AppConfig


class OrchestrationConfig(AppConfig):
    name = "orchestration"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from orchestration import standings
        from orchestration.pipeline_history import HISTORY
        from orchestration.services import backfills, graph
        from orchestration.signals import run_ended
        from pipelines.selectors import register_history
        from pipelines.services import pipeline_restored
        from transforms.services import reads_changed

        register_history(HISTORY)
        reads_changed.connect(graph.refuse_circle, dispatch_uid="circle of sql")
        pipeline_restored.connect(graph.refuse_circle, dispatch_uid="circle of pipelines")
        run_ended.connect(standings.keep, dispatch_uid="standings")
        run_ended.connect(backfills.run_has_ended, dispatch_uid="backfills")
