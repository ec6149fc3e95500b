"""Where connections may lead, as operators set it: what can be saved, and what is in force."""

from pathlib import Path
from typing import Any

from django.conf import settings

from common.errors import UserError
from tenants.models import PlatformSettings

EGRESS = {
    "private-allowed": "public and private addresses",
    "public-only": "public addresses only",
}
_SYSTEM = tuple(Path("/", name) for name in ("proc", "dev", "sys", "etc", "root", "run"))


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
