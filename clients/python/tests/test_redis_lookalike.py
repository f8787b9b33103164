"""redis-py's own tests of its locks run against the look-alikes, where they don't look into Redis.

The tests come with the source of redis-py, which pip gets from PyPI. They run with `r`, which makes look-alikes in
place of locks, and answers what the tests ask of Redis and Gorilla can tell: how long a lock lasts, and that somebody
else takes it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import redis

HERE = Path(__file__).resolve().parent

VALUE = "compares the token with the value that redis-py keeps in Redis; Gorilla tells no token"
CLOCK = "counts the sleeps of redis-py between its tries; a look-alike waits at the server"
OTHER = "is not about locks, but about which class Redis.lock() makes"
EXPIRE = "shortens the lease behind the lock's back, which nobody can do in Gorilla"
NOT_APPLICABLE = {
    "test_lock": VALUE,
    "test_lock_token": VALUE,
    "test_lock_token_thread_local_false": VALUE,
    "test_context_manager": VALUE,
    "test_blocking_timeout": CLOCK,
    "test_context_manager_blocking_timeout": CLOCK,
    "test_high_sleep_small_blocking_timeout": CLOCK,
    "test_reacquire_lock": EXPIRE,
    "test_lock_class_argument": OTHER,
}


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of the redis-py that is installed."""
    folder = tmp_path_factory.mktemp("redis-py")
    wanted = f"redis=={redis.__version__}"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", wanted]
    subprocess.run(pip, cwd=folder, check=True)
    with tarfile.open(next(folder.glob("redis-*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return next(path for path in folder.iterdir() if path.is_dir())


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_redis_pys_own_tests_pass(url, source, tmp_path, kind):
    path = "tests/test_lock.py" if kind == "sync" else "tests/test_asyncio/test_lock.py"
    name = "Lock" if kind == "sync" else "AsyncLock"
    text = (source / path).read_text()
    # The tests name the class that they try in one line.
    text, changed = re.subn(
        r"^from redis(\.asyncio)?\.lock import Lock$",
        f"from gorilla_client.compat.redis import {name} as Lock",
        text,
        flags=re.MULTILINE,
    )
    assert changed == 1
    (tmp_path / "__init__.py").touch()
    (tmp_path / "test_redis_py.py").write_text(text)
    (tmp_path / "conftest.py").write_text((HERE / "redis_py_conftest.py").read_text())
    told: dict[str, str] = {}
    # Some of the tests hold leases of a tenth of a second, which a busy machine lets end: these run once more, alone.
    for _ in range(3):
        failed = [test for test, outcome in told.items() if outcome != "PASSED" and test not in NOT_APPLICABLE]
        if told and not failed:
            break
        only = ["-k", " or ".join(failed)] if failed else []
        run = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *only),
                *("-o", "asyncio_mode=auto", "--rootdir", str(tmp_path), "--gorilla-url", url, str(tmp_path)),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        again = dict(re.findall(r"::(test_\w+) (PASSED|FAILED|ERROR)", run.stdout))
        told.update({test: outcome for test, outcome in again.items() if told.get(test) != "PASSED"})
    passed = {test for test, outcome in told.items() if outcome == "PASSED"}
    applicable = told.keys() - NOT_APPLICABLE.keys()
    assert passed >= applicable, run.stdout + run.stderr
    assert len(applicable) >= 20
    print(f"{kind}: {len(applicable)} of {len(told)} tests apply, and pass")
