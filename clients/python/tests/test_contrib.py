"""The integrations, with the libraries themselves."""

import asyncio
import os
import subprocess
import sys
from typing import Annotated

import django
import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from celery import Celery
from celery.contrib.testing.worker import start_worker
from django.conf import settings
from django.core.management.base import CommandError
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from gorilla_client import SKIPPED, AsyncClient, AsyncLock, Client, create_table
from gorilla_client.contrib.celery import LockedTask
from gorilla_client.contrib.django import LockedCommand
from gorilla_client.contrib.fastapi import leader_lifespan, locked
from waiting import until


@pytest.fixture
def tasks(client):
    """A Celery with a worker in this process."""
    LockedTask.lock_client = client
    app = Celery("test", broker="memory://", backend="cache+memory://")
    yield app
    LockedTask.lock_client = None


def test_celery_runs_a_task_under_its_lock_and_later_if_the_lock_is_held(client, tasks, name):
    seen = []

    @tasks.task(base=LockedTask, bind=True, lock_name=name + ":{0}", lock_retry_in=0.2)
    def work(self, shop):
        seen.append((shop, client.state(f"{name}:{shop}")["fence"] == self.lock.fence))
        return shop

    with start_worker(tasks, pool="solo", perform_ping_check=False):
        assert work.delay("a").get(timeout=60) == "a"
        with client.lock(f"{name}:b"):
            waiting = work.delay("b")
            assert work.delay("c").get(timeout=60) == "c"
            assert not waiting.ready()
        assert waiting.get(timeout=60) == "b"
    assert seen == [("a", True), ("c", True), ("b", True)]
    assert client.list(name) == []


def test_celery_leaves_a_task_out_if_told_so(client, tasks, name):
    @tasks.task(base=LockedTask, lock_name=name, lock_else="skip")
    def work():
        return "ran"

    assert work.apply().get() == "ran"
    with client.lock(name):
        assert work.apply().get() == repr(SKIPPED)


def test_apscheduler_runs_a_job_on_one_of_two_machines(url, name):
    ran = []
    with Client(url) as first, Client(url) as second:
        schedulers = [BackgroundScheduler(), BackgroundScheduler()]
        for scheduler, client in zip(schedulers, (first, second), strict=True):
            job = client.once(name, at_least=20)(lambda: ran.append(1))
            scheduler.add_job(job, "date", id="nightly")
            scheduler.start()
        until(lambda: not any(scheduler.get_jobs() for scheduler in schedulers))
        for scheduler in schedulers:
            scheduler.shutdown(wait=True)
    assert ran == [1]


@pytest.fixture
def database():
    if not settings.configured:
        settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
        django.setup()


def test_a_django_command_runs_on_one_machine_and_fences(client, database, name, capsys):
    from django.db import connection, transaction

    ran = []

    class Command(LockedCommand):
        lock_client = client
        lock_name = name

        def handle(self, *args, **options):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(create_table())
                self.lock.fence_in(cursor)
            ran.append(self.lock.fence)

    def call(command):
        command.run_from_argv(["manage.py", "work", "--skip-checks"])

    call(Command())
    assert len(ran) == 1
    with client.lock(name):
        call(Command())
        assert "skipped" in capsys.readouterr().err
        command = Command()
        command.lock_else = "fail"
        with pytest.raises(CommandError):
            command.execute(force_color=False, no_color=False, skip_checks=True)
    assert len(ran) == 1


def test_fastapi_answers_423_while_the_lock_is_held(client, url, name):
    locks = AsyncClient(url)
    app = FastAPI()

    @app.get("/orders/{order}")
    async def pay(order: str, lock: Annotated[AsyncLock, Depends(locked(locks, name + ":{order}", ttl=1.5))]):
        if order == "broken":
            client.break_lock(f"{name}:{order}")
            await asyncio.sleep(60)
        return {"fence": lock.fence}

    with TestClient(app) as browser:
        assert browser.get("/orders/1").json()["fence"] > 0
        with client.lock(f"{name}:2", ttl=20):
            answer = browser.get("/orders/2")
        assert answer.status_code == 423
        assert 1 <= int(answer.headers["Retry-After"]) <= 20
        assert browser.get("/orders/2").status_code == 200
        assert browser.get("/orders/broken").status_code == 503
    assert client.list(name) == []


def test_fastapi_has_one_leader_of_two_processes(client, url, name):
    leads = []

    def application(number):
        async def run(leader):
            leads.append(number)
            await asyncio.sleep(3600)

        return FastAPI(lifespan=leader_lifespan(AsyncClient(url), name, run))

    with TestClient(application(1)):
        until(lambda: leads == [1])
        with TestClient(application(2)):
            until(lambda: client.queue(name)["waiting"] == 1)
            assert leads == [1]
    with TestClient(application(3)):
        until(lambda: leads == [1, 3])
    assert client.state(name)["held"] is False


TESTS = """
import time

pytest_plugins = ["gorilla_client.contrib.pytest_plugin"]

def make():
    with open("made", "a") as file:
        file.write("once\\n")
    return {"schema": 7}

def check(gorilla_once, gorilla_lock):
    assert gorilla_once("schema", make) == {"schema": 7}
    with gorilla_lock("printer"):
        with open("alone", "x"):
            time.sleep(0.05)
        import os
        os.remove("alone")

"""


def test_pytest_xdist_makes_once_and_runs_alone(url, tmp_path):
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["gorilla_client.contrib.pytest_plugin"]\n')
    each = "".join(
        f"def test_{number}(gorilla_once, gorilla_lock):\n    check(gorilla_once, gorilla_lock)\n\n"
        for number in range(8)
    )
    (tmp_path / "test_it.py").write_text(
        TESTS.replace('pytest_plugins = ["gorilla_client.contrib.pytest_plugin"]', "") + each
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "3", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "GORILLA_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert (tmp_path / "made").read_text() == "once\n"
