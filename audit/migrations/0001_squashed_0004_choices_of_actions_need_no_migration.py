"""Everything up to here at once, for a new installation."""

import django.db.models.deletion
import django.db.models.manager
import django.utils.timezone
from django.db import migrations, models

import audit.actions


class Migration(migrations.Migration):
    replaces = [
        ("audit", "0001_initial"),
        ("audit", "0002_initial"),
        ("audit", "0003_cursors_set_and_rejects_discarded"),
        ("audit", "0004_choices_of_actions_need_no_migration"),
    ]

    initial = True

    dependencies = [
        ("tenants", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditEvent",
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
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("actor_kind", models.CharField(max_length=16)),
                ("actor_label", models.CharField(max_length=200)),
                ("actor_id", models.CharField(blank=True, max_length=40)),
                ("action", models.CharField(choices=audit.actions.action_choices, max_length=40)),
                ("target_type", models.CharField(blank=True, max_length=40)),
                ("target_id", models.CharField(blank=True, max_length=40)),
                ("target_label", models.CharField(blank=True, max_length=200)),
                ("changes", models.JSONField(blank=True, default=dict)),
                ("ip", models.GenericIPAddressField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-at", "-pk"],
                "abstract": False,
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
                "indexes": [
                    models.Index(fields=["organization", "-at", "-id"], name="audit_by_time"),
                    models.Index(fields=["organization", "action", "-at"], name="audit_by_action"),
                ],
            },
            managers=[
                ("all_organizations", django.db.models.manager.Manager()),
            ],
        ),
    ]
