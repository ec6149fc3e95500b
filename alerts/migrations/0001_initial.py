"""Rules, channels, incidents and the outbox."""

import uuid

import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
from django.db import migrations, models

import common.crypto


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("orchestration", "0005_trusted_runs"),
        ("pipelines", "0005_tags_of_pipelines"),
        ("tenants", "0002_limits_queues_and_platform_settings"),
    ]

    operations = [
        migrations.CreateModel(
            name="AlertChannel",
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
                ("name", models.CharField(max_length=80)),
                ("slug", models.SlugField(max_length=64)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("email", "E-mail"),
                            ("webhook", "Webhook"),
                            ("slack", "Slack or compatible"),
                        ],
                        max_length=8,
                    ),
                ),
                ("addresses", models.JSONField(blank=True, default=list)),
                ("secrets", common.crypto.EncryptedJSONField(blank=True, default=dict)),
                ("host", models.CharField(blank=True, max_length=255)),
                ("old_secret_until", models.DateTimeField(blank=True, null=True)),
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
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "slug"), name="alert_channel_slug_unique"
                    )
                ],
            },
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="AlertRule",
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
                ("name", models.CharField(max_length=80)),
                ("slug", models.SlugField(max_length=64)),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("organization", "Everything"),
                            ("pipeline", "One pipeline"),
                            ("tag", "A tag"),
                        ],
                        default="organization",
                        max_length=12,
                    ),
                ),
                (
                    "pipeline",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="pipelines.pipeline",
                    ),
                ),
                ("tag", models.CharField(blank=True, max_length=63)),
                ("failures_in_a_row", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("no_success_seconds", models.PositiveIntegerField(blank=True, null=True)),
                ("overdue_seconds", models.PositiveIntegerField(blank=True, null=True)),
                ("too_long_seconds", models.PositiveIntegerField(blank=True, null=True)),
                ("too_long_factor", models.FloatField(blank=True, null=True)),
                ("stale_seconds", models.PositiveIntegerField(blank=True, null=True)),
                ("tells_recovery", models.BooleanField(default=True)),
                ("reminder_seconds", models.PositiveIntegerField(blank=True, null=True)),
                ("is_muted", models.BooleanField(default=False)),
                ("muted_until", models.DateTimeField(blank=True, null=True)),
                ("muted_by", models.CharField(blank=True, max_length=200)),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                ("checked_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("channels", models.ManyToManyField(related_name="+", to="alerts.alertchannel")),
            ],
            options={
                "ordering": ["name", "pk"],
                "abstract": False,
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "slug"), name="alert_rule_slug_unique"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("pipeline__isnull", False), ("scope", "pipeline")),
                            models.Q(
                                ("pipeline__isnull", True),
                                models.Q(("scope", "pipeline"), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="alert_rule_has_the_pipeline_it_is_about",
                    ),
                ],
            },
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="AlertIncident",
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
                ("reference", models.UUIDField(default=uuid.uuid4, unique=True)),
                (
                    "rule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="alerts.alertrule",
                    ),
                ),
                (
                    "condition",
                    models.CharField(
                        choices=[
                            ("failure", "Failed"),
                            ("no_success", "No success"),
                            ("overdue", "Overdue"),
                            ("too_long", "Too long"),
                            ("stale", "Stale table"),
                        ],
                        max_length=10,
                    ),
                ),
                ("subject", models.CharField(max_length=330)),
                ("name", models.CharField(max_length=330)),
                ("text", models.TextField(blank=True)),
                ("remedy", models.TextField(blank=True)),
                ("path", models.CharField(blank=True, max_length=500)),
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
                ("count", models.PositiveIntegerField(default=0)),
                ("since", models.DateTimeField(default=django.utils.timezone.now)),
                ("told_at", models.DateTimeField(blank=True, null=True)),
                ("last_told_at", models.DateTimeField(blank=True, null=True)),
                ("reminders", models.PositiveIntegerField(default=0)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-since", "-pk"],
                "abstract": False,
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
                "indexes": [
                    models.Index(
                        condition=models.Q(("closed_at__isnull", True)),
                        fields=["organization"],
                        name="incident_open",
                    ),
                    models.Index(fields=["closed_at"], name="incident_closed_at"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("closed_at__isnull", True)),
                        fields=("rule", "condition", "subject"),
                        name="incident_open_once",
                    )
                ],
            },
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
        migrations.CreateModel(
            name="AlertDelivery",
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
                ("reference", models.UUIDField(default=uuid.uuid4, unique=True)),
                (
                    "rule",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="alerts.alertrule",
                    ),
                ),
                (
                    "channel",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="alerts.alertchannel",
                    ),
                ),
                ("channel_name", models.CharField(max_length=80)),
                (
                    "channel_kind",
                    models.CharField(
                        choices=[
                            ("email", "E-mail"),
                            ("webhook", "Webhook"),
                            ("slack", "Slack or compatible"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "event",
                    models.CharField(
                        choices=[
                            ("opened", "Alert"),
                            ("reminder", "Reminder"),
                            ("recovered", "Recovered"),
                            ("test", "Test"),
                        ],
                        max_length=9,
                    ),
                ),
                (
                    "condition",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("failure", "Failed"),
                            ("no_success", "No success"),
                            ("overdue", "Overdue"),
                            ("too_long", "Too long"),
                            ("stale", "Stale table"),
                        ],
                        max_length=10,
                    ),
                ),
                ("key", models.CharField(max_length=80)),
                ("message", models.JSONField(default=dict)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("pending", "On its way"),
                            ("delivered", "Delivered"),
                            ("failed", "Not delivered"),
                        ],
                        default="pending",
                        max_length=9,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                (
                    "next_attempt_at",
                    models.DateTimeField(blank=True, default=django.utils.timezone.now, null=True),
                ),
                ("last_attempt_at", models.DateTimeField(blank=True, null=True)),
                ("last_error", models.TextField(blank=True)),
                ("delivered_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "verbose_name_plural": "alert deliveries",
                "ordering": ["-created_at", "-pk"],
                "abstract": False,
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "pending")),
                        fields=["next_attempt_at"],
                        name="delivery_due",
                    ),
                    models.Index(fields=["organization", "-created_at"], name="delivery_by_time"),
                    models.Index(fields=["created_at"], name="delivery_age"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("channel", "key"), name="delivery_once_per_event"
                    )
                ],
            },
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
    ]
