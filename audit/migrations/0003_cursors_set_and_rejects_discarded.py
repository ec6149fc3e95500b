from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0002_initial"),
    ]

    operations = [
        migrations.AlterField(
            model_name="auditevent",
            name="action",
            field=models.CharField(
                choices=[
                    ("organization.created", "Organization Created"),
                    ("organization.updated", "Organization Updated"),
                    ("member.added", "Member Added"),
                    ("member.role_changed", "Member Role Changed"),
                    ("member.removed", "Member Removed"),
                    ("invitation.created", "Invitation Created"),
                    ("invitation.revoked", "Invitation Revoked"),
                    ("invitation.accepted", "Invitation Accepted"),
                    ("api_key.created", "Api Key Created"),
                    ("api_key.revoked", "Api Key Revoked"),
                    ("connection.created", "Connection Created"),
                    ("connection.updated", "Connection Updated"),
                    ("connection.checked", "Connection Checked"),
                    ("connection.deleted", "Connection Deleted"),
                    ("connection.restored", "Connection Restored"),
                    ("file.uploaded", "File Uploaded"),
                    ("file.deleted", "File Deleted"),
                    ("pipeline.created", "Pipeline Created"),
                    ("pipeline.updated", "Pipeline Updated"),
                    ("pipeline.paused", "Pipeline Paused"),
                    ("pipeline.resumed", "Pipeline Resumed"),
                    ("pipeline.deleted", "Pipeline Deleted"),
                    ("pipeline.restored", "Pipeline Restored"),
                    ("pipeline.cursor_set", "Pipeline Cursor Set"),
                    ("pipeline.rejects_discarded", "Pipeline Rejects Discarded"),
                    ("transformation.created", "Transformation Created"),
                    ("transformation.updated", "Transformation Updated"),
                    ("transformation.deleted", "Transformation Deleted"),
                    ("transformation.restored", "Transformation Restored"),
                    ("dependency.added", "Dependency Added"),
                    ("dependency.removed", "Dependency Removed"),
                    ("schedule.created", "Schedule Created"),
                    ("schedule.updated", "Schedule Updated"),
                    ("schedule.paused", "Schedule Paused"),
                    ("schedule.resumed", "Schedule Resumed"),
                    ("schedule.deleted", "Schedule Deleted"),
                    ("schedule.restored", "Schedule Restored"),
                    ("run.requested", "Run Requested"),
                    ("run.cancelled", "Run Cancelled"),
                    ("session.signed_in", "Signed In"),
                    ("session.sign_in_failed", "Sign In Failed"),
                    ("session.signed_out", "Signed Out"),
                    ("password.changed", "Password Changed"),
                ],
                max_length=40,
            ),
        ),
    ]
