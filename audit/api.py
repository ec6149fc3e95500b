"""What the API says of an event. The view itself is in ``datanika_site.api``: it needs the tenants."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from audit.actions import AuditAction
from audit.exports import Shape
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


def filters_of(values: Mapping[str, Any]) -> Filters:
    """The filters that ``AuditQuerySerializer`` has read."""
    names = ("action", "actor", "target", "since", "until")
    found = {name: values[name] for name in names if name in values}
    return Filters(text=values.get("q", ""), **found)


class AuditQuerySerializer(serializers.Serializer[Filters]):
    """The filters of the list."""

    q = serializers.CharField(required=False, help_text="Part of the actor, target or action.")
    action = serializers.ChoiceField(choices=AuditAction.choices, required=False)
    actor = serializers.CharField(required=False, help_text="The actor's whole name.")
    target = serializers.CharField(
        required=False, help_text="A type (`pipeline`), or a type and an id (`pipeline:12`)."
    )
    since = serializers.DateField(
        required=False, help_text="First day, in the organization's time zone."
    )
    until = serializers.DateField(
        required=False, help_text="Last day, in the organization's time zone."
    )


class AuditExportSerializer(AuditQuerySerializer):
    """The filters of the list, and what the file is made as."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # "as" is a word of Python, so it cannot be declared.
        shape = serializers.ChoiceField(
            choices=[shape.value for shape in Shape],
            default=Shape.JSON_LINES.value,
            help_text="CSV for spreadsheets, or an event as JSON on each line.",
        )
        return {**super().get_fields(), "as": shape}
