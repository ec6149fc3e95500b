"""Values that do not fit."""

from django.utils.translation import gettext_lazy as _

from orchestration.explanations.entry import Explanation, Place, Who, marks

ENTRIES = (
    Explanation(
        key="value-not-of-type",
        title=_("A value is not of its column's type"),
        cause=_(
            "A text stands where a number, a date or something else is needed, and cannot be "
            "read as one."
        ),
        remedy=_(
            "Correct the value at the source, or have the table keep refused rows aside (data "
            "type: discard row)."
        ),
        who=Who.EDITOR,
        places=(Place.TABLES, Place.REJECTS),
        marks=marks(
            "sqlstate:22P02 mysql:1366 mysql:1292 sqlite:SQLITE_MISMATCH",
            "sqlite:SQLITE_CONSTRAINT_DATATYPE duckdb:ConversionException sqlstate:22018",
        ),
    ),
    Explanation(
        key="number-too-large",
        title=_("A number does not fit its column"),
        cause=_("A number is larger or more precise than the column takes."),
        remedy=_("Widen the column in the destination, or correct the value at the source."),
        who=Who.EDITOR,
        places=(Place.TABLES, Place.REJECTS),
        marks=marks("sqlstate:22003 mysql:1264 mysql:1690 duckdb:OutOfRangeException"),
    ),
    Explanation(
        key="date-impossible",
        title=_("A date or time that does not exist"),
        cause=_("A date or time is outside of the calendar, or outside of what the column takes."),
        remedy=_("Correct the value at the source, or have the table keep refused rows aside."),
        who=Who.EDITOR,
        places=(Place.TABLES, Place.REJECTS),
        marks=marks("sqlstate:22007 sqlstate:22008 sqlstate:22009 mysql:1411"),
    ),
    Explanation(
        key="text-too-long",
        title=_("A text is too long for its column"),
        cause=_("The destination's column takes no text of that length."),
        remedy=_(
            "Widen the column in the destination, or load the table anew with a full refresh."
        ),
        who=Who.EDITOR,
        places=(Place.TABLES, Place.REJECTS),
        marks=marks("sqlstate:22001 mysql:1406 sqlite:SQLITE_TOOBIG"),
    ),
    Explanation(
        key="value-cut-off",
        title=_("A value would be cut off"),
        cause=_("MySQL and MariaDB would shorten a value to store it, and refuse that."),
        remedy=_(
            "Widen the column in the destination, or correct the value at the source. For an "
            "enum column, use one of its values."
        ),
        who=Who.EDITOR,
        places=(Place.TABLES, Place.REJECTS),
        marks=marks("mysql:1265 mysql:1261 mysql:1262"),
    ),
    Explanation(
        key="bytes-no-text",
        title=_("Bytes that are no text"),
        cause=_("The file or the column says it is text of one encoding, and some bytes are not."),
        remedy=_("Set the encoding on the connection, or correct the data at the source."),
        who=Who.EDITOR,
        places=(Place.CONNECTION, Place.TABLES),
        marks=marks(
            "sqlstate:22021 sqlstate:22P05 mysql:1300 mysql:3854 python:UnicodeDecodeError",
        ),
    ),
    Explanation(
        key="division-by-zero",
        title=_("Division by zero"),
        cause=_("An expression divides by a column that is 0 in some row."),
        remedy=_("Write nullif(…, 0) around the divisor."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TABLES),
        marks=marks("sqlstate:22012 mysql:1365"),
    ),
    Explanation(
        key="null-not-allowed",
        title=_("An empty value where none may be"),
        cause=_("The column must have a value, and some row has NULL."),
        remedy=_(
            "Correct the row at the source, or lift NOT NULL from the column in the destination."
        ),
        who=Who.EDITOR,
        places=(Place.TABLES, Place.REJECTS),
        marks=marks(
            "sqlstate:22004 sqlstate:23502 mysql:1048 mysql:1364 mysql:1263",
            "sqlite:SQLITE_CONSTRAINT_NOTNULL",
        ),
    ),
    Explanation(
        key="duplicate-key",
        title=_("Two rows with one key"),
        cause=_("A unique key of the table is taken already by another row."),
        remedy=_(
            "Use write disposition merge, or correct the primary key in the table's settings."
        ),
        who=Who.EDITOR,
        places=(Place.TABLES,),
        marks=marks(
            "sqlstate:23505 mysql:1062 mysql:1586 sqlite:SQLITE_CONSTRAINT_UNIQUE",
            "sqlite:SQLITE_CONSTRAINT_PRIMARYKEY sqlite:SQLITE_CONSTRAINT_ROWID",
        ),
    ),
    Explanation(
        key="foreign-key",
        title=_("A row points to one that is not there"),
        cause=_(
            "A foreign key of the destination is broken: the other row is missing, or would be "
            "taken away."
        ),
        remedy=_(
            "Load the other table first (a dependency does that), or lift the foreign key from "
            "the destination."
        ),
        who=Who.EDITOR,
        places=(Place.TABLES, Place.LINEAGE),
        marks=marks(
            "sqlstate:23503 sqlstate:23001 mysql:1452 mysql:1216 mysql:1451 mysql:1217",
            "mysql:1701 sqlite:SQLITE_CONSTRAINT_FOREIGNKEY",
        ),
    ),
    Explanation(
        key="check-violated",
        title=_("A rule of the destination forbids the row"),
        cause=_("A check constraint, an exclusion or a trigger of the table refuses the row."),
        remedy=_("Correct the row at the source, or lift the rule in the destination."),
        who=Who.EDITOR,
        places=(Place.TABLES, Place.REJECTS),
        marks=marks(
            "sqlstate:23514 sqlstate:23P01 mysql:4025 mysql:3819",
            "sqlite:SQLITE_CONSTRAINT_CHECK sqlite:SQLITE_CONSTRAINT_TRIGGER sqlstate:44000",
            "mysql:1369",
        ),
    ),
    Explanation(
        key="raised-by-code",
        title=_("Code in the database refused it"),
        cause=_(
            "A function or trigger in the database stopped the statement with words of its own."
        ),
        remedy=_("Its words stand below; whoever wrote that code knows what it wants."),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("sqlstate:P0001 mysql:1644 sqlstate:P0004"),
    ),
    Explanation(
        key="json-broken",
        title=_("Broken JSON"),
        cause=_("A value or a file says it is JSON and is not."),
        remedy=_("Correct the data at the source; the system's own words say where."),
        who=Who.EDITOR,
        places=(Place.FILES, Place.TABLES),
        marks=marks(
            "sqlstate:22032 sqlstate:22030 mysql:3140 mysql:3141 mysql:4038",
            "code:malformed_json",
        ),
    ),
    Explanation(
        key="constraint",
        title=_("A rule of the table forbids the row"),
        cause=_("A key, a NOT NULL or another rule of the table refuses a row."),
        remedy=_(
            "The system's own words name the rule: correct the row at the source, the key in the "
            "table's settings, or the rule."
        ),
        who=Who.EDITOR,
        places=(Place.TABLES,),
        marks=marks("duckdb:ConstraintException sqlite:SQLITE_CONSTRAINT sqlstate:23*"),
        broad=True,
    ),
    Explanation(
        key="value-refused",
        title=_("A value does not fit"),
        cause=_("Some value does not fit where it should go."),
        remedy=_(
            "Correct it at the source, leave the column out, or have the table keep refused "
            "rows aside."
        ),
        who=Who.EDITOR,
        places=(Place.TABLES, Place.REJECTS),
        marks=marks("code:bad_data sqlstate:22* duckdb:DataError duckdb:TypeMismatchException"),
        broad=True,
    ),
)
