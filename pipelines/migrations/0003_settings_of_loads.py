from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("pipelines", "0002_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="pipeline",
            name="exclude",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name="pipeline",
            name="include",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name="pipeline",
            name="merge_strategy",
            field=models.CharField(
                choices=[
                    ("upsert", "Update the row"),
                    ("delete_insert", "Delete and insert"),
                    ("scd2", "Keep every version"),
                ],
                default="upsert",
                max_length=13,
            ),
        ),
        migrations.AddField(
            model_name="pipeline",
            name="schema_contract",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="pipeline",
            name="verify",
            field=models.CharField(
                choices=[
                    ("none", "Nothing"),
                    ("counts", "Number of rows"),
                    ("sums", "Number of rows and sums"),
                ],
                default="none",
                max_length=6,
            ),
        ),
        migrations.AddField(
            model_name="pipelineresource",
            name="column_settings",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="pipelineresource",
            name="cursor_lookback",
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name="pipelineresource",
            name="merge_strategy",
            field=models.CharField(
                blank=True,
                choices=[
                    ("upsert", "Update the row"),
                    ("delete_insert", "Delete and insert"),
                    ("scd2", "Keep every version"),
                ],
                max_length=13,
            ),
        ),
        migrations.AddField(
            model_name="pipelineresource",
            name="query",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="pipelineresource",
            name="row_order",
            field=models.CharField(
                blank=True,
                choices=[("asc", "Highest cursor wins"), ("desc", "Lowest cursor wins")],
                max_length=4,
            ),
        ),
        migrations.AddField(
            model_name="pipelineresource",
            name="schema_contract",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="pipelineresource",
            name="verify",
            field=models.CharField(
                blank=True,
                choices=[
                    ("none", "Nothing"),
                    ("counts", "Number of rows"),
                    ("sums", "Number of rows and sums"),
                ],
                max_length=6,
            ),
        ),
        migrations.AlterField(
            model_name="pipeline",
            name="mode",
            field=models.CharField(
                choices=[
                    ("single_table", "One table"),
                    ("full_database", "Whole database"),
                    ("query", "SQL query"),
                    ("files", "Files"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="pipelineresource",
            name="write_disposition",
            field=models.CharField(
                blank=True,
                choices=[("append", "Append"), ("replace", "Replace"), ("merge", "Merge")],
                max_length=8,
            ),
        ),
    ]
