"""The fence helper refuses late writers, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import getpass
import glob
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import asyncpg
import psycopg
import pytest

from gorilla_client import Superseded, create_table
from gorilla_client._fencing import fence_in, fence_in_async
from gorilla_client._inherited import Inherited, inherited

EARLY, LATE = 1_795_426_335_496_928, 1_795_426_337_006_948


def postgres_programs() -> Path | None:
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    on_path = shutil.which("initdb")
    return Path(found[-1]).parent if found else Path(on_path).parent if on_path else None


@pytest.fixture(scope="module")
def postgres():
    """The address of a PostgreSQL of its own."""
    programs = postgres_programs()
    if programs is None:
        # ./test installs it where it can.
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else getpass.getuser()
    switch = ["runuser", "-u", user, "--"] if os.geteuid() == 0 else []
    folder = tempfile.mkdtemp(prefix="gorilla-postgres-")
    try:
        if switch:
            shutil.chown(folder, user)
        data = f"{folder}/data"
        subprocess.run([*switch, programs / "initdb", "-D", data, "-A", "trust", "-U", "me"], check=True, cwd=folder)
        server = [*switch, programs / "postgres", "-D", data, "-k", folder, "-h", "", "-F"]
        process = subprocess.Popen(server, cwd=folder)
        try:
            for _ in range(600):
                if subprocess.run([programs / "pg_isready", "-q", "-h", folder], check=False).returncode == 0:
                    break
                asyncio.run(asyncio.sleep(0.1))
            yield f"postgresql://me@/postgres?host={folder}"
        finally:
            process.terminate()
            process.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def try_all(cursor, resource):
    fence_in(cursor, resource, LATE, LATE)
    # One holder writes many times under one fence.
    fence_in(cursor, resource, LATE, LATE)
    with pytest.raises(Superseded) as raised:
        fence_in(cursor, resource, EARLY, EARLY)
    assert (raised.value.resource, raised.value.fence) == (resource, EARLY)
    fence_in(cursor, f"{resource}-2", EARLY, EARLY)


def try_shared(cursor, resource):
    """Holders that share a lock don't refuse each other, and refuse who held it alone before."""
    floor, second = EARLY + 10, EARLY + 20
    fence_in(cursor, resource, EARLY, EARLY)
    fence_in(cursor, resource, second, floor)
    fence_in(cursor, resource, floor, floor)
    with pytest.raises(Superseded):
        fence_in(cursor, resource, EARLY, EARLY)
    fence_in(cursor, resource, LATE, LATE)
    with pytest.raises(Superseded):
        fence_in(cursor, resource, second, floor)


def test_sqlite():
    database = sqlite3.connect(":memory:")
    cursor = database.cursor()
    cursor.execute(create_table())
    try_all(cursor, "stock")
    try_shared(cursor, "shared")
    assert cursor.execute("SELECT fence FROM gorilla_fence WHERE resource = 'stock'").fetchone() == (LATE,)


def test_sqlite_with_named_parameters_and_another_table():
    cursor = sqlite3.connect(":memory:").cursor()
    cursor.execute(create_table("fences"))
    fence_in(cursor, "a", LATE, LATE, table="fences", paramstyle="named")
    with pytest.raises(Superseded):
        fence_in(cursor, "a", EARLY, EARLY, table="fences", paramstyle="named")
    with pytest.raises(ValueError, match="plain name"):
        fence_in(cursor, "a", EARLY, EARLY, table="fences; DROP TABLE fences")


def test_a_cursor_of_an_unknown_module_needs_a_paramstyle():
    with pytest.raises(ValueError, match="paramstyle"):
        fence_in(object(), "a", EARLY, EARLY)


def test_postgres(postgres):
    with psycopg.connect(postgres) as connection, connection.cursor() as cursor:
        cursor.execute(create_table())
        try_all(cursor, "stock")
        try_shared(cursor, "shared")


def test_a_late_writer_waits_for_the_row_and_is_refused(postgres):
    with psycopg.connect(postgres) as late, psycopg.connect(postgres) as now:
        now.execute(create_table())
        now.commit()
        fence_in(late.cursor(), "race", EARLY, EARLY)
        late.commit()
        fence_in(now.cursor(), "race", LATE, LATE)
        late.execute("SET lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            fence_in(late.cursor(), "race", EARLY, EARLY)
        late.rollback()
        now.commit()
        with pytest.raises(Superseded):
            fence_in(late.cursor(), "race", EARLY, EARLY)


async def test_the_cursors_of_psycopg_and_asyncpg_for_asyncio(postgres):
    async with await psycopg.AsyncConnection.connect(postgres) as connection:
        await connection.execute(create_table())
        cursor = connection.cursor()
        await fence_in_async(cursor, "async", LATE, LATE)
        with pytest.raises(Superseded):
            await fence_in_async(cursor, "async", EARLY, EARLY)
    connection = await asyncpg.connect(postgres)
    try:
        await fence_in_async(connection, "async", LATE, LATE)
        with pytest.raises(Superseded):
            await fence_in_async(connection, "async", EARLY, EARLY)
    finally:
        await connection.close()


def test_a_lock_fences_in_a_transaction(client, name):
    database = sqlite3.connect(":memory:")
    database.execute(create_table())
    with client.lock(name) as first:
        first.fence_in(database.cursor())
        client.break_lock(name, fence=first.fence)
        with client.lock(name) as second, database:
            second.fence_in(database.cursor())
        with pytest.raises(Superseded), database:
            first.fence_in(database.cursor())
        # The lock is lost, which the test knows.
        first._holds.clear()


def test_what_gorilla_lock_holds_for_this_process():
    one = {"GORILLA_LOCK_NAME": "a", "GORILLA_LOCK_FENCE": "7", "GORILLA_LOCK_FLOOR": "5"}
    assert inherited(environ=one) == Inherited("a", 7, 5)
    assert inherited("b", environ=one) is None
    assert inherited(environ={}) is None
    several = {"GORILLA_LOCK_NAMES": "a\nb", "GORILLA_LOCK_FENCES": "7\n8", "GORILLA_LOCK_FLOORS": "7\n6"}
    assert inherited("b", environ=several) == Inherited("b", 8, 6)
    with pytest.raises(ValueError, match="name one"):
        inherited(environ=several)


def test_a_command_under_gorilla_lock_reads_its_fence(client, url, name):
    from conftest import program

    code = "from gorilla_client import inherited; lock = inherited(); print(lock.resource, lock.fence, lock.floor)"
    command = [program(), "lock", name, "--", sys.executable, "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "GORILLA_URL": url})
    resource, fence, floor = run.stdout.split()
    assert resource == name
    assert fence == floor
    assert int(fence) > 0
