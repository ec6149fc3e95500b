"""Whether an uploaded file is what its name says: told by its first bytes, never by what the browser calls it."""

from pathlib import PurePath
from typing import BinaryIO

from django.core.files.base import File

from connections.errors import FileRefused

#: Enough to tell a text from anything else.
LOOKED_AT = 8192
_GZIP, _PARQUET, _SQLITE = b"\x1f\x8b", b"PAR1", b"SQLite format 3\0"
#: Ending → (where, what): one of them has to stand there.
_MARKS: dict[str, tuple[tuple[int, bytes], ...]] = {
    ".bz2": ((0, b"BZh"),),
    ".db": ((0, _SQLITE), (8, b"DUCK")),
    ".duckdb": ((8, b"DUCK"),),
    ".gz": ((0, _GZIP),),
    ".parquet": ((0, _PARQUET),),
    ".sqlite": ((0, _SQLITE),),
    ".sqlite3": ((0, _SQLITE),),
    ".xz": ((0, b"\xfd7zXZ\0"),),
    ".zst": ((0, b"\x28\xb5\x2f\xfd"),),
}
_TEXTS = frozenset({".csv", ".json", ".jsonl", ".ndjson", ".tsv", ".txt"})
#: What no text begins with, and what it is.
_NO_TEXT: tuple[tuple[bytes, str], ...] = (
    (_GZIP, "compressed with gzip"),
    (_PARQUET, "a Parquet file"),
    (_SQLITE, "a SQLite database"),
    (b"PK\x03\x04", "a ZIP archive or an Excel file"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"%PDF-", "a PDF"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
)


def check_content(name: str, content: BinaryIO | File[bytes]) -> None:
    """``FileRefused`` when the content, of which nothing was read yet, does not fit the ending of ``name``.

    Other endings are not judged.
    """
    head = content.read(LOOKED_AT)
    content.seek(0)
    ending = PurePath(name).suffix.lower()
    if ending in _MARKS and not any(
        head[at : at + len(mark)] == mark for at, mark in _MARKS[ending]
    ):
        raise _refused(name, f"does not begin like a {ending} file")
    if ending in _TEXTS:
        for mark, what in _NO_TEXT:
            if head.startswith(mark):
                raise _refused(name, f"is {what}, not text")
        # UTF-16 has them as well, and no connector reads it.
        if b"\0" in head:
            raise _refused(name, "is not text in UTF-8 or Latin-1")


def _refused(name: str, why: str) -> FileRefused:
    return FileRefused(
        f"The file {name!r} {why}.",
        field="file",
        remedy="Give it the ending of what it is, or unpack it first.",
    )
