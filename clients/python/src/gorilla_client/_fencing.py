"""Refuses the late writes of an earlier holder, in the transaction that writes."""

from __future__ import annotations

import re
import sys
from typing import Any, Literal

from ._errors import Superseded

Paramstyle = Literal["qmark", "format", "pyformat", "named", "numeric", "numeric_dollar"]

TABLE = "gorilla_fence"

_PLACES: dict[str, tuple[str, str, str]] = {
    "qmark": ("?", "?", "?"),
    "format": ("%s", "%s", "%s"),
    "pyformat": ("%s", "%s", "%s"),
    "named": (":resource", ":floor", ":fence"),
    "numeric": (":1", ":2", ":3"),
    "numeric_dollar": ("$1", "$2", "$3"),
}


def create_table(table: str = TABLE) -> str:
    """The SQL that makes the table of fences, for a migration. For PostgreSQL, SQLite and what is compatible."""
    return f"CREATE TABLE IF NOT EXISTS {_named(table)} (resource text PRIMARY KEY, fence bigint NOT NULL)"


def statement(cursor: object, table: str, paramstyle: Paramstyle | None) -> tuple[str, bool]:
    """The SQL that raises the fence of a resource, and whether its parameters have names."""
    style = paramstyle or _style_of(cursor)
    resource, floor, fence = _PLACES[style]
    name = _named(table)
    sql = (
        f"INSERT INTO {name} (resource, fence) VALUES ({resource}, {floor}) "  # noqa: S608 - the name is checked
        f"ON CONFLICT (resource) DO UPDATE SET fence = "
        f"CASE WHEN excluded.fence > {name}.fence THEN excluded.fence ELSE {name}.fence END "
        f"WHERE {name}.fence <= {fence}"
    )
    return sql, style == "named"


def parameters(resource: str, floor: int, fence: int, *, are_named: bool) -> Any:
    if are_named:
        return {"resource": resource, "floor": floor, "fence": fence}
    return (resource, floor, fence)


def is_asyncpg(cursor: object) -> bool:
    """Whether this is a connection of asyncpg, which has no cursors that write."""
    return type(cursor).__module__.split(".")[0] == "asyncpg"


def check_rows(rows: int, resource: str, fence: int) -> None:
    if rows == 0:
        raise Superseded(
            f'a later holder of "{resource}" has written; fence {fence} is too small',
            resource=resource,
            fence=fence,
        )
    if rows < 0:
        raise RuntimeError("the cursor does not tell how many rows it changed, so the fence can't be checked")


def fence_in(
    cursor: Any,
    resource: str,
    fence: int,
    floor: int,
    *,
    table: str = TABLE,
    paramstyle: Paramstyle | None = None,
) -> None:
    """Raises the fence of the resource to `floor`, or raises `Superseded` if it is above `fence`."""
    sql, are_named = statement(cursor, table, paramstyle)
    cursor.execute(sql, parameters(resource, floor, fence, are_named=are_named))
    check_rows(cursor.rowcount, resource, fence)


async def fence_in_async(
    cursor: Any,
    resource: str,
    fence: int,
    floor: int,
    *,
    table: str = TABLE,
    paramstyle: Paramstyle | None = None,
) -> None:
    """The same with a cursor of psycopg or aiosqlite, or a connection of asyncpg."""
    if is_asyncpg(cursor):
        sql, _ = statement(cursor, table, paramstyle or "numeric_dollar")
        # The answer is the tag of the command: INSERT 0 1.
        tag: str = await cursor.execute(sql, resource, floor, fence)
        check_rows(int(tag.rsplit(" ", 1)[1]), resource, fence)
        return
    sql, are_named = statement(cursor, table, paramstyle)
    await cursor.execute(sql, parameters(resource, floor, fence, are_named=are_named))
    check_rows(cursor.rowcount, resource, fence)


def _style_of(cursor: object) -> str:
    """How the module of a cursor writes parameters (PEP 249)."""
    module = type(cursor).__module__.split(".")[0]
    if module == "django":
        return "format"
    style = getattr(sys.modules.get(module), "paramstyle", None)
    if style not in _PLACES:
        raise ValueError(f"the module of the cursor, {module}, has no known paramstyle; name it")
    return str(style)


def _named(table: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?", table):
        raise ValueError("the table needs a plain name")
    return table
