"""What PostgreSQL and MariaDB say to statements they do not take."""

# ruff: noqa: E501, a table is read by its rows

from collections.abc import Iterator

from orchestration.tests.errors_world import Case, in_mariadb, in_postgres

_T = "CREATE TEMP TABLE t (id int PRIMARY KEY, n smallint, name varchar(3) NOT NULL, j json, b boolean)"
_M = "CREATE TABLE t (id INT PRIMARY KEY, n SMALLINT, name VARCHAR(3) NOT NULL, d DATE, e ENUM('a','b'))"

#: (name, explanation, statements); ``transform`` at the end where it stands in a build.
_POSTGRES: tuple[tuple[str, ...], ...] = (
    ("no table", "missing-table", "SELECT * FROM nothing_here"),
    ("no table in a build", "sql-missing-table", "SELECT * FROM nothing_here", "transform"),
    ("no column", "missing-column", _T, "SELECT colour FROM t"),
    ("no column in a build", "sql-missing-column", _T, "SELECT colour FROM t", "transform"),
    ("no schema", "missing-schema", "CREATE TABLE nowhere.t (id int)"),
    ("syntax", "sql-syntax", "SELEC 1", "transform"),
    ("cursor on json", "sql-no-such-operator", _T, "SELECT max(j) FROM t"),
    ("cursor on boolean", "sql-no-such-operator", _T, "SELECT max(b) FROM t"),
    ("json compared", "sql-no-such-operator", _T, "SELECT * FROM t WHERE j = '{}'::json"),
    ("enum filter", "value-not-of-type", "CREATE TYPE mood AS ENUM ('ok')", "SELECT 'sad'::mood"),
    ("text as number", "value-not-of-type", "SELECT 'abc'::int"),
    ("text as date", "date-impossible", "SELECT 'abc'::date"),
    ("impossible date", "date-impossible", "SELECT '2026-02-31'::date"),
    ("number too large", "number-too-large", "SELECT 40000::smallint"),
    ("text too long", "text-too-long", _T, "INSERT INTO t VALUES (1, 1, 'abcd')"),
    ("null", "null-not-allowed", _T, "INSERT INTO t VALUES (1, 1, NULL)"),
    ("duplicate", "duplicate-key", _T, "INSERT INTO t VALUES (1, 1, 'a'), (1, 1, 'a')"),
    ("foreign key", "foreign-key", _T, "CREATE TEMP TABLE c (t int REFERENCES t)", "INSERT INTO c VALUES (9)"),
    ("check", "check-violated", "CREATE TEMP TABLE c (n int CHECK (n > 0))", "INSERT INTO c VALUES (0)"),
    ("exclusion", "check-violated", "CREATE TEMP TABLE c (r int4range, EXCLUDE USING gist (r WITH &&))", "INSERT INTO c VALUES ('[1,5)'), ('[2,3)')"),
    ("division by zero", "division-by-zero", "SELECT 1 / 0"),
    ("bad bytes", "bytes-no-text", "SELECT convert_from('\\xff'::bytea, 'UTF8')"),
    ("broken json", "value-not-of-type", "SELECT '{'::json"),
    ("raise in a function", "raised-by-code", "DO $$ BEGIN RAISE EXCEPTION 'not on Sundays'; END $$"),
    ("no right", "right-missing", "CREATE ROLE nobody_here NOLOGIN", "CREATE TABLE s (id int)", "SET LOCAL ROLE nobody_here", "SELECT * FROM s"),
    ("read only", "server-only-reads", "SET TRANSACTION READ ONLY", "CREATE TABLE s (id int)"),
    ("time limit", "statement-too-slow", "SET LOCAL statement_timeout = 20", "SELECT pg_sleep(2)"),
    ("two types in union", "sql-type-mismatch", "SELECT 1 UNION SELECT 'a'::text"),
    ("impossible cast", "sql-type-mismatch", "SELECT true::date"),
    ("ambiguous", "sql-ambiguous", _T, "SELECT id FROM t a JOIN t b ON a.id = b.id", "transform"),
    ("alias twice", "sql-ambiguous", _T, "SELECT 1 FROM t a, t a", "transform"),
    ("not grouped", "sql-grouping", _T, "SELECT name, count(*) FROM t", "transform"),
    ("no type", "sql-unknown-object", "SELECT 1::colour", "transform"),
    ("table exists", "sql-exists-already", _T, "CREATE TEMP TABLE t (id int)"),
    ("column twice", "sql-column-twice", "CREATE TABLE s (id int, id int)"),
    ("view is no table", "sql-wrong-kind", "CREATE TEMP VIEW v AS SELECT 1", "DROP TABLE v"),
    ("several rows", "sql-several-rows", "SELECT (SELECT generate_series(1, 2))", "transform"),
    ("dependents", "sql-dependents", _T, "CREATE TEMP VIEW v AS SELECT * FROM t", "DROP TABLE t"),
    ("unfilled view", "database-not-accepting", "CREATE MATERIALIZED VIEW m AS SELECT 1 AS a WITH NO DATA", "SELECT * FROM m"),
    ("transaction broken", "sql-transaction-broken", "SAVEPOINT a", "DO $$ BEGIN PERFORM 1/0; EXCEPTION WHEN others THEN NULL; END $$", "VACUUM"),
    ("prepared gone", "pooler-in-between", "EXECUTE not_prepared"),
    ("too many columns", "too-complex", "DO $$ BEGIN EXECUTE 'CREATE TEMP TABLE w (' || (SELECT string_agg('c' || i || ' int', ',') FROM generate_series(1, 1700) i) || ')'; END $$"),
    ("not supported", "sql-not-supported", _T, "ALTER TABLE t ALTER COLUMN nope TYPE int USING (SELECT 1)"),
    ("on conflict without key", "sql-no-unique-key", _T, "INSERT INTO t VALUES (1) ON CONFLICT (n) DO NOTHING"),
    ("unknown function", "sql-no-such-operator", "SELECT median(1)", "transform"),
    ("regular expression", "value-refused", "SELECT 'a' ~ '('"),
)  # fmt: skip

_MARIADB: tuple[tuple[str, ...], ...] = (
    ("no table", "missing-table", "SELECT * FROM nothing_here"),
    ("no column", "missing-column", _M, "SELECT colour FROM t"),
    ("no column in a build", "sql-missing-column", _M, "SELECT colour FROM t", "transform"),
    ("syntax", "sql-syntax", "SELEC 1"),
    ("no database", "no-such-database", "USE nothing_here_db"),
    ("text as number", "value-not-of-type", _M, "INSERT INTO t VALUES (1, 'abc', 'a', NULL, 'a')"),
    ("impossible date", "value-not-of-type", _M, "INSERT INTO t VALUES (1, 1, 'a', '2026-02-31', 'a')"),
    ("enum value", "value-cut-off", _M, "INSERT INTO t VALUES (1, 1, 'a', NULL, 'x')"),
    ("number too large", "number-too-large", _M, "INSERT INTO t VALUES (1, 40000, 'a', NULL, 'a')"),
    ("text too long", "text-too-long", _M, "INSERT INTO t VALUES (1, 1, 'abcd', NULL, 'a')"),
    ("null", "null-not-allowed", _M, "INSERT INTO t VALUES (1, 1, NULL, NULL, 'a')"),
    ("duplicate", "duplicate-key", _M, "INSERT INTO t VALUES (1, 1, 'a', NULL, 'a'), (1, 1, 'a', NULL, 'a')"),
    ("division by zero", "division-by-zero", _M, "INSERT INTO t VALUES (1, 1 / 0, 'a', NULL, 'a')"),
    ("foreign key", "foreign-key", "CREATE TABLE parent (id INT PRIMARY KEY)", "CREATE TABLE child (p INT, FOREIGN KEY (p) REFERENCES parent (id))", "INSERT INTO child VALUES (9)"),
    ("check", "check-violated", "CREATE TABLE t (n INT CHECK (n > 0))", "INSERT INTO t VALUES (0)"),
    ("signal", "raised-by-code", "BEGIN NOT ATOMIC SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not on Sundays'; END"),
    ("no function", "sql-no-such-operator", "SELECT shop_median(1)"),
    ("ambiguous", "sql-ambiguous", _M, "SELECT id FROM t a JOIN t b ON a.id = b.id"),
    ("not grouped", "sql-grouping", _M, "SELECT name, count(*) FROM t GROUP BY n"),
    ("table exists", "sql-exists-already", _M, _M),
    ("column twice", "sql-column-twice", "CREATE TABLE t (id INT, id INT)"),
    ("several rows", "sql-several-rows", "SELECT (SELECT 1 UNION SELECT 2)"),
    ("columns of a union", "sql-columns-count", "SELECT 1 UNION SELECT 1, 2"),
    ("values for columns", "sql-columns-count", _M, "INSERT INTO t VALUES (1)"),
    ("text as key", "sql-key-impossible", "CREATE TABLE t (a TEXT PRIMARY KEY)"),
    ("key too long", "sql-key-impossible", "CREATE TABLE t (a VARCHAR(2000) CHARACTER SET utf8mb4, KEY (a))", "CREATE TABLE child (a VARCHAR(4000) CHARACTER SET utf8mb4 PRIMARY KEY)"),
    ("broken view", "sql-broken-view", _M, "CREATE VIEW v AS SELECT name FROM t", "ALTER TABLE t DROP COLUMN name", "SELECT * FROM v"),
    ("name too long", "sql-name-too-long", f"CREATE TABLE {'x' * 70} (a INT)"),
    ("collations", "sql-type-mismatch", "SELECT 'a' COLLATE utf8mb4_bin = 'a' COLLATE utf8mb4_general_ci"),
    ("row too large", "too-complex", "CREATE TABLE t (a VARCHAR(16000) CHARACTER SET utf8mb4, b VARCHAR(16000) CHARACTER SET utf8mb4)"),
    ("time limit", "statement-too-slow", "SET STATEMENT max_statement_time = 0.05 FOR SELECT sleep(2) FROM information_schema.columns"),
    ("unknown setting", "sql-unknown-object", "SELECT @@nothing_here"),
    ("view is no table", "sql-wrong-kind", _M, "CREATE VIEW v AS SELECT 1 AS a", "DROP TABLE v"),
    ("read only", "server-only-reads", _M, "START TRANSACTION READ ONLY", "INSERT INTO t (id, name) VALUES (1, 'a')"),
)  # fmt: skip


def cases() -> Iterator[Case]:
    for system, rows, run in (
        ("PostgreSQL", _POSTGRES, in_postgres),
        ("MariaDB", _MARIADB, in_mariadb),
    ):
        for name, expects, *statements in rows:
            step = "transform" if statements[-1] == "transform" else "pipeline"
            wanted = [one for one in statements if one != "transform"]
            how = "; ".join(wanted)[:300]
            yield Case(f"{system}: {name}", system, how, expects, run(*wanted), step)
