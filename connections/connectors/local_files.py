"""What the connectors of one local database file share. Child side."""

import os
from pathlib import Path

from common.errors import UserError
from connections import policy
from connections.connectors.base import StageStatus, Target
from connections.connectors.checks import Outcome, counted


def database_file(target: Target, *, must_exist: bool) -> Path:
    """The file of a connection that is one local database; a directory is refused."""
    path = policy.resolve_path(
        target.config["path"],
        files_root=target.files_root,
        allowed_roots=target.allowed_roots,
        must_exist=must_exist,
    )
    if path.is_dir():
        raise UserError(
            f'"{target.config["path"]}" is a directory.',
            field="path",
            remedy="Name the database file.",
        )
    if path.exists() and not os.access(path, os.R_OK):
        raise UserError(
            f'"{target.config["path"]}" cannot be read.',
            field="path",
            remedy="Ask the operator to check the permissions of that file.",
        )
    return path


def found(tables: int) -> Outcome:
    """The closing stage of a local database's check."""
    if not tables:
        return Outcome("The database holds no table yet.", StageStatus.WARN)
    return Outcome(f"{counted(tables, 'table', 'tables and views')} can be read.")


def readable_size(path: Path) -> str:
    """The size of a file in a person's units."""
    size = float(path.stat().st_size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
