"""Where connections may lead and who may come, as operators set it: what can be saved, and what is in force."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from common.errors import UserError
from tenants.models import PlatformSettings, SignUpPolicy

EGRESS = {
    "private-allowed": "public and private addresses",
    "public-only": "public addresses only",
}
_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(\.(?!-)[a-z0-9-]{1,63})+")
_SYSTEM = tuple(Path("/", name) for name in ("proc", "dev", "sys", "etc", "root", "run"))


_connectors: Callable[[], Mapping[str, str]] = dict


def know_connectors(labels: Callable[[], Mapping[str, str]]) -> None:
    """Tell which types of connection there are, key to label; their app stands above this one."""
    global _connectors  # noqa: PLW0603 - set once, when the apps start
    _connectors = labels


def connector_labels() -> Mapping[str, str]:
    """Every type of connection there is, key to label."""
    return _connectors()


def check_connectors(value: Any) -> None:
    """``UserError`` unless it is a list of types of connection; None is every one."""
    if value is None:
        return
    known = connector_labels()
    if not isinstance(value, list) or not value or not set(value) <= set(known):
        raise UserError(
            "The connectors are no list of types that there are.",
            field="allowed_connectors",
            remedy=f"Choose one or more of {', '.join(known)}; all of them is no restriction.",
        )


def check_sign_up(policy: str, domains: Any) -> None:
    """``UserError`` unless policy and domains fit together."""
    if policy not in SignUpPolicy.values:
        raise UserError(
            f"There is no sign-up policy {policy!r}.",
            field="sign_up_policy",
            remedy=f"One of {', '.join(SignUpPolicy.values)}.",
        )
    wrong = [one for one in domains if not isinstance(one, str) or not _DOMAIN.fullmatch(one)]
    if wrong:
        raise UserError(
            f"{wrong[0]!r} is not a domain.",
            field="sign_up_domains",
            remedy="Write example.com, one a line, in lower case.",
        )
    if policy == SignUpPolicy.DOMAINS and not domains:
        raise UserError(
            "Without a domain nobody could come this way.",
            field="sign_up_domains",
            remedy="Name one, or choose “invitation only”.",
        )


def check_egress(value: str) -> None:
    """``UserError`` unless it is a policy, or empty for the environment's."""
    if value and value not in EGRESS:
        raise UserError(
            f"There is no egress policy {value!r}.",
            field="egress_policy",
            remedy=f"Choose {' or '.join(EGRESS)}, or leave it empty.",
        )


def check_file_roots(value: Any) -> None:
    """``UserError`` unless it is a list of directories that hold nothing of the installation itself; None is well."""
    if value is None:
        return
    if not isinstance(value, list) or not all(isinstance(root, str) for root in value):
        raise _refused("The allowed directories are no list of paths.")
    for root in value:
        path = Path(root)
        if not path.is_absolute() or ".." in path.parts or "\0" in root:
            raise _refused(f"{root!r} is no absolute path.")
        real = path.resolve()
        if real == Path("/") or any(real.is_relative_to(one) for one in _SYSTEM):
            raise _refused(f"{root!r} holds what belongs to the system.")
        data = Path(settings.DATA_DIR).resolve()
        if real.is_relative_to(data) or data.is_relative_to(real):
            raise _refused(
                f"{root!r} holds the data of this installation and of every organization."
            )


def origin(platform: PlatformSettings, name: str) -> str:
    """What is in force and where it comes from."""
    if name == "allowed_connectors":
        chosen = platform.allowed_connectors
        labels = connector_labels()
        words = ", ".join(labels.get(key, key) for key in chosen or ())
        return f"In force: {words} (saved here)." if chosen else "In force: all of them (default)."
    if name == "egress_policy":
        saved = platform.egress_policy
        value = saved or str(settings.EGRESS_POLICY)
        words = EGRESS.get(value, f"{value!r}, which counts as public addresses only")
    else:
        roots = platform.allowed_file_roots
        saved = "" if roots is None else "saved"
        words = ", ".join(settings.ALLOWED_FILE_ROOTS if roots is None else roots) or "none"
    return f"In force: {words} ({'saved here' if saved else 'environment or default'})."


def _refused(message: str) -> UserError:
    return UserError(
        message,
        field="allowed_file_roots",
        remedy="Give absolute paths of directories made for shared files.",
    )
