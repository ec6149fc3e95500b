"""Everything up to here at once, for a new installation."""

import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [
        ("pipelines", "0001_initial"),
        ("pipelines", "0002_initial"),
        ("pipelines", "0003_settings_of_loads"),
        ("pipelines", "0004_pipelines_by_name"),
        ("pipelines", "0005_tags_of_pipelines"),
    ]

    initial = True

    dependencies = [
        ("connections", "0003_queue_of_connections"),
        ("tenants", "0002_limits_queues_and_platform_settings"),
    ]

    operations = [
        migrations.CreateModel(
            name="Pipeline",
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
                ("description", models.TextField(blank=True)),
                ("tags", models.JSONField(blank=True, default=list)),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="connections.connection",
                    ),
                ),
                (
                    "destination",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="connections.connection",
                    ),
                ),
                ("dataset", models.CharField(max_length=63)),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("single_table", "One table"),
                            ("full_database", "Whole database"),
                            ("query", "SQL query"),
                            ("files", "Files"),
                        ],
                        max_length=16,
                    ),
                ),
                ("source_schema", models.CharField(blank=True, max_length=255)),
                ("include", models.JSONField(blank=True, default=list)),
                ("exclude", models.JSONField(blank=True, default=list)),
                (
                    "write_disposition",
                    models.CharField(
                        choices=[("append", "Append"), ("replace", "Replace"), ("merge", "Merge")],
                        default="replace",
                        max_length=8,
                    ),
                ),
                (
                    "merge_strategy",
                    models.CharField(
                        choices=[
                            ("upsert", "Update the row"),
                            ("delete_insert", "Delete and insert"),
                            ("scd2", "Keep every version"),
                        ],
                        default="upsert",
                        max_length=13,
                    ),
                ),
                ("schema_contract", models.JSONField(blank=True, default=dict)),
                (
                    "verify",
                    models.CharField(
                        choices=[
                            ("none", "Nothing"),
                            ("counts", "Number of rows"),
                            ("sums", "Number of rows and sums"),
                        ],
                        default="none",
                        max_length=6,
                    ),
                ),
                ("is_paused", models.BooleanField(default=False)),
                ("paused_reason", models.CharField(blank=True, max_length=200)),
                ("cursors", models.JSONField(blank=True, default=dict, editable=False)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
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
                        name="pipeline_by_name",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("deleted_at__isnull", True)),
                        fields=("organization", "slug"),
                        name="pipeline_slug_unique",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("deleted_at__isnull", True)),
                        fields=("destination", "dataset", "organization"),
                        name="pipeline_dataset_not_shared",
                    ),
                ],
            },
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="PipelineResource",
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
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="pipelines.pipeline",
                    ),
                ),
                ("position", models.PositiveIntegerField(default=0)),
                ("name", models.CharField(max_length=255)),
                ("target", models.CharField(max_length=63)),
                ("query", models.TextField(blank=True)),
                ("is_selected", models.BooleanField(default=True)),
                (
                    "write_disposition",
                    models.CharField(
                        blank=True,
                        choices=[("append", "Append"), ("replace", "Replace"), ("merge", "Merge")],
                        max_length=8,
                    ),
                ),
                (
                    "merge_strategy",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("upsert", "Update the row"),
                            ("delete_insert", "Delete and insert"),
                            ("scd2", "Keep every version"),
                        ],
                        max_length=13,
                    ),
                ),
                ("primary_key", models.JSONField(blank=True, default=list)),
                ("cursor_column", models.CharField(blank=True, max_length=255)),
                ("cursor_initial", models.CharField(blank=True, max_length=255)),
                ("cursor_lookback", models.CharField(blank=True, max_length=40)),
                (
                    "row_order",
                    models.CharField(
                        blank=True,
                        choices=[("asc", "Highest cursor wins"), ("desc", "Lowest cursor wins")],
                        max_length=4,
                    ),
                ),
                ("columns", models.JSONField(blank=True, default=list)),
                ("column_settings", models.JSONField(blank=True, default=dict)),
                ("filters", models.JSONField(blank=True, default=list)),
                ("schema_contract", models.JSONField(blank=True, default=dict)),
                (
                    "verify",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("none", "Nothing"),
                            ("counts", "Number of rows"),
                            ("sums", "Number of rows and sums"),
                        ],
                        max_length=6,
                    ),
                ),
            ],
            options={
                "ordering": ["position", "pk"],
                "abstract": False,
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("pipeline", "name"), name="resource_named_once"
                    ),
                    models.UniqueConstraint(
                        fields=("pipeline", "target"), name="resource_target_once"
                    ),
                ],
            },
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="PipelineDraft",
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
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("data", models.JSONField(default=dict)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "ordering": ["-updated_at"],
                "abstract": False,
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
            },
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
    ]
