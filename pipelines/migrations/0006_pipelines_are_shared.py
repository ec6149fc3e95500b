from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("pipelines", "0005_tags_of_pipelines"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="pipeline",
            options={
                "base_manager_name": "all_organizations",
                "default_manager_name": "all_organizations",
                "ordering": ["name", "pk"],
                "permissions": [
                    ("run_pipeline", "Can run pipeline"),
                    ("edit_pipeline", "Can edit pipeline"),
                ],
            },
        ),
    ]
