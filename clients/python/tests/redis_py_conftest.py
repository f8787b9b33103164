"""What redis-py's tests of its locks find in place of a Redis client."""

import pytest
import pytest_asyncio

from gorilla_client import AsyncClient, Client


def pytest_addoption(parser):
    parser.addoption("--gorilla-url")


class Redis:
    """Makes look-alikes, and answers from Gorilla what the tests ask of Redis."""

    def __init__(self, client):
        self.client = client

    def lock(self, name, *, lock_class, **options):
        return lock_class(self.client, name, **options)

    def pttl(self, name):
        return self.client.state(name)["ttlMs"]

    def ttl(self, name):
        return self.pttl(name) / 1000

    def set(self, name, value):
        """The tests write a value, so that somebody else has the lock."""
        if self.client.state(name)["held"]:
            self.client.break_lock(name)
        self.client.lock(name, owner=value, renew=False).acquire().detach()


class AsyncRedis(Redis):
    async def pttl(self, name):
        return (await self.client.state(name))["ttlMs"]

    async def ttl(self, name):
        return await self.pttl(name) / 1000

    async def set(self, name, value):
        if (await self.client.state(name))["held"]:
            await self.client.break_lock(name)
        (await self.client.lock(name, owner=value, renew=False).acquire()).detach()


def _get_client(cls, request, **options):
    return Redis(Client(request.config.getoption("--gorilla-url")))


@pytest.fixture(autouse=True)
def free(request):
    """All tests use the lock `foo`."""
    with Client(request.config.getoption("--gorilla-url")) as client:
        for lock in client.list("foo"):
            client.break_lock(lock["resource"])
        yield


@pytest_asyncio.fixture
async def create_redis(request):
    clients = []

    async def create(**options):
        clients.append(AsyncClient(request.config.getoption("--gorilla-url")))
        redis = AsyncRedis(clients[-1])
        redis.flushall = nothing
        return redis

    yield create
    for client in clients:
        await client.close()


async def nothing():
    """Each test finds the lock free anyway."""


@pytest.fixture
def r(request):
    if "asyncio" in request.module.__dict__:
        return request.getfixturevalue("async_r")
    return _get_client(None, request)


@pytest_asyncio.fixture
async def async_r(create_redis):
    return await create_redis()
