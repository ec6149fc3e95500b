"""The form of a database server: address, sign-in, encryption and the SSH tunnel in front of it."""

import binascii
import itertools
import re
import ssl
from base64 import b64decode
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from connections.connectors.base import ConnectorForm
from connections.connectors.fields import HostField, OptionField, SecretField
from connections.connectors.texts import gettext_noop

_PLAIN_TEXT = {"autocomplete": "off", "spellcheck": "false"}
_NUMBER = {"autocomplete": "off", "inputmode": "numeric"}
_SSH_FIELDS = (
    "use_tunnel",
    "ssh_host",
    "ssh_port",
    "ssh_user",
    "ssh_password",
    "ssh_private_key",
    "ssh_passphrase",
    "ssh_host_key",
)


class ServerForm(ConnectorForm):
    """What every database server is asked for. A connector adds its own fields and sections."""

    default_port: ClassVar[int]

    host = HostField()
    port = forms.IntegerField(
        label=_("Port"),
        min_value=1,
        max_value=65535,
        required=False,
        widget=forms.NumberInput(attrs=_NUMBER),
    )
    database = forms.CharField(
        label=_("Database"), max_length=64, widget=forms.TextInput(attrs=_PLAIN_TEXT)
    )
    user = forms.CharField(
        label=_("User"),
        max_length=80,
        help_text=_("A user of its own with only the rights in the grant script."),
        widget=forms.TextInput(attrs=_PLAIN_TEXT),
    )
    password = SecretField(
        label=_("Password"),
        required=False,
        max_length=1000,
        help_text=_(
            "Stored encrypted and never shown again. Empty where the server asks for none."
        ),
    )
    sslmode = OptionField(
        label=_("Encryption"),
        initial="prefer",
        choices=[
            ("prefer", _("TLS where the server offers it")),
            ("verify-full", _("TLS, certificate and host name verified")),
            ("require", _("TLS, certificate not verified")),
            ("disable", _("No TLS")),
        ],
        help_text=_("Across a network that is not your own, choose the verified mode."),
    )
    ca_certificate = forms.CharField(
        label=_("Certificate of the authority"),
        required=False,
        max_length=100_000,
        help_text=_(
            "PEM text, for the verified mode only. Empty: the authorities this machine trusts."
        ),
        widget=forms.Textarea(
            attrs={"rows": 4, "placeholder": "-----BEGIN CERTIFICATE-----", **_PLAIN_TEXT}
        ),
    )
    use_tunnel = forms.BooleanField(
        label=_("Connect through an SSH server"),
        required=False,
        help_text=_("For a database that only a machine inside its network reaches."),
    )
    ssh_host = HostField(
        label=_("SSH host"),
        required=False,
        help_text=_("The host and port above are dialled from there."),
    )
    ssh_port = forms.IntegerField(
        label=_("SSH port"),
        min_value=1,
        max_value=65535,
        initial=22,
        required=False,
        widget=forms.NumberInput(attrs=_NUMBER),
    )
    ssh_user = forms.CharField(
        label=_("SSH user"),
        required=False,
        max_length=80,
        widget=forms.TextInput(attrs=_PLAIN_TEXT),
    )
    ssh_password = SecretField(
        label=_("SSH password"),
        required=False,
        max_length=1000,
        help_text=_("Either a password or a private key. With both, the key is used."),
    )
    ssh_private_key = forms.CharField(
        label=_("SSH private key"),
        required=False,
        max_length=20_000,
        help_text=_("The whole text of the file, stored encrypted. A key made for this alone."),
        widget=forms.Textarea(
            attrs={"rows": 4, "placeholder": "-----BEGIN OPENSSH PRIVATE KEY-----", **_PLAIN_TEXT}
        ),
    )
    ssh_passphrase = SecretField(
        label=_("Passphrase of the private key"),
        required=False,
        max_length=1000,
        help_text=_("Empty where the key has none."),
    )
    ssh_host_key = forms.CharField(
        label=_("Host key of the SSH server"),
        required=False,
        max_length=4000,
        help_text=_(
            "Its public key, one line. Leave it empty and test: the test shows the line to compare "
            "and paste here. Nothing is sent to a server whose key was not given."
        ),
        widget=forms.TextInput(attrs={"placeholder": "ssh-ed25519 AAAA…", **_PLAIN_TEXT}),
    )

    secret_fields = frozenset({"password", "ssh_password", "ssh_private_key", "ssh_passphrase"})
    encryption_section = (gettext_noop("Encryption"), ("sslmode", "ca_certificate"))
    tunnel_section = (gettext_noop("SSH tunnel"), _SSH_FIELDS)
    spans = {
        "host": "f-4",
        "port": "f-2",
        "database": "f-3",
        "schemas": "f-3",
        "user": "f-3",
        "password": "f-3",
        "sslmode": "f-6",
        "ca_certificate": "f-6",
        "use_tunnel": "f-6",
        "ssh_host": "f-4",
        "ssh_port": "f-2",
        "ssh_user": "f-3",
        "ssh_password": "f-3",
        "ssh_private_key": "f-6",
        "ssh_passphrase": "f-6",
        "ssh_host_key": "f-6",
    }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["port"].initial = self.default_port

    def clean_port(self) -> int:
        return self.cleaned_data["port"] or self.default_port

    def clean_ssh_port(self) -> int:
        return self.cleaned_data["ssh_port"] or 22

    def clean_ca_certificate(self) -> str:
        text: str = self.cleaned_data["ca_certificate"]
        if not text:
            return ""
        if self.cleaned_data.get("sslmode") != "verify-full":
            raise ValidationError(
                _("Only the verified mode uses a certificate. Choose it, or leave this empty.")
            )
        try:
            ssl.create_default_context(cadata=text)
        except (ssl.SSLError, ValueError) as error:
            raise ValidationError(
                _("This is no PEM certificate. Paste it with its BEGIN and END lines.")
            ) from error
        return text

    def clean_ssh_private_key(self) -> str:
        text: str = self.cleaned_data["ssh_private_key"].replace("\r\n", "\n")
        if not text:
            return ""
        if not re.fullmatch(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*-----", text, re.DOTALL):
            raise ValidationError(
                _("This is no private key. Paste the file with its BEGIN and END lines.")
            )
        return f"{text}\n"

    def clean_ssh_host_key(self) -> str:
        """Kind and key, from that alone or from a line of ``ssh-keyscan`` or ``known_hosts``."""
        words = self.cleaned_data["ssh_host_key"].split()
        if not words:
            return ""
        for kind, key in itertools.pairwise(words):
            if _is_host_key(kind, key):
                return f"{kind} {key}"
        raise ValidationError(_("This is no public key. Paste a line such as “ssh-ed25519 AAAA…”."))

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if values.get("use_tunnel"):
            for name in ("ssh_host", "ssh_user"):
                if not values.get(name) and name not in self.errors:
                    self.add_error(name, _("The tunnel needs it."))
        return values


def _is_host_key(kind: str, key: str) -> bool:
    """Whether the text is a key that says of itself that it is of that kind."""
    try:
        raw = b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        return False
    length = int.from_bytes(raw[:4], "big")
    return len(raw) > length + 4 and raw[4 : 4 + length] == kind.encode()
