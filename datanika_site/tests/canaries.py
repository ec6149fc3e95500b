"""Secrets that are known again wherever they turn up, one for every place that takes a secret."""

import html
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import psutil
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings
from django.db import connection

from alerts import services as alerts
from common import crypto
from common.access import Role
from common.redaction import base64_of
from conftest_site import PASSWORD, Person
from connections import services as connections
from connections.connectors.registry import all_connectors
from connections.models import Connection
from tenants import services as tenants
from tenants.actors import Actor
from tenants.models import Organization
from tenants.services import providers, second_factor, tokens

#: In every canary that we choose ourselves. Each of its marks is written differently in a URL, JSON or a shell.
CORE = "kN4rY/q7+Xw&z"
SERVER = {"host": "127.0.0.1", "database": "shop", "user": "reader"}
TUNNEL = {"use_tunnel": True, "ssh_host": "127.0.0.1", "ssh_port": 1, "ssh_user": "tunnel"}


def spellings(secret: str) -> set[str]:
    """How the secret looks in text, in URLs, in JSON, in base64 and in hexadecimal digits."""
    found = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret)}
    found |= {
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        secret.encode().hex(),
        html.escape(secret),
    }
    return found | set(base64_of(secret))


@dataclass
class Canaries:
    """``made`` are secrets that Datanika generated itself, by what they are."""

    made: dict[str, str] = field(default_factory=dict)
    connections: dict[str, Connection] = field(default_factory=dict)

    def hits(self, text: str | bytes, what: str) -> list[str]:
        """Where ``text`` has a canary in any spelling."""
        raw = text.encode(errors="replace") if isinstance(text, str) else text
        return [
            f"{what}: {name}: …{raw[max(0, at - 40) : at + 60]!r}…"
            for name, needle in self._needles()
            if (at := raw.find(needle)) >= 0
        ]

    def _needles(self) -> Iterator[tuple[str, bytes]]:
        for name, secret in {"a chosen secret": CORE, **self.made}.items():
            for spelling in spellings(secret):
                yield name, spelling.encode()


def plant(organization: Organization, owner: Person) -> Canaries:
    """Every place that takes or makes a secret has one."""
    canaries = Canaries()
    actor = owner.actor
    key = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
    )
    canaries.made["SSH private key"] = key.decode().splitlines()[2]
    for connector in all_connectors().values():
        names = connector.form_class.secret_fields
        if not names:
            continue
        secrets = {name: f"{connector.key}-{name}-{CORE}" for name in names}
        secrets["ssh_private_key"] = key.decode()
        canaries.connections[connector.key] = connections.create_connection(
            organization=organization,
            actor=actor,
            name=f"Canary {connector.label}",
            connector=connector.key,
            values={**SERVER, "port": 1, **TUNNEL, **secrets},
        )
    for kind in ("webhook", "slack"):
        _channel, secret = alerts.create_channel(
            organization=organization,
            actor=actor,
            kind=kind,
            settings=alerts.ChannelSettings(
                name=f"Canary {kind}", url=f"http://127.0.0.1:9/{quote(CORE, safe='')}"
            ),
        )
        if secret:
            canaries.made[f"{kind} signing secret"] = secret
    _people(canaries, organization, owner)
    _platform()
    canaries.made |= {
        "SECRET_KEY": settings.SECRET_KEY,
        "hashing secret": settings.HASHING_SECRET,
        "column hashing key": crypto.derived_key("column hashing", str(organization.pk)),
        **{f"encryption key {n}": key for n, key in enumerate(crypto.encryption_keys())},
    }
    return canaries


def _people(canaries: Canaries, organization: Organization, owner: Person) -> None:
    assert owner.membership is not None
    _key, canaries.made["API key"] = tenants.issue_api_key(
        organization=organization,
        name="Canary",
        role=Role.VIEWER,
        actor=owner.actor,
        created_by=owner.user,
    )
    _invitation, canaries.made["invitation"] = tenants.invite(
        organization=organization,
        email="canary@example.com",
        role=Role.VIEWER,
        actor=owner.actor,
    )
    caller = tokens.Caller(ip="127.0.0.1", user_agent="canary")
    issued = tokens.issue_tokens(membership=owner.membership, caller=caller)
    canaries.made["access token"] = issued.access
    canaries.made["refresh token"] = issued.refresh
    canaries.made["password"] = PASSWORD
    secret, _setup = second_factor.new_setup(owner.user)
    code = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    codes = second_factor.switch_on(user=owner.user, secret=secret, code=code)
    canaries.made["TOTP secret"] = secret
    canaries.made["recovery code"] = codes[0]
    seeds = Authenticator.objects.get(user=owner.user, type="recovery_codes")
    canaries.made["seed of recovery codes"] = crypto.decrypt_text(seeds.data["seed"])


def _platform() -> None:
    actor = Actor.operator()
    providers.create_provider(
        actor=actor,
        client_secret=f"provider-{CORE}",
        kind="openid_connect",
        slug="canary",
        name="Canary",
        client_id="canary",
        server_url="https://login.example.com",
    )
    tenants.update_platform(
        actor=actor,
        mail={
            "host": "127.0.0.1",
            "port": 9,
            "security": "starttls",
            "user": "canary",
            "from": "canary@example.com",
        },
        mail_password=f"mail-{CORE}",
    )


# Where to look ----------------------------------------------------------------------------------


def dump() -> str:
    """The database as text, everything in it, as of this transaction."""
    if connection.vendor == "sqlite":
        return "\n".join(connection.connection.iterdump())
    lines: list[str] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT t::text FROM {connection.ops.quote_name(table)} t")
            lines += [f"{table} {row[0]}" for row in cursor.fetchall()]
    return "\n".join(lines)


def files_below(root: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents; the file of the keys is where keys are."""
    for path in root.rglob("*"):
        yield f"name of {path}", str(path.relative_to(root)).encode()
        if path.is_file() and path.name != "keys.json":
            try:
                yield str(path), path.read_bytes()
            except OSError:
                continue


def processes(roots: Iterable[psutil.Process]) -> Iterator[tuple[str, bytes]]:
    """Command lines and environments of these processes and everything below them."""
    for root in roots:
        for process in (root, *root.children(recursive=True)):
            for name in ("cmdline", "environ"):
                try:
                    yield (
                        f"{name} of {process.pid}",
                        Path(f"/proc/{process.pid}/{name}").read_bytes(),
                    )
                except OSError:
                    continue


def values_of(response: Any) -> bytes:
    """Body and headers, also of an answer that streams."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return bytes(body) + str(dict(response.headers)).encode()
