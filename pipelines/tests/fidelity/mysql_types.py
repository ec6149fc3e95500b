"""Every type of MariaDB and MySQL with its edges, and their unusual tables."""

from pipelines.tests.fidelity.catalogue import Catalogue, Special, col, quoted

_NUMBERS = (
    col("ti", "tinyint", "-128", "127"),
    col("uti", "tinyint unsigned", "255", "0"),
    col("si", "smallint", "-32768", "32767"),
    col("usi", "smallint unsigned", "65535"),
    col("mi", "mediumint", "-8388608", "8388607"),
    col("umi", "mediumint unsigned", "16777215"),
    col("i", "int", "-2147483648", "2147483647"),
    col("ui", "int unsigned", "4294967295"),
    col("big", "bigint", "-9223372036854775808", "9223372036854775807"),
    col("ubig", "bigint unsigned", "18446744073709551615", "0",
        postgres="converted:same", sqlite="converted:text"),
    col("zf", "int(6) zerofill", "42"),
    col("b", "boolean", "true", "false"),
    col("b2", "tinyint(1)", "0", "1", "2", "-128"),
    col("n12", "decimal(12,2)", "9999999999.99", "-9999999999.99", "0.01", "1.10"),
    col("n38", "decimal(38,10)", f"{'9' * 28}.{'9' * 10}", f"-{'9' * 28}.{'9' * 10}", sqlite="converted:text"),
    col("n65", "decimal(65,30)", f"{'9' * 35}.{'9' * 30}", "1e-30", "-1",
        postgres="exact", others="converted:text"),
    col("f4", "float", "0.1", "3.40282e38", "-1.5", "0"),
    col("f8", "double", "0.1", "1.7976931348623157e308", "5e-324", "-0.30000000000000004"),
    col("bit1", "bit(1)", "b'1'", "b'0'"),
    col("bit8", "bit(8)", "b'10101010'", "b'0'"),
    col("bit64", "bit(64)", f"b'{'1' * 64}'", "b'0'", postgres="converted:same", sqlite="converted:text"),
    col("y", "year", "1901", "2155", "0"),
)  # fmt: skip

_TEXTS = (
    col("t", "text", "''", "' '", "'NULL'", r"'\\N'", r"'back\\slash'", "'it''s \"quoted\"'", r"'two\nlines\r\n\ttab'",
        "'snow ☃, face 😀, combining e\u0301'", "'日本語'", "'007'", "repeat('long ☃ ', 8000)"),
    col("lt", "longtext", "'x'", "''"),
    col("vc", "varchar(50)", "''", "'x '", "'☃'"),
    col("latin", "varchar(50) character set latin1", "'é'", "'ÿ'"),
    col("ch", "char(5)", "'ab'", "''"),
    col("mood", "enum('happy','so so','☃')", "'happy'", "'☃'"),
    col("flags", "set('a','b','c')", "'a,c'", "''", "'b'"),
    col("bin", "binary(4)", "x'00ff0000'", "'ab'"),
    col("vb", "varbinary(20)", "x''", "x'00ff41275c0a'"),
    col("bl", "longblob", "x''", "x'00ff'", "repeat(x'00ff', 5000)"),
    col("js", "json", *quoted('{"a": 1.10, "b": [1, null]}', "null", '"x"', "[]"),
        mysql="converted:json", sqlite="converted:json"),
    col("u", "uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"),
    col("ip6", "inet6", "'2001:db8::1'", "'::'"),
    col("ip4", "inet4", "'10.0.0.1'"),
)  # fmt: skip

_TIMES = (
    col("d", "date", "'1000-01-01'", "'0001-01-01'", "'2024-02-29'", "'9999-12-31'"),
    col("d_zero", "date", "'0000-00-00'", "'2024-00-00'", others="rejected"),
    col("dt", "datetime", "'1000-01-01 00:00:00'", "'9999-12-31 23:59:59'"),
    col("dt6", "datetime(6)", "'0001-01-01'", "'2024-02-29 12:00:00.000001'", "'9999-12-31 23:59:59.999999'"),
    col("dt_zero", "datetime", "'0000-00-00 00:00:00'", others="rejected"),
    col("tz", "timestamp(6) null", "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07.999999'", "'2024-07-01 00:30:00.5'",
        mysql="converted:utc", sqlite="converted:text"),
    col("tm", "time(6)", "'00:00:00'", "'23:59:59.999999'"),
    col("tm_far", "time(6)", "'838:59:59'", "'-838:59:59'", "'-00:00:00.5'",
        others="converted:text"),
)  # fmt: skip

_SPECIALS = (
    Special(
        "generated",
        (
            "CREATE TABLE {schema}.generated (id integer, a integer, twice bigint AS (a * 2) VIRTUAL,"
            " thrice bigint AS (a * 3) STORED)",
            "INSERT INTO {schema}.generated (id, a) VALUES (1, 1), (2, NULL), (3, 2147483647)",
        ),
        3,
    ),
    Special(
        "parts",
        (
            "CREATE TABLE {schema}.parts (id integer, day date) PARTITION BY HASH (id) PARTITIONS 4",
            "INSERT INTO {schema}.parts SELECT seq, date_add('2023-12-01', INTERVAL seq DAY) FROM seq_1_to_60",
        ),
        60,
    ),
    Special(
        "a_view",
        ("CREATE VIEW {schema}.a_view AS SELECT id, upper(concat('v', id)) AS v FROM {schema}.parts",),
        60,
    ),
)  # fmt: skip

MYSQL = Catalogue((*_NUMBERS, *_TEXTS, *_TIMES), _SPECIALS, quote="`")
