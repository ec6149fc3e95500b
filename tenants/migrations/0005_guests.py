from django.db import migrations, models

ROLES = [
    ("owner", "Owner"),
    ("admin", "Admin"),
    ("editor", "Editor"),
    ("viewer", "Viewer"),
    ("guest", "Guest"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0004_browser_sessions"),
    ]

    operations = [
        *[
            migrations.AlterField(
                model_name=name,
                name="role",
                field=models.CharField(choices=ROLES, max_length=8),
            )
            for name in ("apikey", "invitation", "membership")
        ],
        migrations.RemoveConstraint(model_name="membership", name="membership_role_is_known"),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.CheckConstraint(
                condition=models.Q(("role__in", [value for value, _word in ROLES])),
                name="membership_role_is_known",
            ),
        ),
    ]
