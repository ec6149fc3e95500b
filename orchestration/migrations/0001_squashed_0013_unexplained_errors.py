"""Everything up to here at once, for a new installation: table by table with its constraints, no table made twice."""

from importlib import import_module

import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
from django.db import migrations, models

_0 = import_module("orchestration.migrations.0003_periodic_tick_and_sweep")
_1 = import_module("orchestration.migrations.0011_periodic_prune_and_heartbeat")
_2 = import_module("orchestration.migrations.0008_standings_and_list_indexes")


class Migration(migrations.Migration):
    replaces = [
        ("orchestration", "0001_initial"),
        ("orchestration", "0002_initial"),
        ("orchestration", "0003_periodic_tick_and_sweep"),
        ("orchestration", "0004_options_of_runs"),
        ("orchestration", "0005_trusted_runs"),
        ("orchestration", "0006_what_waits_for_a_step"),
        ("orchestration", "0007_rules_and_freshness"),
        ("orchestration", "0008_standings_and_list_indexes"),
        ("orchestration", "0009_backfills_go_slice_by_slice"),
        ("orchestration", "0010_upkeep"),
        ("orchestration", "0011_periodic_prune_and_heartbeat"),
        ("orchestration", "0012_signatures_of_errors"),
        ("orchestration", "0013_unexplained_errors"),
    ]

    initial = True

    dependencies = [
        ("connections", "0003_queue_of_connections"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("pipelines", "0001_squashed_0005_tags_of_pipelines"),
        ("tenants", "0002_limits_queues_and_platform_settings"),
        ("transforms", "0002_what_sql_reads"),
    ]

    operations = [
        migrations.CreateModel(
            name="Node",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
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
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="pipelines.pipeline",
                    ),
                ),
                (
                    "transformation",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="transforms.transformation",
                    ),
                ),
                (
                    "rule",
                    models.CharField(
                        choices=[
                            ("all_succeeded", "All have succeeded"),
                            ("any_succeeded", "At least one has succeeded"),
                            ("all_finished", "All have ended, however"),
                        ],
                        default="all_succeeded",
                        max_length=13,
                    ),
                ),
                ("succeeded_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "abstract": False,
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("pipeline__isnull", True),
                            ("transformation__isnull", True),
                            _connector="XOR",
                        ),
                        name="node_is_exactly_one_thing",
                    )
                ],
            },
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Dependency",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "upstream",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="orchestration.node",
                    ),
                ),
                (
                    "downstream",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="orchestration.node",
                    ),
                ),
                ("max_age_seconds", models.PositiveIntegerField(blank=True, null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "verbose_name_plural": "dependencies",
                "abstract": False,
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("upstream", "downstream"), name="dependency_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("upstream", models.F("downstream")), _negated=True),
                        name="dependency_not_on_itself",
                    ),
                ],
            },
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Schedule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                ("deleted_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("name", models.CharField(max_length=80)),
                ("slug", models.SlugField(max_length=64)),
                (
                    "node",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="orchestration.node",
                    ),
                ),
                ("select", models.CharField(blank=True, max_length=500)),
                (
                    "crontab",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="django_celery_beat.crontabschedule",
                    ),
                ),
                ("is_active", models.BooleanField(default=True)),
                (
                    "missed",
                    models.CharField(
                        choices=[("skip", "Skip them"), ("once", "Run once"), ("all", "Run each")],
                        default="once",
                        max_length=4,
                    ),
                ),
                (
                    "overlap",
                    models.CharField(
                        choices=[
                            ("skip", "Skip the new one"),
                            ("queue", "Queue the new one"),
                            ("cancel", "Cancel the one before"),
                        ],
                        default="skip",
                        max_length=6,
                    ),
                ),
                ("starts_at", models.DateTimeField(blank=True, null=True)),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
                ("next_run_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("last_run_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("note", models.CharField(blank=True, editable=False, max_length=300)),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
            ],
            options={
                "ordering": ["name", "pk"],
                "abstract": False,
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
                "indexes": [
                    models.Index(
                        condition=models.Q(("deleted_at__isnull", True)),
                        fields=["organization", "name", "id"],
                        name="schedule_by_name",
                    ),
                    models.Index(
                        condition=models.Q(("deleted_at__isnull", True), ("is_active", True)),
                        fields=["next_run_at"],
                        name="schedule_due",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("deleted_at__isnull", True)),
                        fields=("organization", "slug"),
                        name="schedule_slug_unique",
                    )
                ],
            },
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Backfill",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                (
                    "pipeline",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="pipelines.pipeline",
                    ),
                ),
                ("resource", models.CharField(max_length=255)),
                ("range_from", models.CharField(max_length=255)),
                ("range_to", models.CharField(max_length=255)),
                ("slice_size", models.CharField(max_length=32)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("running", "Running"),
                            ("paused", "Paused"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="running",
                        max_length=10,
                    ),
                ),
                ("problem", models.TextField(blank=True)),
                ("estimated_rows", models.BigIntegerField(blank=True, null=True)),
                ("requested_by", models.CharField(max_length=200)),
                ("requested_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("resumed_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-number"],
                "abstract": False,
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "running")),
                        fields=["status"],
                        name="backfill_running",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "number"), name="backfill_number_unique"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "status__in",
                                ["running", "paused", "succeeded", "failed", "cancelled"],
                            )
                        ),
                        name="backfill_status_is_known",
                    ),
                ],
            },
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Run",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                ("number", models.PositiveBigIntegerField()),
                (
                    "node",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="orchestration.node",
                    ),
                ),
                ("target", models.CharField(max_length=120)),
                ("title", models.CharField(max_length=160)),
                ("select", models.CharField(blank=True, max_length=500)),
                ("full_refresh", models.BooleanField(default=False)),
                ("options", models.JSONField(blank=True, default=dict)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                            ("skipped", "Skipped"),
                        ],
                        default="queued",
                        max_length=10,
                    ),
                ),
                ("has_warnings", models.BooleanField(default=False)),
                (
                    "trigger",
                    models.CharField(
                        choices=[
                            ("manual", "By hand"),
                            ("schedule", "Schedule"),
                            ("api", "API"),
                            ("command", "Command line"),
                            ("retry", "Run again"),
                            ("backfill", "Backfill"),
                        ],
                        default="manual",
                        max_length=10,
                    ),
                ),
                ("requested_by", models.CharField(max_length=200)),
                ("requested_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "schedule",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="orchestration.schedule",
                    ),
                ),
                ("scheduled_for", models.DateTimeField(blank=True, null=True)),
                (
                    "retry_of",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="orchestration.run",
                    ),
                ),
                (
                    "after",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="orchestration.run",
                    ),
                ),
                (
                    "backfill",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="orchestration.backfill",
                    ),
                ),
                ("idempotency_key", models.CharField(blank=True, max_length=80)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("cancel_requested_at", models.DateTimeField(blank=True, null=True)),
                ("cancelled_by", models.CharField(blank=True, max_length=200)),
                ("error", models.TextField(blank=True)),
                ("error_remedy", models.TextField(blank=True)),
                ("capsule", models.JSONField(blank=True, default=dict)),
                ("rows_loaded", models.BigIntegerField(default=0)),
                ("last_line", models.PositiveIntegerField(default=0)),
            ],
            options={
                "ordering": ["-requested_at", "-pk"],
                "abstract": False,
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
                "indexes": [
                    models.Index(
                        fields=["organization", "-requested_at", "status", "rows_loaded"],
                        name="run_by_time",
                    ),
                    models.Index(
                        fields=["organization", "status", "-number"], name="run_by_status"
                    ),
                    models.Index(
                        fields=["organization", "target", "-number"], name="run_by_target"
                    ),
                    models.Index(
                        condition=models.Q(("has_warnings", True)),
                        fields=["organization", "-number"],
                        name="run_with_warnings",
                    ),
                    models.Index(fields=["node", "-requested_at"], name="run_by_node"),
                    models.Index(
                        condition=models.Q(("status__in", ["queued", "running"])),
                        fields=["organization"],
                        name="run_active",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "number"), name="run_number_unique"
                    ),
                    models.UniqueConstraint(
                        fields=("schedule", "scheduled_for"), name="run_once_per_due_time"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("idempotency_key", ""), _negated=True),
                        fields=("organization", "idempotency_key"),
                        name="run_once_per_idempotency_key",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "status__in",
                                [
                                    "queued",
                                    "running",
                                    "succeeded",
                                    "failed",
                                    "cancelled",
                                    "skipped",
                                ],
                            )
                        ),
                        name="run_status_is_known",
                    ),
                ],
            },
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="RunStep",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="orchestration.run",
                    ),
                ),
                ("position", models.PositiveIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[("pipeline", "Pipeline"), ("transform", "Transformations")],
                        max_length=10,
                    ),
                ),
                ("name", models.CharField(max_length=160)),
                (
                    "pipeline",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="pipelines.pipeline",
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="connections.connection",
                    ),
                ),
                ("nodes", models.JSONField(default=dict)),
                ("conditions", models.JSONField(blank=True, default=dict)),
                ("upstream", models.JSONField(default=list)),
                ("downstream", models.JSONField(default=list)),
                ("is_ready", models.BooleanField(default=False)),
                ("queue", models.CharField(default="default", max_length=40)),
                ("connection_ids", models.JSONField(default=list)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                            ("skipped", "Skipped"),
                        ],
                        default="queued",
                        max_length=10,
                    ),
                ),
                ("has_warnings", models.BooleanField(default=False)),
                ("attempt", models.PositiveSmallIntegerField(default=1)),
                ("max_attempts", models.PositiveSmallIntegerField(default=3)),
                ("times_lost", models.PositiveSmallIntegerField(default=0)),
                ("not_before", models.DateTimeField(blank=True, null=True)),
                ("lease_token", models.UUIDField(blank=True, null=True)),
                ("lease_expires_at", models.DateTimeField(blank=True, null=True)),
                ("worker", models.CharField(blank=True, max_length=120)),
                ("waiting_for", models.CharField(blank=True, max_length=300)),
                ("queued_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("progress", models.JSONField(blank=True, default=dict)),
                ("summary", models.JSONField(blank=True, default=dict)),
                ("error", models.TextField(blank=True)),
                ("error_code", models.CharField(blank=True, max_length=60)),
                ("error_remedy", models.TextField(blank=True)),
                ("error_detail", models.TextField(blank=True)),
                ("error_signature", models.CharField(blank=True, max_length=80)),
                ("fingerprint", models.CharField(blank=True, max_length=16)),
                ("peak_memory_mb", models.PositiveIntegerField(blank=True, null=True)),
                ("cpu_seconds", models.FloatField(blank=True, null=True)),
            ],
            options={
                "ordering": ["run", "position"],
                "abstract": False,
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
                "indexes": [
                    models.Index(
                        condition=models.Q(("status__in", ["queued", "running"])),
                        fields=["status", "lease_expires_at"],
                        name="step_active",
                    ),
                    models.Index(fields=["pipeline", "-id"], name="step_by_pipeline"),
                    models.Index(
                        condition=models.Q(("is_ready", True), ("status", "queued")),
                        fields=["queue", "queued_at"],
                        name="step_ready",
                    ),
                    models.Index(
                        condition=models.Q(("fingerprint", ""), _negated=True),
                        fields=["organization", "fingerprint", "-finished_at"],
                        name="step_by_fingerprint",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("run", "position"), name="step_position_unique"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "status__in",
                                [
                                    "queued",
                                    "running",
                                    "succeeded",
                                    "failed",
                                    "cancelled",
                                    "skipped",
                                ],
                            )
                        ),
                        name="step_status_is_known",
                    ),
                ],
            },
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="RunStepAttempt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "step",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="orchestration.runstep",
                    ),
                ),
                ("number", models.PositiveSmallIntegerField()),
                ("worker", models.CharField(blank=True, max_length=120)),
                ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("status", models.CharField(default="running", max_length=10)),
                ("error", models.TextField(blank=True)),
                ("error_code", models.CharField(blank=True, max_length=60)),
            ],
            options={
                "ordering": ["step", "number"],
                "abstract": False,
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
                "constraints": [
                    models.UniqueConstraint(fields=("step", "number"), name="attempt_number_unique")
                ],
            },
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="RunStepResult",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "step",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="orchestration.runstep",
                    ),
                ),
                ("kind", models.CharField(max_length=10)),
                ("name", models.CharField(max_length=255)),
                ("target", models.CharField(blank=True, max_length=255)),
                ("status", models.CharField(max_length=10)),
                ("rows_read", models.BigIntegerField(blank=True, null=True)),
                ("rows_loaded", models.BigIntegerField(blank=True, null=True)),
                ("rows_filtered", models.BigIntegerField(blank=True, null=True)),
                ("rows_rejected", models.BigIntegerField(blank=True, null=True)),
                ("rows_deduplicated", models.BigIntegerField(blank=True, null=True)),
                ("started_at", models.DateTimeField(blank=True, null=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("message", models.TextField(blank=True)),
                ("details", models.JSONField(blank=True, default=dict)),
            ],
            options={
                "ordering": ["step", "pk"],
                "abstract": False,
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
            },
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="RunLogLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="orchestration.run",
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("level", models.CharField(max_length=5)),
                ("scope", models.CharField(blank=True, max_length=120)),
                ("text", models.TextField()),
            ],
            options={
                "ordering": ["run", "number"],
                "abstract": False,
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
                "constraints": [
                    models.UniqueConstraint(fields=("run", "number"), name="log_line_number_unique")
                ],
            },
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="BackfillSlice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.organization",
                    ),
                ),
                (
                    "backfill",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="slices",
                        to="orchestration.backfill",
                    ),
                ),
                ("position", models.PositiveIntegerField()),
                ("range_from", models.CharField(max_length=255)),
                ("range_to", models.CharField(max_length=255)),
                (
                    "run",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="orchestration.run",
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                            ("skipped", "Skipped"),
                        ],
                        default="queued",
                        max_length=10,
                    ),
                ),
                ("rows_loaded", models.BigIntegerField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["backfill", "position"],
                "abstract": False,
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
                "indexes": [models.Index(fields=["run"], name="slice_by_run")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("backfill", "position"), name="slice_position_unique"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "status__in",
                                [
                                    "queued",
                                    "running",
                                    "succeeded",
                                    "failed",
                                    "cancelled",
                                    "skipped",
                                ],
                            )
                        ),
                        name="slice_status_is_known",
                    ),
                ],
            },
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="UnexplainedError",
            fields=[],
            options={
                "verbose_name": "unexplained error",
                "abstract": False,
                "proxy": True,
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
            },
            bases=("orchestration.runstep",),
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Standing",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
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
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                            ("skipped", "Skipped"),
                        ],
                        max_length=10,
                    ),
                ),
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
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="Upkeep",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("is_good", models.BooleanField(default=True)),
                ("note", models.CharField(blank=True, max_length=500)),
                ("details", models.JSONField(blank=True, default=dict)),
                ("busy_until", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "storage",
                "verbose_name_plural": "storage",
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Worker",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=120, unique=True)),
                ("queues", models.JSONField(default=list)),
                ("slots", models.PositiveSmallIntegerField()),
                ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("is_draining", models.BooleanField(default=False)),
                ("version", models.CharField(blank=True, max_length=40)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.RunPython(_0.create_tasks, _0.delete_tasks),
        migrations.RunPython(_1.create_tasks, _1.delete_tasks),
        migrations.RunPython(_2.index_the_nodes, _2.forget_the_nodes),
    ]
