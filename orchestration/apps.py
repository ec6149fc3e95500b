from django.apps import AppConfig


class OrchestrationConfig(AppConfig):
    name = "orchestration"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from orchestration import grants, standings
        from orchestration.pipeline_history import HISTORY
        from orchestration.services import backfills, graph, rest
        from orchestration.signals import run_ended
        from pipelines.selectors import register_history
        from pipelines.services import pipeline_deleted, pipeline_restored
        from tenants.services import organization_rests, organization_wakes
        from transforms.services import reads_changed, transformation_deleted

        register_history(HISTORY)
        grants.register()
        reads_changed.connect(graph.refuse_circle, dispatch_uid="circle of sql")
        pipeline_restored.connect(graph.refuse_circle, dispatch_uid="circle of pipelines")
        organization_rests.connect(rest.lay_to_rest, dispatch_uid="runs rest")
        organization_wakes.connect(rest.wake, dispatch_uid="schedules wake")
        pipeline_deleted.connect(rest.pipeline_has_gone, dispatch_uid="schedules of pipelines")
        transformation_deleted.connect(
            rest.transformation_has_gone, dispatch_uid="schedules of transformations"
        )
        run_ended.connect(standings.keep, dispatch_uid="standings")
        run_ended.connect(backfills.run_has_ended, dispatch_uid="backfills")
