"""What the connectors of one local database file share. Child side."""

import os
from pathlib import Path

from common.errors import NotFound, UserError
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


def new_database_file(target: Target) -> Path:
    """As ``database_file``, for a destination: the file may be missing, its directory must not."""
    path = database_file(target, must_exist=False)
    if not path.parent.is_dir():
        raise NotFound(
            f'There is no directory for "{target.config["path"]}".',
            field="path",
            remedy="Choose a path in a directory that exists.",
        )
    return path


def exists(target: Target) -> bool:
    """Whether the file of a local database is there and may be looked at."""
    try:
        return database_file(target, must_exist=False).exists()
    except UserError:
        return False


def check_place(target: Target) -> Outcome:
    """A check's stage: the file of a destination, there already or to be made."""
    path = new_database_file(target)
    if path.exists():
        return Outcome(f"{target.config['path']} is there ({readable_size(path)}).")
    return Outcome(f"{target.config['path']} will be created by the first run.")


def check_writable(target: Target, text: str) -> Outcome:
    """A check's stage: the file can be written; ``text`` says what that allows."""
    path = new_database_file(target)
    # A database writes its log beside the file, so the directory counts in either case.
    places = [path, path.parent] if path.exists() else [path.parent]
    if not all(os.access(place, os.W_OK) for place in places):
        raise UserError(
            f'"{target.config["path"]}" cannot be written.',
            field="path",
            remedy="Ask the operator to check the permissions of that directory.",
        )
    return Outcome(text)


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
