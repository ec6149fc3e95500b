"""What machines run out of, and who waits for whom."""

from django.utils.translation import gettext_lazy as _

from orchestration.explanations.entry import Explanation, Place, Who, marks

ENTRIES = (
    Explanation(
        key="disk-full",
        title=_("The disk is full"),
        cause=_(
            "There is no space left where the data, or temporary files, would have been written."
        ),
        remedy=_(
            "Free some space, or load less at a time, then run again. The system's own words say on "
            "which side it was."
        ),
        who=Who.OPERATOR,
        places=(Place.PLATFORM, Place.CONNECTION),
        marks=marks("code:disk_full errno:ENOSPC sqlite:SQLITE_FULL"),
    ),
    Explanation(
        key="disk-quota",
        title=_("The disk quota is used up"),
        cause=_("The user of the worker may not take more space on this disk."),
        remedy=_("Have the quota raised, or free some space."),
        who=Who.OPERATOR,
        places=(Place.PLATFORM,),
        marks=marks("errno:EDQUOT"),
    ),
    Explanation(
        key="server-disk-full",
        title=_("The server's disk is full"),
        cause=_("The database server has no space left for the data."),
        remedy=_("Have space freed on the server, then run again."),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("sqlstate:53100 mysql:1021 mysql:1114 mysql:3675 mysql:1041"),
    ),
    Explanation(
        key="server-memory",
        title=_("The server is out of memory"),
        cause=_("The database server could not get the memory for this statement."),
        remedy=_("Run fewer things at once, or have more memory given to the server."),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("sqlstate:53200 mysql:1037 mysql:1038 mysql:5"),
    ),
    Explanation(
        key="server-limit",
        title=_("A limit of the server was reached"),
        cause=_(
            "The server is configured to allow no more of this (locks, temporary files, "
            "replication slots)."
        ),
        remedy=_("Have the setting raised that the system's own words name."),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("sqlstate:53400 sqlstate:53000 mysql:1206 sqlstate:53*"),
        broad=True,
    ),
    Explanation(
        key="too-many-files",
        title=_("Too many open files"),
        cause=_("The step, or the machine, has as many files open as it may."),
        remedy=_("Load fewer files at once, or have the operator raise the limit of open files."),
        who=Who.OPERATOR,
        places=(Place.TABLES, Place.PLATFORM),
        marks=marks("errno:EMFILE errno:ENFILE"),
    ),
    Explanation(
        key="file-closed-to-us",
        title=_("The file may not be touched"),
        cause=_(
            "The step may not read or write that file. Steps see only the files of their "
            "organization and what the operator allows."
        ),
        remedy=_(
            "Put the file among the organization's files, or have its directory allowed and "
            "readable for the worker."
        ),
        who=Who.OPERATOR,
        places=(Place.FILES, Place.PLATFORM),
        marks=marks("errno:EACCES errno:EPERM code:file_refused"),
    ),
    Explanation(
        key="file-missing",
        title=_("The file is not there"),
        cause=_("A file, or the directory it should be in, does not exist (any more)."),
        remedy=_("Upload it again, or correct the path."),
        who=Who.EDITOR,
        places=(Place.FILES, Place.CONNECTION),
        marks=marks(
            "errno:ENOENT errno:ENOTDIR sqlite:SQLITE_CANTOPEN sqlite:SQLITE_CANTOPEN_ISDIR",
        ),
    ),
    Explanation(
        key="file-is-directory",
        title=_("A directory where a file is expected"),
        cause=_("The path leads to a directory."),
        remedy=_("Give the path of a file, or a pattern such as orders/*.csv."),
        who=Who.EDITOR,
        places=(Place.CONNECTION, Place.TABLES),
        marks=marks("errno:EISDIR"),
    ),
    Explanation(
        key="name-too-long",
        title=_("A file name is too long"),
        cause=_("The system takes no file name or path of that length."),
        remedy=_("Use shorter names for the table or the file."),
        who=Who.EDITOR,
        places=(Place.TABLES,),
        marks=marks("errno:ENAMETOOLONG"),
    ),
    Explanation(
        key="disk-read-only",
        title=_("The disk cannot be written to"),
        cause=_(
            "The file system is mounted for reading only; some systems do that after a fault "
            "of the disk."
        ),
        remedy=_("Look at the disk of the worker."),
        who=Who.OPERATOR,
        places=(Place.PLATFORM,),
        marks=marks("errno:EROFS"),
    ),
    Explanation(
        key="disk-fault",
        title=_("The disk failed to read or write"),
        cause=_(
            "The operating system reports a fault of the disk, or a network disk that went away."
        ),
        remedy=_("Look at the disk and the system log of the machine, then run again."),
        who=Who.OPERATOR,
        places=(Place.PLATFORM,),
        marks=marks(
            "errno:EIO errno:ESTALE errno:ENXIO errno:ENODEV sqlite:SQLITE_IOERR",
            "sqlite:SQLITE_IOERR_READ sqlite:SQLITE_IOERR_WRITE",
            "sqlite:SQLITE_IOERR_SHORT_READ sqlite:SQLITE_IOERR_FSYNC",
        ),
    ),
    Explanation(
        key="statement-too-slow",
        title=_("The server's time limit was reached"),
        cause=_(
            "The statement ran longer than the server lets it, or somebody cancelled it there."
        ),
        remedy=_(
            "Have statement_timeout (MySQL: max_execution_time) raised for this user, or load "
            "less at a time. An index on the cursor column helps most."
        ),
        who=Who.SYSTEM_OWNER,
        places=(Place.TABLES, Place.CONNECTION),
        marks=marks(
            "sqlstate:57014 mysql:1969 mysql:3024 mysql:1317 sqlite:SQLITE_INTERRUPT",
            "duckdb:InterruptException",
        ),
    ),
    Explanation(
        key="lock-wait",
        title=_("Somebody else holds a lock"),
        cause=_("Another session works on the same table and did not let go in time."),
        remedy=_(
            "Wait: it is tried again. If it lasts, find the session that holds the lock "
            "(pg_stat_activity, SHOW PROCESSLIST)."
        ),
        who=Who.NOBODY,
        places=(Place.CONNECTION,),
        marks=marks("sqlstate:55P03 mysql:1205 mysql:3572"),
    ),
    Explanation(
        key="deadlock",
        title=_("Two writers stood in each other's way"),
        cause=_("Two sessions changed the same rows at once, and the server gave one of them up."),
        remedy=_("Wait: it is tried again. Running the two things one after the other avoids it."),
        who=Who.NOBODY,
        places=(Place.LINEAGE,),
        marks=marks(
            "sqlstate:40001 sqlstate:40P01 mysql:1213 mysql:1020 duckdb:TransactionException",
            "sqlstate:40003 sqlstate:40*",
        ),
    ),
    Explanation(
        key="file-in-use",
        title=_("The database file is in use"),
        cause=_(
            "DuckDB and SQLite let one process write at a time, and another one has the file open."
        ),
        remedy=_("Wait: it is tried again. Close other programs that have the file open."),
        who=Who.NOBODY,
        places=(Place.CONNECTION,),
        marks=marks(
            "duckdb:lock sqlite:SQLITE_BUSY sqlite:SQLITE_LOCKED sqlite:SQLITE_BUSY_SNAPSHOT",
            "sqlite:SQLITE_BUSY_RECOVERY sqlite:SQLITE_BUSY_TIMEOUT",
            "sqlite:SQLITE_LOCKED_SHAREDCACHE sqlite:SQLITE_PROTOCOL errno:EBUSY",
            "errno:ETXTBSY",
        ),
    ),
    Explanation(
        key="object-in-use",
        title=_("The object is in use"),
        cause=_("The server does not change or drop what another session has open."),
        remedy=_("Wait until the other session is done, then run again."),
        who=Who.NOBODY,
        places=(Place.CONNECTION,),
        marks=marks("sqlstate:55006"),
    ),
    Explanation(
        key="too-complex",
        title=_("Too much for one statement"),
        cause=_(
            "The statement, or the table it makes, has more columns or is more nested than the "
            "system takes."
        ),
        remedy=_("Leave out columns, or split the transformation into several."),
        who=Who.EDITOR,
        places=(Place.TABLES, Place.TRANSFORMATION),
        marks=marks(
            "sqlstate:54000 sqlstate:54001 sqlstate:54011 sqlstate:54023 mysql:1117",
            "mysql:1118 mysql:1436 mysql:1390 python:RecursionError",
        ),
    ),
    Explanation(
        key="packet-too-large",
        title=_("A row is larger than the server takes"),
        cause=_("MySQL and MariaDB take no message larger than max_allowed_packet."),
        remedy=_("Have max_allowed_packet raised on the server, or leave the large column out."),
        who=Who.SYSTEM_OWNER,
        places=(Place.TABLES, Place.CONNECTION),
        marks=marks("mysql:1153 mysql:2020 mysql:1301"),
    ),
)
