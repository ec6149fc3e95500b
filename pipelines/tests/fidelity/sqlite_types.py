"""SQLite: declared types, what really lies in the columns, and unusual tables."""

from pipelines.tests.fidelity.catalogue import Catalogue, Special, col, quoted

_COLUMNS = (
    col("i", "INTEGER", "-9223372036854775808", "9223372036854775807", "0"),
    col("i_declared", "INT", "1", "-2147483648"),
    col("b", "BOOLEAN", "1", "0"),
    col("r", "REAL", "0.1", "1.7976931348623157e308", "5e-324", "-0.30000000000000004"),
    col("r_inf", "REAL", "9e999", "-9e999", mysql="rejected"),
    col("n12", "DECIMAL(10,2)", "12.34", "-99999999.99", "3", "1.10"),
    col("t", "TEXT", "''", "' '", "'NULL'", r"'\N'", r"'back\slash'", "'it''s \"quoted\"'",
        "'two' || char(10) || 'lines' || char(13, 10, 9)", "'snow ☃, face 😀, combining e\u0301'", "'日本語'",
        "'007'", "replace(hex(zeroblob(5000)), '00', '☃ ')"),
    col("vc", "VARCHAR(10)", "'00501'", "''", "'longer than ten characters'"),
    col("bl", "BLOB", "x''", "x'00ff41275c0a'", "zeroblob(5000)"),
    col("d", "DATE", *quoted("0001-01-01", "2024-02-29", "9999-12-31")),
    col("ts", "DATETIME", *quoted("2024-01-01 10:00:00", "2024-01-01 10:00:00.123456", "0001-01-01 00:00:00")),
    col("ts_t", "TIMESTAMP", *quoted("2024-01-01T10:00:00", "2024-01-01T10:00:00.5")),
    col("js", "JSON", *quoted('{"a": 1.10, "b": [1, null]}', "null", "[]")),
    # What a column declares and what lies in it may differ: then the whole column becomes text and says so.
    col("mixed", "INTEGER", "1", "'text'", "9223372036854775807", others="converted:text"),
    col("anything", "", "'any'", "5", "1.5", others="converted:text"),
    col("zoned", "TIMESTAMP", *quoted("2024-01-01 10:00:00+02:00"), others="converted:text"),
    col("odd", "DECIMAL(10,2)", "0.125", "12", others="converted:float"),
)  # fmt: skip

_SPECIALS = (
    Special(
        "generated",
        (
            "CREATE TABLE {schema}.generated (id INTEGER, a INTEGER, twice INTEGER AS (a * 2) VIRTUAL,"
            " thrice INTEGER AS (a * 3) STORED)",
            "INSERT INTO {schema}.generated (id, a) VALUES (1, 1), (2, NULL), (3, 2147483647)",
        ),
        3,
    ),
    Special(
        "no_rowid",
        (
            "CREATE TABLE {schema}.no_rowid (id INTEGER PRIMARY KEY, v TEXT) WITHOUT ROWID",
            "INSERT INTO {schema}.no_rowid VALUES (1, 'a'), (2, 'b')",
        ),
        2,
    ),
    Special(
        "strict",
        (
            "CREATE TABLE {schema}.strict (id INTEGER, v TEXT, r REAL) STRICT",
            "INSERT INTO {schema}.strict VALUES (1, 'a', 0.5), (2, NULL, NULL)",
        ),
        2,
    ),
    Special(
        "a_view",
        ("CREATE VIEW {schema}.a_view AS SELECT id, upper('v' || id) AS v FROM no_rowid",),
        2,
    ),
)  # fmt: skip

SQLITE = Catalogue(_COLUMNS, _SPECIALS)
