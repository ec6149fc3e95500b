"""What the API says of an event. The view itself is in ``datanika_site.api``: it needs the tenants."""

from rest_framework import serializers

from audit.actions import AuditAction
from audit.models import AuditEvent
from audit.selectors import Filters
from audit.words import sentence_of


class AuditEventSerializer(serializers.ModelSerializer[AuditEvent]):
    actor = serializers.CharField(source="actor_label", help_text="The name at that time.")
    target = serializers.CharField(source="target_label", help_text="The name at that time.")
    sentence = serializers.SerializerMethodField(help_text="The event in words.")
    changes = serializers.DictField(
        help_text="Field → [before, after]; secrets are masked.", read_only=True
    )

    class Meta:
        model = AuditEvent
        fields = (
            "id", "at", "actor", "actor_kind", "action", "target_type", "target_id", "target",
            "changes", "ip", "sentence",
        )  # fmt: skip
        read_only_fields = fields

    def get_sentence(self, event: AuditEvent) -> str:
        return sentence_of(event)


class AuditQuerySerializer(serializers.Serializer[Filters]):
    """The filters of the list."""

    q = serializers.CharField(required=False, help_text="Part of the actor, target or action.")
    action = serializers.ChoiceField(choices=AuditAction.choices, required=False)
    actor = serializers.CharField(required=False, help_text="The actor's whole name.")
    since = serializers.DateField(
        required=False, help_text="First day, in the organization's time zone."
    )
    until = serializers.DateField(
        required=False, help_text="Last day, in the organization's time zone."
    )
