"""Every type of PostgreSQL with its edges, and its unusual tables."""

from pipelines.tests.fidelity.catalogue import Catalogue, Special, col, quoted

NINES = "9" * 28
TEXTS = (
    "''",
    "' '",
    "'NULL'",
    "'null'",
    r"'\N'",
    r"'\.'",
    r"'back\slash'",
    "'it''s \"quoted\"'",
    r"E'two\nlines\r\nand a\ttab'",
    "'snow ☃, face 😀, family 👨‍👩‍👧, combining e\u0301'",
    "'ünïcödé 日本語 العربية'",
    r"E'\x01\x1f\x7f'",
    "repeat('long ☃ ', 20000)",
    "'{\"a\": 1}'",
    "'2024-01-01'",
    "'007'",
)

_NUMBERS = (
    col("sm", "smallint", "-32768", "32767", "0"),
    col("i", "integer", "-2147483648", "2147483647", "0"),
    col("big", "bigint", "-9223372036854775808", "9223372036854775807", "0"),
    col("n12", "numeric(12,2)", "9999999999.99", "-9999999999.99", "0.01", "0", "1.10"),
    col("n38", "numeric(38,10)", f"{NINES}.{'9' * 10}", f"-{NINES}.{'9' * 10}", "0.0000000001",
        sqlite="converted:text"),
    col("n38_0", "numeric(38,0)", "9" * 38, "-" + "9" * 38, "0", sqlite="converted:text"),
    col("n50", "numeric(50,20)", f"{'9' * 30}.{'9' * 20}", "1e-20", "0",
        duckdb="converted:text", mysql="converted:text", sqlite="converted:text",
        parquet="converted:text"),
    col("n_free", "numeric", "12345678901234567890.123456789", "1e-20", "1e100", "-0.1", "1.10",
        duckdb="converted:text", mysql="converted:text", sqlite="converted:text",
        parquet="converted:text"),
    col("n_nan", "numeric", "'NaN'", "'Infinity'", "'-Infinity'", "1",
        duckdb="converted:text", mysql="converted:text", sqlite="converted:text",
        parquet="converted:text"),
    col("n_neg", "numeric(5,-2)", "123400", "-9999900",
        duckdb="converted:text", mysql="converted:text", sqlite="converted:text",
        parquet="converted:text"),
    col("f4", "real", "0.1", "3.4028235e38", "1e-45", "-1.5", "0"),
    col("f4_nan", "real", "'NaN'", mysql="rejected", sqlite="rejected"),
    col("f4_inf", "real", "'Infinity'", "'-Infinity'", mysql="rejected"),
    col("f8", "double precision", "0.1", "1.7976931348623157e308", "5e-324", "-0.30000000000000004"),
    col("f8_nan", "double precision", "'NaN'", mysql="rejected", sqlite="rejected"),
    col("f8_inf", "double precision", "'Infinity'", "'-Infinity'", mysql="rejected"),
    col("cash", "money", "'12.34'", "'-92233720368547758.08'",
        others="converted:number"),
    col("o", "oid", "4294967295", "0"),
    col("b", "boolean", "true", "false"),
)  # fmt: skip

_TEXTS = (
    col("t", "text", *TEXTS),
    col("vc", "varchar(50)", "''", "'x'", "'☃'"),
    col("ch", "char(5)", "'ab'", "'abcde'", "''"),
    col("nm", "name", "'a name'"),
    col("mood", "mood", "'happy'", "'so so'", "'☃'", others="converted:text"),
    col("u", "uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
        "'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"),
    col("by", "bytea", r"'\x'", r"'\x00'", r"'\x00ff41275c0a0d09'", "decode(repeat('00ff', 5000), 'hex')"),
    col("x", "xml", "'<a b=\"1\">ü</a>'", postgres="exact", others="converted:text"),
)  # fmt: skip

_TIMES = (
    col("d", "date", "'0001-01-01'", "'1582-10-10'", "'1970-01-01'", "'2024-02-29'", "'9999-12-31'"),
    col("d_far", "date", "'4713-01-01 BC'", "'5874897-12-31'", "'0044-03-15 BC'",
        mysql="rejected", sqlite="rejected"),
    col("d_inf", "date", "'infinity'", "'-infinity'", mysql="rejected", sqlite="rejected",
        parquet="rejected"),
    col("ts", "timestamp", "'0001-01-01'", "'1969-12-31 23:59:59.999999'", "'2024-02-29 12:00'",
        "'9999-12-31 23:59:59.999999'"),
    col("ts3", "timestamp(3)", "'2024-02-29 12:00:00.123'", "'1900-01-01'"),
    col("ts_far", "timestamp", "'4713-01-01 BC'", "'290000-01-01'",
        mysql="rejected", sqlite="rejected"),
    col("ts_end", "timestamp", "'294276-12-31 23:59:59.999999'",
        postgres="exact", others="rejected"),
    col("ts_inf", "timestamp", "'infinity'", "'-infinity'",
        mysql="rejected", sqlite="rejected", parquet="rejected"),
    col("tz", "timestamptz", "'0001-01-01 00:00+00'", "'1969-12-31 23:59:59.999999+00'",
        "'2024-07-01 00:30:00.654321+02'", "'9999-12-31 23:59:59.999999+00'",
        mysql="converted:utc", sqlite="converted:text"),
    col("tz_far", "timestamptz", "'4713-01-02 00:00+00 BC'", "'290000-01-01 00:00+00'",
        mysql="rejected", sqlite="converted:text"),
    col("tz_inf", "timestamptz", "'infinity'", "'-infinity'",
        mysql="rejected", sqlite="converted:text", parquet="rejected"),
    col("tm", "time", "'00:00'", "'23:59:59.999999'", "'12:30:00.5'"),
    col("tm24", "time", "'24:00'", parquet="rejected"),
    col("ttz", "timetz", "'00:00+00'", "'23:59:59.999999-15:59'", "'12:00+05:30'",
        others="converted:text", postgres="exact"),
    col("iv", "interval", "'1 mon 2 days 03:04:05.000006'", "'-1 day'", "'0'", "'1 year'",
        "'178000000 years'", "'-00:00:00.000001'", postgres="exact", duckdb="exact", others="converted:text"),
)  # fmt: skip

_DOCUMENTS = (
    col("js", "json", *quoted('{"b": 1.10, "a":[1,null, {"c": "ü"}]}', "null", "12345678901234567890.5", '""', "[]",
                              '{"k":1e2}', '"\\u00e9"'),
        mysql="converted:json", sqlite="converted:json"),
    col("jb", "jsonb", *quoted('{"a": 12345678901234567890.5, "b": 1.10}', "null", "{}", '"x"'),
        mysql="converted:json", sqlite="converted:json"),
    col("ia", "integer[]", *quoted("{1,2,NULL}", "{}", "{-2147483648}"),
        postgres="exact", others="converted:json"),
    col("iaa", "integer[]", *quoted("{{1,2},{3,4}}"), postgres="exact", others="converted:json"),
    col("ta", "text[]", *quoted('{"a,b",NULL,"q\\"x","","NULL",☃}', "{}"),
        postgres="exact", others="converted:json"),
    col("na", "numeric(10,2)[]", *quoted("{1.10,-99999999.99}"),
        postgres="exact", others="converted:json"),
    col("da", "date[]", *quoted("{2024-01-01,0001-01-01}"),
        postgres="exact", others="converted:json"),
    col("pair", "pair", *quoted('(1,"a,b")', "(,)"), others="converted:text"),
    col("posint", "posint", "1", "2147483647"),
)  # fmt: skip

_OTHERS = tuple(
    col(name, ddl, *values, postgres="exact", others="converted:text")
    for name, ddl, *values in (
        ("ip", "inet", "'10.0.0.1/24'", "'::1'", "'192.168.0.1'", "'2001:db8::/32'"),
        ("net", "cidr", "'10.0.0.0/8'", "'::/0'"),
        ("mac", "macaddr", "'08:00:2b:01:02:03'"),
        ("bits", "bit(5)", "B'10101'", "B'00000'"),
        ("vbits", "bit varying", "B''", "B'1'", "B'101010101'"),
        ("pt", "point", "'(1.5,-2)'"),
        ("tv", "tsvector", "'a:1 fat:2 rat:3A'"),
        ("rng", "int4range", "'[1,10)'", "'empty'", "'(,5)'"),
        ("trng", "tstzrange", "'[2024-01-01 00:00+00,)'"),
        ("jp", "jsonpath", "'$.\"a\"'"),
    )
)

_SPECIALS = (
    Special(
        "generated",
        (
            "CREATE TABLE {schema}.generated (id integer GENERATED ALWAYS AS IDENTITY, a integer,"
            " twice bigint GENERATED ALWAYS AS (a::bigint * 2) STORED)",
            "INSERT INTO {schema}.generated (a) VALUES (1), (NULL), (2147483647)",
        ),
        3,
    ),
    Special(
        "parts",
        (
            "CREATE TABLE {schema}.parts (id integer, day date) PARTITION BY RANGE (day)",
            "CREATE TABLE {schema}.parts_old PARTITION OF {schema}.parts FOR VALUES FROM (MINVALUE) TO ('2024-01-01')",
            "CREATE TABLE {schema}.parts_new PARTITION OF {schema}.parts FOR VALUES FROM ('2024-01-01') TO (MAXVALUE)",
            "INSERT INTO {schema}.parts SELECT n, date '2023-12-01' + n FROM generate_series(1, 60) n",
        ),
        60,
    ),
    Special(
        "a_view",
        ("CREATE VIEW {schema}.a_view AS SELECT id, upper('v' || id) AS v FROM {schema}.parts",),
        60,
    ),
    Special(
        "a_summary",
        ("CREATE MATERIALIZED VIEW {schema}.a_summary AS SELECT id, day FROM {schema}.parts",),
        60,
    ),
    Special(
        "heir",
        (
            "CREATE TABLE {schema}.heir (id integer, v text)",
            "CREATE TABLE {schema}.heir_child (extra text) INHERITS ({schema}.heir)",
            "INSERT INTO {schema}.heir VALUES (1, 'own')",
            "INSERT INTO {schema}.heir_child VALUES (2, 'of the child', 'x')",
        ),
        2,
    ),
    Special(
        "dropped",
        (
            "CREATE TABLE {schema}.dropped (id integer, gone text, kept text)",
            "INSERT INTO {schema}.dropped VALUES (1, 'x', 'k')",
            "ALTER TABLE {schema}.dropped DROP COLUMN gone",
        ),
        1,
    ),
)

POSTGRES = Catalogue(
    (*_NUMBERS, *_TEXTS, *_TIMES, *_DOCUMENTS, *_OTHERS),
    _SPECIALS,
    setup=(
        "CREATE TYPE mood AS ENUM ('happy', 'so so', '☃')",
        "CREATE TYPE pair AS (n integer, v text)",
        "CREATE DOMAIN posint AS integer CHECK (VALUE > 0)",
    ),
)
