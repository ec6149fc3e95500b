"""What lists and the overview read, so that their time does not grow with the number of runs."""

import django.db.models.deletion
import django.db.models.manager
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Q

STATUSES = [
    ("queued", "Queued"),
    ("running", "Running"),
    ("succeeded", "Succeeded"),
    ("failed", "Failed"),
    ("cancelled", "Cancelled"),
    ("skipped", "Skipped"),
]
ENDED = ["succeeded", "failed", "cancelled"]
#: Steps of a pipeline that are looked through for failures in a row.
LOOKED_AT = 100


def stand_as_they_do(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """A standing for every pipeline that has run."""
    standings = apps.get_model("orchestration", "Standing")
    steps = apps.get_model("orchestration", "RunStep")
    for pipeline in apps.get_model("pipelines", "Pipeline").all_organizations.all().iterator():
        rows = steps.all_organizations.filter(
            pipeline=pipeline, status__in=ENDED, finished_at__isnull=False
        ).exclude(started_at__isnull=True)
        found = list(rows.select_related("run").order_by("-pk")[:LOOKED_AT])
        if not found:
            continue
        last = found[0]
        failures = 0
        for step in found:
            if step.status != "failed":
                break
            failures += 1
        good = [step.finished_at for step in found if step.status == "succeeded"]
        tone = "bad" if failures else "warn" if last.has_warnings else "good"
        standings.all_organizations.create(
            organization_id=pipeline.organization_id,
            pipeline=pipeline,
            status=last.status,
            tone=tone,
            run_number=last.run.number,
            ended_at=last.finished_at,
            succeeded_at=good[0] if good else None,
            failures=failures,
            error=last.error,
            error_code=last.error_code,
        )


def index_the_nodes(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Which runs a transformation had a part in; SQLite has no index into JSON."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            "CREATE INDEX IF NOT EXISTS step_by_node ON orchestration_runstep"
            " USING gin (nodes) WHERE kind = 'transform'"
        )


def forget_the_nodes(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS step_by_node")


class Migration(migrations.Migration):
    dependencies = [
        ("orchestration", "0007_rules_and_freshness"),
        ("pipelines", "0004_pipelines_by_name"),
    ]

    operations = [
        migrations.CreateModel(
            name="Standing",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("status", models.CharField(choices=STATUSES, max_length=10)),
                (
                    "tone",
                    models.CharField(
                        choices=[("good", "Good"), ("warn", "Warn"), ("bad", "Bad")], max_length=4
                    ),
                ),
                ("run_number", models.PositiveBigIntegerField()),
                ("ended_at", models.DateTimeField()),
                ("succeeded_at", models.DateTimeField(blank=True, null=True)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("error", models.TextField(blank=True)),
                ("error_code", models.CharField(blank=True, max_length=60)),
                ("rejected_rows", models.BigIntegerField(default=0)),
                ("rejected_table", models.CharField(blank=True, max_length=255)),
                ("rejected_reason", models.TextField(blank=True)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "pipeline",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="pipelines.pipeline",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
                "indexes": [
                    models.Index(
                        fields=["organization", "tone", "-ended_at"], name="standing_by_tone"
                    )
                ],
            },
            managers=[("all_organizations", django.db.models.manager.Manager())],
        ),
        migrations.RemoveIndex(model_name="run", name="run_by_time"),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                fields=["organization", "-requested_at", "status", "rows_loaded"],
                name="run_by_time",
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["organization", "status", "-number"], name="run_by_status"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["organization", "target", "-number"], name="run_by_target"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=Q(has_warnings=True),
                fields=["organization", "-number"],
                name="run_with_warnings",
            ),
        ),
        migrations.AddIndex(
            model_name="runstep",
            index=models.Index(fields=["pipeline", "-id"], name="step_by_pipeline"),
        ),
        migrations.AddIndex(
            model_name="schedule",
            index=models.Index(
                condition=Q(deleted_at__isnull=True),
                fields=["organization", "name", "id"],
                name="schedule_by_name",
            ),
        ),
        migrations.RunPython(index_the_nodes, forget_the_nodes),
        migrations.RunPython(stand_as_they_do, migrations.RunPython.noop, elidable=True),
    ]
