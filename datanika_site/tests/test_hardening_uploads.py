"""What an uploaded file says it is, and what it is."""

import gzip
import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from conftest_site import Person
from connections import runner
from connections.errors import FileRefused
from connections.sniffing import check_content
from tenants.models import Organization

PARQUET, SQLITE = b"PAR1" + b"\0" * 20, b"SQLite format 3\0" + b"\0" * 20


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"id,name\n1,x\n"),
        ("a.CSV", "id;größe\n".encode("latin-1")),
        ("a.json", b'\xef\xbb\xbf{"a": 1}'),
        ("a.jsonl", b""),
        ("a.csv.gz", gzip.compress(b"id\n1\n", mtime=0)),
        ("a.parquet", PARQUET),
        ("a.sqlite", SQLITE),
        ("a.db", SQLITE),
        ("a.duckdb", b"\1" * 8 + b"DUCK" + b"\0" * 20),
        ("a.dat", b"\0\1\2"),
        ("noending", b"id\n1\n"),
    ],
)
def test_what_fits_is_taken(name: str, content: bytes) -> None:
    file = io.BytesIO(content)
    check_content(name, file)
    assert file.tell() == 0, "whoever stores it reads it from the beginning"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"\x7fELF" + b"\0" * 20, "a program, not text"),
        ("a.csv", b"MZ\x90\0", "a program, not text"),
        ("a.csv", b"PK\x03\x04rest", "a ZIP archive or an Excel file"),
        ("a.json", b"%PDF-1.7", "a PDF"),
        ("a.csv", gzip.compress(b"id\n", mtime=0), "compressed with gzip"),
        ("a.jsonl", PARQUET, "a Parquet file"),
        ("a.csv", "id,name\n".encode("utf-16"), "not text in UTF-8 or Latin-1"),
        ("a.parquet", b"id,name\n", "does not begin like a .parquet file"),
        ("a.csv.gz", b"id,name\n", "does not begin like a .gz file"),
        ("a.duckdb", SQLITE, "does not begin like a .duckdb file"),
        ("a.sqlite", b"", "does not begin like a .sqlite file"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(name: str, content: bytes, words: str) -> None:
    with pytest.raises(FileRefused, match="ending of what it is") as refused:
        check_content(name, io.BytesIO(content))
    assert words in refused.value.message
    assert refused.value.field == "file"


def test_both_faces_ask(organization: Organization, editor: Person) -> None:
    """By the content alone: what the browser calls it counts for nothing. And nothing is kept."""
    page = f"/o/{organization.slug}/connections/files/upload/"
    api = f"/api/v1/organizations/{organization.slug}/files/"
    for url in (page, api):
        file = SimpleUploadedFile("a.csv", b"\x7fELF\0", content_type="text/csv")
        response: Any = editor.client.post(url, {"file": file})
        assert response.status_code == 422, url
        assert "a program, not text" in response.content.decode()
    assert list((runner.files_root(organization) / "uploads").iterdir()) == []


@pytest.mark.parametrize("name", ["a.csv\n", "../a.csv", ".a.csv", "a\0.csv", "a/b.csv", "con:x"])
def test_odd_names_are_refused(organization: Organization, editor: Person, name: str) -> None:
    from connections import services

    with pytest.raises(FileRefused):
        services.store_upload(
            organization=organization,
            actor=editor.actor,
            name=name,
            content=io.BytesIO(b"id\n"),
            size=3,
        )
