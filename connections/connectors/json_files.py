"""JSON files with an array of objects, or objects one after the other: a source below the organization's files
directory.
"""

from django.utils.translation import gettext_lazy as _

from connections.connectors.base import Help
from connections.connectors.fields import PathField
from connections.connectors.jsonl_files import JsonlConnector, JsonlForm
from connections.connectors.texts import gettext_noop


class JsonForm(JsonlForm):
    """Which files."""

    path = PathField(
        placeholder="exports/*.json",
        help_text=_(
            "A file or a pattern, below the organization's files directory; .gz and .zst too."
        ),
    )


class JsonConnector(JsonlConnector):
    """JSON documents; each file says by its first character whether it is an array."""

    key = "json"
    label = "JSON files"
    description = gettext_noop("An array of objects, or objects one after the other.")
    tile = "[ ]"
    noun = "JSON"
    format = "auto"
    form_class = JsonForm
    help = Help(
        title=gettext_noop("One row an object"),
        text=gettext_noop(
            "Every object of the array is a row. Rows further down, inside an object, stay in it as JSON."
        ),
        code='[\n  {"id": 1, "name": "Ada"},\n  {"id": 2, "name": "Grace"}\n]',
    )
