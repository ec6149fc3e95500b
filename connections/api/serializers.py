"""The shapes of the connections API. They check shape only; the connector's form judges settings."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django import forms
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api import KnownKeys
from connections.connectors.base import Connector
from connections.models import CheckStatus, Connection, UseAs
from connections.usage import Use


class ConnectionQuery(serializers.Serializer[Any]):
    q = serializers.CharField(required=False, help_text="A part of the name.")
    role = serializers.ChoiceField([UseAs.SOURCE.value, UseAs.DESTINATION.value], required=False)


class CatalogQuery(serializers.Serializer[Any]):
    search = serializers.CharField(default="", allow_blank=True, help_text="A part of the name.")
    schema = serializers.CharField(default="", allow_blank=True)
    after = serializers.CharField(
        default="", allow_blank=True, help_text="The `next` of the page before."
    )
    limit = serializers.IntegerField(default=200, min_value=1, max_value=1000)


class TableQuery(serializers.Serializer[Any]):
    schema = serializers.CharField(default="", allow_blank=True, help_text="Empty for files.")
    table = serializers.CharField()


class SettingsInput(KnownKeys):
    use_as = serializers.ChoiceField(
        UseAs.choices, default="", help_text="Left out: everything the type can be."
    )
    config = serializers.DictField(
        default=dict, help_text="By field name, see the connector's `fields`."
    )
    secrets = serializers.DictField(
        default=dict, write_only=True, help_text="Fields marked `secret`; never answered."
    )


class ConnectionInput(SettingsInput):
    name = serializers.CharField(max_length=80)
    connector = serializers.SlugField(help_text="The `key` of a connector type.")


class ConnectionPatch(KnownKeys):
    name = serializers.CharField(max_length=80, required=False)
    use_as = serializers.ChoiceField(UseAs.choices, required=False)
    config = serializers.DictField(required=False, help_text="Only what changes.")
    secrets = serializers.DictField(required=False, write_only=True)


class StageSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    status = serializers.CharField(help_text="ok, warn, failed or skipped.")
    text = serializers.CharField()
    detail = serializers.CharField(help_text="The other system's own words.")
    remedy = serializers.CharField()
    ms = serializers.IntegerField()


class CheckSerializer(serializers.Serializer[Any]):
    check_status = serializers.ChoiceField(CheckStatus.values)
    stages = StageSerializer(many=True)


class UseSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    name = serializers.CharField()


class ConnectionSerializer(serializers.Serializer[Connection]):
    """A connection without its secrets; ``secrets_stored`` names those it has."""

    name = serializers.CharField()
    slug = serializers.SlugField(help_text="Names it in URLs; stays when the name changes.")
    connector = serializers.CharField()
    use_as = serializers.ChoiceField(UseAs.choices)
    address = serializers.CharField()
    config = serializers.JSONField()
    secrets_stored = serializers.SerializerMethodField()
    check_status = serializers.ChoiceField(CheckStatus.values)
    checked_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_secrets_stored(self, connection: Connection) -> list[str]:
        return sorted(name for name, value in connection.secrets.items() if value)


class ConnectionDetailSerializer(ConnectionSerializer):
    check_stages = StageSerializer(many=True)
    used_by = UseSerializer(many=True, source="uses")


class ColumnSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    type = serializers.CharField(help_text="In the source's own words.")
    nullable = serializers.BooleanField()


class TableSerializer(serializers.Serializer[Any]):
    schema = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    rows = serializers.IntegerField(allow_null=True, help_text="The system's own estimate.")
    columns = ColumnSerializer(many=True)
    primary_key = serializers.ListField(child=serializers.CharField())


class CatalogSerializer(serializers.Serializer[Any]):
    tables = TableSerializer(many=True)
    schemas = serializers.ListField(child=serializers.CharField())
    next = serializers.CharField(allow_null=True)


class CapabilitiesSerializer(serializers.Serializer[Any]):
    # DRF takes declared fields off the class, so these names do not clash with its own attributes.
    source = serializers.BooleanField()  # type: ignore[assignment]
    destination = serializers.BooleanField()
    dbt = serializers.BooleanField()
    files = serializers.BooleanField()
    query = serializers.BooleanField()
    single_writer = serializers.BooleanField()
    local = serializers.BooleanField()
    write_dispositions = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_write_dispositions(self, capabilities: Any) -> list[str]:
        return sorted(capabilities.write_dispositions)


class ChoiceSerializer(serializers.Serializer[Any]):
    value = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class FieldSerializer(serializers.Serializer[Any]):
    """One field of a connector's form."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    section = serializers.CharField()
    type = serializers.ChoiceField(["text", "number", "boolean", "choice"])
    required = serializers.BooleanField()  # type: ignore[assignment]
    secret = serializers.BooleanField()
    help = serializers.CharField()
    default = serializers.JSONField(allow_null=True)
    choices = ChoiceSerializer(many=True)


class ConnectorSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    category = serializers.CharField()
    description = serializers.CharField()
    capabilities = CapabilitiesSerializer()
    fields_ = serializers.SerializerMethodField(method_name="get_form_fields")

    def get_fields(self) -> dict[str, Any]:
        # DRF keeps the attribute "fields" for itself; the answer may still use the word.
        found: dict[str, Any] = dict(super().get_fields())
        found["fields"] = found.pop("fields_")
        return found

    @extend_schema_field(FieldSerializer(many=True))
    def get_form_fields(self, connector: Connector) -> list[dict[str, Any]]:
        return list(_form_fields(connector))


class FileSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    path = serializers.CharField(help_text="For the config of a connection.")
    size = serializers.IntegerField(help_text="In bytes.")
    modified_at = serializers.DateTimeField()


def as_detail(connection: Connection, uses: list[Use]) -> dict[str, Any]:
    """A connection with what uses it, as the detail answers it."""
    plain = ConnectionSerializer(connection).data
    stages = StageSerializer(connection.check_stages, many=True).data
    return {**plain, "check_stages": stages, "used_by": UseSerializer(uses, many=True).data}


def as_check(status: str, stages: list[dict[str, Any]]) -> dict[str, Any]:
    return {"check_status": str(status), "stages": StageSerializer(stages, many=True).data}


def as_file(file: dict[str, Any]) -> dict[str, Any]:
    modified = datetime.fromtimestamp(file["modified"], UTC)
    return dict(FileSerializer({**file, "modified_at": modified}).data)


def _form_fields(connector: Connector) -> Iterator[dict[str, Any]]:
    form = connector.form_class
    section_of = {name: heading for heading, names in form.sections for name in names}
    for name, field in form.base_fields.items():
        yield {
            "name": name,
            "label": str(field.label or name),
            "section": section_of.get(name, ""),
            "type": _type_of(field),
            "required": field.required,
            "secret": name in form.secret_fields,
            "help": str(field.help_text),
            "default": field.initial,
            "choices": [
                {"value": str(value), "label": str(label)}
                for value, label in getattr(field, "choices", ())
            ],
        }


def _type_of(field: forms.Field) -> str:
    if isinstance(field, forms.BooleanField):
        return "boolean"
    if isinstance(field, forms.ChoiceField):
        return "choice"
    return "number" if isinstance(field, forms.IntegerField | forms.FloatField) else "text"
