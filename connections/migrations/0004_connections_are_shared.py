from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("connections", "0003_queue_of_connections"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="connection",
            options={
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
                "ordering": ["name", "pk"],
                "permissions": [
                    ("run_connection", "Can use connection"),
                    ("edit_connection", "Can edit connection"),
                ],
            },
        ),
    ]
