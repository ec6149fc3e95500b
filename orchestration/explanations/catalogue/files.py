"""Files and servers whose data cannot be read."""

from django.utils.translation import gettext_lazy as _

from orchestration.explanations.entry import Explanation, Place, Who, marks

ENTRIES = (
    Explanation(
        key="invalid-input",
        title=_("The input cannot be read as it is"),
        cause=_("A file, a value or an option is not what DuckDB was told to expect."),
        remedy=_(
            "Check the options of the connection (delimiter, header, encoding) and the file; "
            "the system's own words name the place."
        ),
        who=Who.EDITOR,
        places=(Place.CONNECTION, Place.FILES),
        marks=marks("duckdb:InvalidInputException arrow:ArrowInvalid arrow:ArrowTypeError"),
        broad=True,
    ),
    Explanation(
        key="file-not-opened",
        title=_("The file or server could not be used"),
        cause=_("DuckDB could not open, read or write what it was pointed at."),
        remedy=_(
            "The system's own words name it: check that it is there, complete, and not of another kind."
        ),
        who=Who.EDITOR,
        places=(Place.CONNECTION, Place.FILES),
        marks=marks("duckdb:IOException duckdb:HTTPException"),
        broad=True,
    ),
    Explanation(
        key="ragged-file",
        title=_("A line of the file has another number of fields"),
        cause=_("The file has a broken line, or its delimiter, quote or header is set wrongly."),
        remedy=_(
            "Correct the line, or the options of the connection. Nothing of the file was loaded."
        ),
        who=Who.EDITOR,
        places=(Place.FILES, Place.CONNECTION),
        marks=marks("code:ragged_file"),
    ),
    Explanation(
        key="file-damaged",
        title=_("The database file is damaged"),
        cause=_("The file is not whole: cut off while it was copied, or damaged on its disk."),
        remedy=_(
            "Upload it again from a good copy; SQLite's integrity_check tells whether that one is."
        ),
        who=Who.EDITOR,
        places=(Place.FILES, Place.CONNECTION),
        marks=marks(
            "sqlite:SQLITE_CORRUPT sqlite:SQLITE_CORRUPT_INDEX",
            "sqlite:SQLITE_CORRUPT_SEQUENCE sqlite:SQLITE_CORRUPT_VTAB",
            "duckdb:SerializationException",
        ),
    ),
    Explanation(
        key="no-database-file",
        title=_("The file is no database"),
        cause=_(
            "The file is of another kind: a dump, an archive, or something else with that name."
        ),
        remedy=_("Upload the database file itself."),
        who=Who.EDITOR,
        places=(Place.FILES, Place.CONNECTION),
        marks=marks("sqlite:SQLITE_NOTADB sqlite:SQLITE_FORMAT"),
    ),
    Explanation(
        key="server-data-damaged",
        title=_("The server reports damaged data"),
        cause=_("The server found its own table or index damaged."),
        remedy=_(
            "Have it repaired (PostgreSQL: REINDEX or a backup; MySQL: CHECK TABLE, REPAIR TABLE)."
        ),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks(
            "sqlstate:XX001 sqlstate:XX002 mysql:1034 mysql:1035 mysql:1194 mysql:1195",
            "mysql:126 mysql:145",
        ),
    ),
    Explanation(
        key="server-disk-fault",
        title=_("The server cannot read its files"),
        cause=_("The server's own files cannot be read or written."),
        remedy=_("Have its disk and log looked at."),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks(
            "sqlstate:58030 sqlstate:58P01 sqlstate:58000 mysql:1016 mysql:1017 mysql:1026",
            "mysql:1033",
        ),
    ),
    Explanation(
        key="server-bug",
        title=_("The system met a fault of its own"),
        cause=_("The database says that this should never happen: a fault in it, not in the data."),
        remedy=_(
            "Run again; if it comes back, report it to the makers of the database with the "
            "system's own words."
        ),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION, Place.RUN_LOG),
        marks=marks(
            "sqlstate:XX000 duckdb:InternalException duckdb:FatalException",
            "sqlite:SQLITE_INTERNAL sqlite:SQLITE_MISUSE",
        ),
    ),
)
