"""Files of every format with the values they can hold, written without the engine's reader."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.tests.fidelity.catalogue import Col, col
from pipelines.tests.fidelity.ends import Grid, grid
from pipelines.tests.fidelity.more_ends import read_parquet
from pipelines.tests.fidelity.values import Cell, cell

COMPRESSIONS = {"": None, ".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True)
class FileColumn:
    """A column of a text file: what is written for each row, and what it means (None is NULL)."""

    name: str
    kind: str
    written: tuple[str, ...]
    means: tuple[str | None, ...]
    expect: Col


def _column(
    name: str, kind: str, *values: str | tuple[str, str | None], **expect: str
) -> FileColumn:
    pairs = [(value, value) if isinstance(value, str) else value for value in values]
    written = tuple(one for one, _ in pairs)
    return FileColumn(
        name, kind, written, tuple(two for _, two in pairs), col(name, kind, **expect)
    )


_UTC = {"mysql": "converted:utc", "sqlite": "converted:text"}
#: Quotes, line ends inside a field, and the difference between nothing and an empty text.
CSV = (
    _column("i", "int", "9223372036854775807", "-9223372036854775808", "0", sqlite="converted:text"),
    _column("small", "int", "1", "-2", "3"),
    _column("wide", "decimal", "12345678901234567890123456.12", "-0.01", "0", sqlite="converted:text"),
    _column("dec", "decimal", "1.10", "22.5", "-0.01", sqlite="converted:text"),
    _column("too_wide", "text", "1" * 45, "1." + "1" * 45),
    _column("exp", "text", "1e300", "NaN", "0.1"),
    _column("code", "text", "00501", "10001", "007"),
    _column("b", "bool", "true", "false", "true"),
    _column("d", "date", "2024-02-29", "0001-01-01", "9999-12-31"),
    _column("ts", "timestamp", "2024-02-29 10:00:00", "2024-02-29T10:00:00.5", "0001-01-01 00:00:00.000001"),
    _column("tz", "timestamptz", "2024-02-29T10:00:00Z", "2024-02-29 10:00:00.5+02:00", **_UTC),
    _column("t", "text", ('""', ""), ('"it\'s ""quoted"""', 'it\'s "quoted"'),
            ('"two\nlines, a comma"', "two\nlines, a comma"),
            "NULL", "null", r"\N", "snow ☃ 😀 e\u0301", " lead and trail ", ('"  "', "  "), "'single'", "x",
            "long ☃ " * 5000 + "end"),
    _column("größe mit Leerzeichen", "int", "1"),
    _column("select", "int", "2"),
    _column("MixedCase", "text", "x"),
    _column("nothing", "text"),
)  # fmt: skip

#: The same for JSON: a value may be of any kind, and a key may be missing.
JSON = (
    _column("i", "int", "9223372036854775807", "-9223372036854775808", "0"),
    _column("small", "int", "1", "-2"),
    _column("dec", "decimal", "1.10", "22.5", "-0.01", sqlite="converted:text"),
    _column("bignum", "decimal", "12345678901234567890.5", "0.1", others="converted:float"),
    _column("exp", "float", "1e300", "0.1", "-5e-324", others="converted:same"),
    _column("b", "bool", "true", "false"),
    _column("d", "date", ('"2024-02-29"', "2024-02-29"), ('"9999-12-31"', "9999-12-31")),
    _column("ts", "timestamp", ('"2024-02-29T10:00:00"', "2024-02-29 10:00:00"),
            ('"9999-12-31T23:59:59"', "9999-12-31 23:59:59")),
    _column("ts_spellings", "text", ('"2024-02-29T10:00:00"', "2024-02-29T10:00:00"),
            ('"2024-02-29 10:00:00.5"', "2024-02-29 10:00:00.5")),
    _column("tz", "timestamptz", ('"2024-02-29T10:00:00Z"', "2024-02-29 10:00:00Z"), **_UTC),
    _column("t", "text", ('""', ""),
            (r'"quote \" slash \\ nl \n tab \t"', 'quote " slash \\ nl \n tab \t'), (r'"\u00e9\ud83d\ude00"', "é😀"),
            ('"NULL"', "NULL"), ('"007"', "007"), ('"☃"', "☃"), ("null", None)),
    _column("code", "text", ('"00501"', "00501"), ('"10001"', "10001")),
    _column("mixed", "json", "1", '"x"', "true", "[1]", others="converted:json"),
    _column("obj", "json", '{"a": 1.10, "b": [1, null], "c": {"d": "ü"}, "n": 12345678901234567890.5}', "{}",
            others="converted:json floats"),
    _column("arr", "json", '[1, "x", null]', "[]", others="converted:json"),
    _column("select", "int", "2"),
    _column("größe", "text", ('"x"', "x")),
    _column("MixedCase", "text", ('"x"', "x")),
    _column("nothing", "text", ("null", None), others="converted:json"),
)  # fmt: skip


def height(columns: Sequence[FileColumn]) -> int:
    """A row for each value, and one where every column is empty."""
    return max(len(column.written) for column in columns) + 1


def meaning(columns: Sequence[FileColumn]) -> Grid:
    """What a file of these columns says."""

    def row(number: int) -> dict[str, Cell]:
        cells = {column.name: _cell(column, number) for column in columns}
        return {"id": cell("int", str(number + 1)), **cells}

    types = {"id": "int", **{column.name: column.kind for column in columns}}
    return grid(types, "id", (row(number) for number in range(height(columns))))


def _cell(column: FileColumn, number: int) -> Cell:
    return cell(column.kind, column.means[number] if number < len(column.means) else None)


def csv_text(columns: Sequence[FileColumn]) -> str:
    header = ",".join(["id", *(column.name for column in columns)])
    rows = [
        ",".join([str(number + 1), *(_at(column.written, number, "") for column in columns)])
        for number in range(height(columns))
    ]
    return "\n".join([header, *rows, ""])


def json_objects(columns: Sequence[FileColumn]) -> list[str]:
    """One object a row; a column that has no value left is not mentioned."""
    return [
        "{"
        + ", ".join(
            [f'"id": {number + 1}']
            + [
                f"{json.dumps(column.name, ensure_ascii=False)}: {column.written[number]}"
                for column in columns
                if number < len(column.written)
            ]
        )
        + "}"
        for number in range(height(columns))
    ]


def _at(values: tuple[str, ...], number: int, otherwise: str) -> str:
    return values[number] if number < len(values) else otherwise


def write(path: Path, text: str, compression: str | None, encoding: str = "utf-8") -> None:
    """The text as a file, compressed where asked for."""
    with (
        pa.CompressedOutputStream(str(path), compression)
        if compression
        else path.open("wb") as file
    ):
        file.write(text.encode(encoding))


_when = datetime.fromisoformat
_ZERO = _when("1970-01-01")
_PARQUET: tuple[tuple[Col, pa.DataType, list[Any]], ...] = (
    (col("b", "bool"), pa.bool_(), [True, False]),
    (col("i8", "int8"), pa.int8(), [-128, 127]),
    (col("u8", "uint8"), pa.uint8(), [255]),
    (col("i16", "int16"), pa.int16(), [-32768]),
    (col("u16", "uint16"), pa.uint16(), [65535]),
    (col("i32", "int32"), pa.int32(), [-(2**31), 2**31 - 1]),
    (col("u32", "uint32"), pa.uint32(), [2**32 - 1]),
    (col("i64", "int64"), pa.int64(), [-(2**63), 2**63 - 1]),
    (col("u64", "uint64", postgres="converted:same", sqlite="converted:text"), pa.uint64(), [2**64 - 1, 0]),
    (col("f32", "float"), pa.float32(), [0.5, -1.5, 3.4028234663852886e38]),
    (col("f64", "double"), pa.float64(), [0.1, 1.7976931348623157e308, 5e-324]),
    (col("d18", "decimal(18,4)", sqlite="converted:text"),
     pa.decimal128(18, 4), [Decimal("12345678901234.5678"), Decimal("-0.0001")]),
    (col("d38", "decimal(38,10)", sqlite="converted:text"), pa.decimal128(38, 10), [Decimal(f"{'9' * 28}.{'9' * 10}")]),
    (col("t", "string"), pa.string(), ["", "it's \"quoted\"\n☃ 😀", "NULL", "007"]),
    (col("lt", "large_string"), pa.large_string(), ["x" * 70000]),
    (col("dict", "dictionary"), pa.dictionary(pa.int32(), pa.string()), ["a", "b", "a"]),
    (col("by", "binary"), pa.binary(), [b"", b"\x00\xff'\\"]),
    (col("fb", "fixed_size_binary"), pa.binary(4), [b"\x00\x01\x02\xff"]),
    (col("d", "date32"), pa.date32(), [date(1, 1, 1), date(9999, 12, 31)]),
    (col("ts_ms", "timestamp[ms]"), pa.timestamp("ms"), [_ZERO, _ZERO + timedelta(milliseconds=1)]),
    (col("ts_us", "timestamp[us]"), pa.timestamp("us"), [_when("0001-01-01"), _when("9999-12-31T23:59:59.999999")]),
    (col("ts_ns", "timestamp[ns]"), pa.timestamp("ns"), [_ZERO + timedelta(microseconds=1)]),
    (col("tz", "timestamp[us, UTC]", mysql="converted:utc", sqlite="converted:text"),
     pa.timestamp("us", "UTC"), [_ZERO]),
    (col("tm", "time64[us]"), pa.time64("us"), [time(23, 59, 59, 999999), time(0)]),
    (col("tm32", "time32[ms]"), pa.time32("ms"), [time(12, 30, 0, 1000)]),
    (col("l", "list", duckdb="exact", parquet="exact", others="converted:json"),
     pa.list_(pa.int64()), [[1, None, 3], []]),
    (col("st", "struct", duckdb="exact", parquet="exact", others="converted:json"),
     pa.struct([("a", pa.int64()), ("b", pa.string())]), [{"a": 1, "b": "x"}]),
    (col("größe", "int32"), pa.int32(), [1]),
    (col("select", "int32"), pa.int32(), [1]),
)  # fmt: skip
PARQUET = tuple(column for column, _, _ in _PARQUET)


def write_parquet(path: Path) -> Grid:
    """A file with a column of every type; the answer is what its own reader says it holds."""
    rows = max(len(values) for _, _, values in _PARQUET) + 1
    arrays = [
        pa.array([*values, *[None] * (rows - len(values))], kind) for _, kind, values in _PARQUET
    ]
    names = [column.name for column in PARQUET]
    table = pa.table(
        {"id": pa.array(range(1, rows + 1), pa.int32()), **dict(zip(names, arrays, strict=True))}
    )
    pq.write_table(table, path)
    return read_parquet([path])
