"""Every type of DuckDB with its edges, and its unusual tables."""

from pipelines.tests.fidelity.catalogue import Catalogue, Special, col, quoted

_HUGE = "170141183460469231731687303715884105727"
_NUMBERS = (
    col("b", "BOOLEAN", "true", "false"),
    col("ti", "TINYINT", "-128", "127"),
    col("uti", "UTINYINT", "255"),
    col("si", "SMALLINT", "-32768", "32767"),
    col("usi", "USMALLINT", "65535"),
    col("i", "INTEGER", "-2147483648", "2147483647"),
    col("ui", "UINTEGER", "4294967295"),
    col("big", "BIGINT", "-9223372036854775808", "9223372036854775807"),
    col("ubig", "UBIGINT", "18446744073709551615", "0",
        postgres="converted:same", sqlite="converted:text"),
    col("huge", "HUGEINT", _HUGE, f"-{_HUGE}", "0",
        postgres="converted:same", mysql="converted:same", duckdb="exact", others="converted:text"),
    col("uhuge", "UHUGEINT", "340282366920938463463374607431768211455",
        postgres="converted:same", mysql="converted:same", duckdb="exact", others="converted:text"),
    col("n12", "DECIMAL(12,2)", "9999999999.99", "-9999999999.99", "0.01", "1.10"),
    col("n38", "DECIMAL(38,10)", f"{'9' * 28}.{'9' * 10}", f"-{'9' * 28}.{'9' * 10}", sqlite="converted:text"),
    col("f4", "FLOAT", "0.1", "3.4028235e38", "1e-45", "-1.5"),
    col("f8", "DOUBLE", "0.1", "1.7976931348623157e308", "5e-324", "-0.30000000000000004"),
    col("f8_nan", "DOUBLE", "'NaN'", mysql="rejected", sqlite="rejected"),
    col("f8_inf", "DOUBLE", "'Infinity'", "'-Infinity'", mysql="rejected"),
    col("f4_nan", "FLOAT", "'NaN'", mysql="rejected", sqlite="rejected"),
    col("f4_inf", "FLOAT", "'Infinity'", "'-Infinity'", mysql="rejected"),
)  # fmt: skip

_TEXTS = (
    col("t", "VARCHAR", "''", "' '", "'NULL'", r"'\N'", r"'back\slash'", "'it''s \"quoted\"'",
        r"e'two\nlines\r\n\ttab'", "'snow ☃, face 😀, combining e\u0301'",
        "'日本語'", "'007'", "repeat('long ☃ ', 20000)"),
    col("t_nul", "VARCHAR", "'a' || chr(0) || 'b'", postgres="rejected"),
    col("mood", "ENUM('happy', 'so so', '☃')", "'happy'", "'☃'"),
    col("u", "UUID", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"),
    col("bl", "BLOB", "''::BLOB", r"'\x00\xFF'::BLOB", "unhex(repeat('00ff', 5000))"),
    col("bits", "BIT", "'101'", "'0'", duckdb="exact", others="converted:text"),
    col("js", "JSON", *quoted('{"b": 1.10, "a":[1,null]}', "null", "12345678901234567890.5", '""'),
        mysql="converted:json", sqlite="converted:json"),
)  # fmt: skip

_TIMES = (
    col("d", "DATE", "'0001-01-01'", "'1970-01-01'", "'2024-02-29'", "'9999-12-31'"),
    col("d_far", "DATE", "'4713-01-01 (BC)'", "'5874897-12-31'", mysql="rejected", sqlite="rejected"),
    col("d_end", "DATE", "'5877642-06-25 (BC)'", "'5881580-07-10'",
        postgres="rejected", mysql="rejected", sqlite="rejected"),
    col("d_inf", "DATE", "'infinity'", "'-infinity'",
        mysql="rejected", sqlite="rejected", parquet="rejected"),
    col("ts", "TIMESTAMP", "'0001-01-01'", "'1969-12-31 23:59:59.999999'", "'9999-12-31 23:59:59.999999'"),
    col("ts_s", "TIMESTAMP_S", "'2024-02-29 12:00:01'", "'1900-01-01'"),
    col("ts_ms", "TIMESTAMP_MS", "'2024-02-29 12:00:01.123'", "'1900-01-01'"),
    col("ts_ns", "TIMESTAMP_NS", "'2024-02-29 12:00:01.123456'", "'1900-01-01'"),
    col("ts_ns9", "TIMESTAMP_NS", "'2024-02-29 12:00:01.123456789'",
        postgres="rejected", mysql="rejected"),
    col("ts_far", "TIMESTAMP", "'4713-01-01 (BC)'", "'290000-01-01'",
        mysql="rejected", sqlite="rejected"),
    col("ts_inf", "TIMESTAMP", "'infinity'", "'-infinity'",
        mysql="rejected", sqlite="rejected", parquet="rejected"),
    col("tz", "TIMESTAMPTZ", "'0001-01-01 00:00:00+00'", "'2024-07-01 00:30:00.654321+02'",
        "'9999-12-31 23:59:59.999999+00'", mysql="converted:utc", sqlite="converted:text"),
    col("tm", "TIME", "'00:00:00'", "'23:59:59.999999'"),
    col("tm24", "TIME", "'24:00:00'", parquet="rejected"),
    col("ttz", "TIMETZ", "'00:00:00+00'", "'23:59:59.999999-15:59'", "'12:00:00+05:30'",
        postgres="exact", duckdb="exact", others="converted:text"),
    col("iv", "INTERVAL", "INTERVAL '1 month 2 days 3 hours 4.000006 seconds'", "INTERVAL '-1 day'",
        "INTERVAL '0 days'", postgres="exact", duckdb="exact", others="converted:text"),
)  # fmt: skip

_NESTED = tuple(
    col(name, ddl, *values, duckdb="exact", parquet=parquet, others="converted:json")
    for parquet, name, ddl, *values in (
        ("exact", "ia", "INTEGER[]", "[1, NULL, 3]", "[]"),
        ("exact", "ta", "VARCHAR[]", "['a,b', NULL, 'q\"x', '', '☃']"),
        ("exact", "iaa", "INTEGER[][]", "[[1, 2], [], NULL]"),
        ("exact", "fixed", "INTEGER[3]", "[1, 2, 3]"),
        ("exact", "st", "STRUCT(a INTEGER, b VARCHAR)", "{'a': 1, 'b': 'x'}", "{'a': NULL, 'b': ''}"),
        ("converted:json", "mp", "MAP(VARCHAR, INTEGER)", "MAP {'k': 1, 'l': NULL}", "MAP {}"),
        ("converted:json", "un", "UNION(n INTEGER, v VARCHAR)", "1", "'x'"),
    )
)  # fmt: skip

_SPECIALS = (
    Special(
        "generated",
        (
            "CREATE TABLE {schema}.generated (id INTEGER, a INTEGER, twice BIGINT AS (a::BIGINT * 2))",
            "INSERT INTO {schema}.generated (id, a) VALUES (1, 1), (2, NULL), (3, 2147483647)",
        ),
        3,
    ),
    Special(
        "parts",
        ("CREATE TABLE {schema}.parts AS SELECT n::INTEGER AS id, date '2023-12-01' + n::INTEGER AS day"
         " FROM range(1, 61) t(n)",),
        60,
    ),
    Special(
        "a_view",
        ("CREATE VIEW {schema}.a_view AS SELECT id, upper('v' || id) AS v FROM {schema}.parts",),
        60,
    ),
)  # fmt: skip

DUCKDB = Catalogue((*_NUMBERS, *_TEXTS, *_TIMES, *_NESTED), _SPECIALS)
