"""SQL that the database does not take."""

from django.utils.translation import gettext_lazy as _

from orchestration.explanations.entry import Explanation, Kind, Place, Who, marks

ENTRIES = (
    Explanation(
        key="sql-missing-table",
        title=_("The SQL names a table that is not there"),
        cause=_("The table is missing, in another schema, or was not built or loaded yet."),
        remedy=_(
            "Write ref('…') or source('…') instead of its name, so that it is built first; or "
            "correct the name."
        ),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION,),
        marks=marks("sqlstate:42P01 mysql:1146"),
        kind=Kind.BUILD,
    ),
    Explanation(
        key="sql-missing-column",
        title=_("The SQL names a column that is not there"),
        cause=_(
            "The column does not exist in what the SQL reads from, or only under another name."
        ),
        remedy=_("Correct the name; the system's own words usually suggest the right one."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION,),
        marks=marks("sqlstate:42703 mysql:1054"),
        kind=Kind.BUILD,
    ),
    Explanation(
        key="sql-syntax",
        title=_("The SQL has a mistake"),
        cause=_(
            "The database cannot read the statement: a comma, a bracket or a word is wrong or "
            "missing."
        ),
        remedy=_("Correct it at the place the system's own words name."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TABLES),
        marks=marks(
            "sqlstate:42601 mysql:1064 mysql:1149 mysql:1065 duckdb:SyntaxException",
        ),
    ),
    Explanation(
        key="sql-no-such-operator",
        title=_("This type cannot be compared or calculated like that"),
        cause=_(
            "The database has no such function or operator for columns of these types: json "
            "and boolean, for example, have no order, so they are no cursor."
        ),
        remedy=_(
            "Choose another column (as cursor or in the filter), or convert it in the SQL "
            "(column::text)."
        ),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TABLES),
        marks=marks("sqlstate:42883 mysql:1305 mysql:1630 sqlstate:42725 mysql:4079 mysql:4078"),
    ),
    Explanation(
        key="sql-type-mismatch",
        title=_("Columns of different types meet"),
        cause=_("Two sides of a comparison, a union or a CASE have types that do not go together."),
        remedy=_("Convert one of them: cast(column as type)."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TABLES),
        marks=marks(
            "sqlstate:42804 sqlstate:42846 sqlstate:42P18 mysql:1267 mysql:1270 mysql:1271",
            "mysql:1273 sqlstate:42P22 sqlstate:42P21",
        ),
    ),
    Explanation(
        key="sql-ambiguous",
        title=_("A name could mean two things"),
        cause=_(
            "Two of the tables that are read have a column, or go by a name, of this spelling."
        ),
        remedy=_("Write the table in front of it: orders.id."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TABLES),
        marks=marks("sqlstate:42702 mysql:1052 sqlstate:42712 mysql:1066 sqlstate:42P09"),
    ),
    Explanation(
        key="sql-grouping",
        title=_("A column is neither grouped nor summed up"),
        cause=_(
            "With GROUP BY, every column of the result is grouped by or stands in a function "
            "such as sum()."
        ),
        remedy=_("Add the column to GROUP BY, or put a function around it."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TABLES),
        marks=marks("sqlstate:42803 mysql:1055 mysql:1056 mysql:1111 mysql:1140"),
    ),
    Explanation(
        key="sql-unknown-object",
        title=_("A type, schema object or setting is not known"),
        cause=_(
            "The SQL names a type, a collation, an extension's object or a setting that this "
            "database does not have."
        ),
        remedy=_("Correct the name, or have the extension installed in the database."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TABLES),
        marks=marks("sqlstate:42704 mysql:1193 mysql:1115 mysql:1128 sqlstate:42P02"),
    ),
    Explanation(
        key="sql-exists-already",
        title=_("The name is taken"),
        cause=_(
            "A table, view or other object of that name stands there already and was not made "
            "by this."
        ),
        remedy=_("Rename one of them, or drop the old one."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TABLES),
        marks=marks(
            "sqlstate:42P07 sqlstate:42710 sqlstate:42P06 mysql:1050 mysql:1007",
            "sqlstate:42723",
        ),
    ),
    Explanation(
        key="sql-column-twice",
        title=_("Two columns of one name"),
        cause=_(
            "A table can have each column name once, upper and lower case being the same in "
            "most systems."
        ),
        remedy=_("Name one of them differently (AS), or rename it in the table's settings."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TABLES),
        marks=marks("sqlstate:42701 mysql:1060"),
    ),
    Explanation(
        key="sql-wrong-kind",
        title=_("A view where a table is needed, or the other way"),
        cause=_("An object of that name is of another kind than what is to be done with it."),
        remedy=_("Drop it or rename it, then run again."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TABLES),
        marks=marks("sqlstate:42809 mysql:1347 mysql:1965"),
    ),
    Explanation(
        key="sql-several-rows",
        title=_("More than one row where one is needed"),
        cause=_(
            "A subquery stands where one value is needed and gives several; in a merge, two "
            "rows have one key."
        ),
        remedy=_("Narrow the subquery (limit 1, max()), or make the key unique."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TABLES),
        marks=marks("sqlstate:21000 mysql:1242 mysql:1241"),
    ),
    Explanation(
        key="sql-columns-count",
        title=_("Not the same number of columns"),
        cause=_("The parts of a UNION, or a list of values and its columns, differ in number."),
        remedy=_("Name the columns one by one on both sides."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TABLES),
        marks=marks("mysql:1222 mysql:1136 mysql:1353"),
    ),
    Explanation(
        key="sql-no-unique-key",
        title=_("No unique key to tell rows by"),
        cause=_(
            "INSERT … ON CONFLICT needs a unique index on just these columns, and there is none."
        ),
        remedy=_("Create the unique index in the destination, or merge by delete and insert."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TABLES),
        marks=marks("sqlstate:42P10"),
    ),
    Explanation(
        key="sql-dependents",
        title=_("Something else still needs it"),
        cause=_("A view or another object depends on what would be dropped or changed."),
        remedy=_(
            "Drop the dependent object, or build it by a transformation, which makes it anew."
        ),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TABLES),
        marks=marks("sqlstate:2BP01 mysql:3108 duckdb:DependencyException"),
    ),
    Explanation(
        key="sql-name-too-long",
        title=_("A name that the database does not take"),
        cause=_(
            "A name is too long (PostgreSQL takes 63 bytes, MySQL 64 characters) or has letters "
            "that are not allowed in names."
        ),
        remedy=_("Use a shorter, plainer name for the table or column."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TABLES),
        marks=marks("sqlstate:42622 mysql:1059 mysql:1102 mysql:1103 mysql:1166 sqlstate:42602"),
    ),
    Explanation(
        key="sql-key-impossible",
        title=_("This column cannot be a key there"),
        cause=_(
            "MySQL and MariaDB index no text without a length, and only keys of a limited length."
        ),
        remedy=_("Choose another key, or a column type with a length (varchar)."),
        who=Who.EDITOR,
        places=(Place.TABLES,),
        marks=marks("mysql:1170 mysql:1071 mysql:1167 mysql:1709"),
    ),
    Explanation(
        key="sql-broken-view",
        title=_("The view is broken"),
        cause=_("The view names a table or column that is gone, or its definer has lost a right."),
        remedy=_("Have the view repaired, or leave it out of the pipeline."),
        who=Who.SYSTEM_OWNER,
        places=(Place.TABLES,),
        marks=marks("mysql:1356 mysql:1449"),
    ),
    Explanation(
        key="sql-transaction-broken",
        title=_("An earlier statement had failed"),
        cause=_("After a failure the database takes nothing more in the same transaction."),
        remedy=_("Look for the first error in the log of the run: that one is the cause."),
        who=Who.EDITOR,
        places=(Place.RUN_LOG,),
        marks=marks("sqlstate:25P02 sqlstate:25P01 sqlstate:25001"),
    ),
    Explanation(
        key="pooler-in-between",
        title=_("A connection pooler is in between"),
        cause=_(
            "The session forgot what was prepared in it: a pooler in transaction mode gives "
            "each statement another session."
        ),
        remedy=_("Connect to the database directly, or to a pooler in session mode."),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("sqlstate:26000 sqlstate:34000 sqlstate:42P05 mysql:1243"),
    ),
    Explanation(
        key="local-infile-off",
        title=_("The server takes no LOAD DATA LOCAL"),
        cause=_("The fast way to load into MySQL and MariaDB is switched off at the server."),
        remedy=_("Have it switched on: SET GLOBAL local_infile = 1;"),
        who=Who.SYSTEM_OWNER,
        places=(Place.CONNECTION,),
        marks=marks("mysql:1148 mysql:3948 mysql:4166 mysql:2068"),
    ),
    Explanation(
        key="sql-not-supported",
        title=_("The database cannot do that"),
        cause=_(
            "The statement asks for something that this database, or this version of it, does "
            "not have."
        ),
        remedy=_("Write it differently, or use a newer version of the database."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TABLES),
        marks=marks(
            "sqlstate:0A000 mysql:1235 mysql:1286 duckdb:NotImplementedException",
            "duckdb:NotSupportedError",
        ),
        broad=True,
    ),
    Explanation(
        key="sql-binding",
        title=_("The SQL names something that is not there or does not fit"),
        cause=_(
            "A column, a function or a table is not known under this name, or not with values "
            "of these types."
        ),
        remedy=_(
            "Correct the name or the types; the system's own words usually suggest the right one."
        ),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TABLES),
        marks=marks("duckdb:BinderException duckdb:CatalogException"),
        broad=True,
    ),
    Explanation(
        key="sqlite-refused",
        title=_("SQLite does not take the statement"),
        cause=_(
            "A table or column is missing, or the SQL has a mistake; SQLite tells them apart "
            "by its words alone."
        ),
        remedy=_("Correct what the system's own words name."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TABLES),
        marks=marks("sqlite:SQLITE_ERROR sqlite:SQLITE_SCHEMA sqlite:SQLITE_RANGE"),
        broad=True,
    ),
    Explanation(
        key="sql-refused",
        title=_("The database refuses the SQL"),
        cause=_(
            "The statement does not fit the tables it names, or breaks a rule of the database."
        ),
        remedy=_("Correct what the system's own words name."),
        who=Who.EDITOR,
        places=(Place.TRANSFORMATION, Place.TABLES),
        marks=marks(
            "sqlstate:42* code:query_failed dbt:database_error dbt:DbtDatabaseError",
            "duckdb:ParserException",
        ),
        broad=True,
    ),
)
