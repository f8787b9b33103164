"""`AsyncClient` with a real server."""

import asyncio
import contextlib
import math
import threading
import time
from urllib.parse import urlsplit

import pytest

from gorilla_client import SKIPPED, AsyncClient, LockLost, NotAcquired, Refused, Unavailable
from waiting import auntil, until


async def test_a_lock_is_held_in_the_body_and_free_after_it(aclient, name, events):
    async with aclient.lock(name, owner="me") as lock:
        lock.check()
        assert lock.held
        state = await aclient.state(name)
        assert (state["held"], state["owner"], state["fence"]) == (True, "me", lock.fence)
    assert (await aclient.state(name))["held"] is False
    with pytest.raises(LockLost):
        lock.check()
    assert events.names() == ["acquired", "released"]


async def test_with_is_never_entered_unheld(aclient, name):
    async with aclient.lock(name, owner="first") as first:
        with pytest.raises(NotAcquired) as raised:
            async with aclient.lock(name, wait=0.2):
                pytest.fail("entered")
        assert raised.value.holder is not None
        assert raised.value.holder.fence == first.fence
        assert raised.value.position == 1


async def test_a_lock_outlives_its_lease_by_renewals(aclient, name, events):
    async with aclient.lock(name, ttl=1) as lock:
        await auntil(lambda: events.names().count("renewed") >= 4)
        lock.check()


async def test_a_loss_cancels_the_body_and_comes_out_as_lock_lost(aclient, name, events):
    with pytest.raises(LockLost) as raised:
        async with aclient.lock(name, ttl=1.5) as lock:
            await aclient.break_lock(name, fence=lock.fence)
            await asyncio.sleep(60)
    assert raised.value.reason == "ended"
    assert isinstance(raised.value.__cause__, asyncio.CancelledError)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    # The task goes on as if nothing had been cancelled.
    await asyncio.sleep(0)
    assert "released" not in events.names()


async def test_a_cancellation_from_outside_stays_a_cancellation(aclient, name):
    entered = asyncio.Event()

    async def work():
        async with aclient.lock(name):
            entered.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await aclient.state(name))["held"] is False


async def test_a_time_out_around_a_lock_stays_a_time_out(aclient, name):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2), aclient.lock(name):
            await asyncio.sleep(60)
    assert (await aclient.state(name))["held"] is False


async def test_the_error_of_the_body_counts_more_than_the_loss(aclient, name):
    with pytest.raises(ZeroDivisionError) as raised:
        async with aclient.lock(name, ttl=1.5) as lock:
            await aclient.break_lock(name)
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                assert not lock.held
                raise ZeroDivisionError from None
    assert raised.value.__notes__


async def test_a_body_that_swallows_its_cancellation_gets_lock_lost(aclient, name):
    with pytest.raises(LockLost):
        async with aclient.lock(name, ttl=1.5) as lock:
            await aclient.break_lock(name)
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                assert lock.lost.is_set()
    await asyncio.sleep(0)


async def test_a_blocked_loop_is_noticed_by_the_first_check(aclient, name):
    # Nothing renews while the loop is blocked, and no timer has fired when check() is called.
    with pytest.raises(LockLost) as raised:
        async with aclient.lock(name, ttl=1) as lock:
            time.sleep(1.2)
            lock.check()
    assert raised.value.reason == "unconfirmed"


async def test_a_release_goes_to_its_end_though_the_task_is_cancelled(aclient, name, events):
    lock = aclient.lock(name)
    await lock.acquire()
    release = asyncio.create_task(lock.release())
    await asyncio.sleep(0)
    release.cancel()
    release.cancel()
    with pytest.raises(asyncio.CancelledError):
        await release
    assert events.names() == ["acquired", "released"]
    assert (await aclient.state(name))["held"] is False


async def test_an_acquire_that_is_cancelled_leaves_nothing(aclient, name):
    async with aclient.lock(name):
        waiter = asyncio.create_task(aclient.lock(name, wait=math.inf).acquire())
        while (await aclient.queue(name))["waiting"] == 0:
            await asyncio.sleep(0.01)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
    begun = time.monotonic()
    async with aclient.lock(name, wait=20):
        assert time.monotonic() - begun < 10


@pytest.mark.parametrize("turns", range(12))
async def test_an_acquire_that_is_cancelled_at_any_moment_frees_the_lock(aclient, name, turns):
    task = asyncio.create_task(aclient.lock(name, ttl=60).acquire())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await (await task).release()
    async with aclient.lock(name, wait=20):
        pass


async def answer_late(reader, writer, url):
    """Passes a connection on to the server, and its answers back a moment later."""
    host = urlsplit(url)
    server_reader, server_writer = await asyncio.open_connection(host.hostname, host.port)

    async def pass_on(source, sink, delay):
        while data := await source.read(65536):
            await asyncio.sleep(delay)
            sink.write(data)
        sink.close()

    await asyncio.gather(pass_on(reader, server_writer, 0), pass_on(server_reader, writer, 0.2), return_exceptions=True)


def test_a_loop_that_ends_undoes_a_cancelled_acquire(client, url, name):
    def relay():
        async def serve():
            relay = await asyncio.start_server(lambda *ends: answer_late(*ends, url), "127.0.0.1", 0)
            ports.append(relay.sockets[0].getsockname()[1])
            await relay.serve_forever()

        asyncio.run(serve())

    ports = []
    threading.Thread(target=relay, daemon=True).start()
    until(lambda: ports)

    async def main():
        late = AsyncClient(f"http://127.0.0.1:{ports[0]}")
        task = asyncio.create_task(late.lock(name, ttl=60).acquire())
        # The server has granted the lock, and the answer is on its way.
        while not (await asyncio.to_thread(client.state, name))["held"]:
            await asyncio.sleep(0)
        task.cancel()
        return task

    assert asyncio.run(main()).cancelled()
    until(lambda: not client.state(name)["held"])


async def test_two_tasks_cant_share_a_lock_object(aclient, name):
    lock = aclient.lock(name, wait=1)
    async with lock:
        fence = lock.fence
        with pytest.raises(Refused) as raised:
            await asyncio.create_task(lock.acquire())
        assert raised.value.code == "lock_in_use"
        assert lock.fence == fence
        lock.check()


async def test_several_locks_all_or_none(aclient, name):
    a, b = f"{name}-a", f"{name}-b"
    async with aclient.locks([b, a], ttl=1.5) as locks:
        assert [lock.resource for lock in locks] == [b, a]
        assert locks[a].held
        with pytest.raises(NotAcquired):
            await aclient.locks([a, "c"]).acquire()
    assert await aclient.list(name) == []
    with pytest.raises(LockLost):
        async with aclient.locks([b, a], ttl=1.5):
            await aclient.break_lock(a)
            await asyncio.sleep(60)
    assert await aclient.list(name) == []


async def test_a_ticket_hands_a_lock_over(aclient, url, name):
    ticket = (await aclient.lock(name).acquire()).detach()
    async with AsyncClient(url) as other:
        async with await other.adopt(ticket) as lock:
            assert lock.fence == ticket.fence
        assert (await aclient.state(name))["held"] is False


async def test_once_runs_on_one_machine_only(aclient, name):
    @aclient.once(name, at_least=1.5)
    async def nightly():
        return 1

    assert await nightly() == 1
    assert await nightly() is SKIPPED


async def test_elect_cancels_the_body_waits_for_its_end_and_campaigns_again(aclient, name):
    told = []

    async def lead(leader):
        told.append(("leads", leader.term))
        if len(told) > 1:
            return "done"
        await aclient.break_lock(name, fence=leader.term)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.5)
            told.append(("stopped", leader.term))

    assert await aclient.elect(name, lead, ttl=1.5) == "done"
    assert [what for what, _ in told] == ["leads", "stopped", "leads"]
    assert told[0][1] < told[2][1]
    assert (await aclient.state(name))["held"] is False


async def test_elect_resigns_when_it_is_cancelled(aclient, name):
    leads = asyncio.Event()

    async def lead(leader):
        leads.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(aclient.elect(name, lead))
    await leads.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await aclient.state(name))["held"] is False


async def test_close_releases_all(url, name):
    client = AsyncClient(url)
    lock = await client.lock(name).acquire()
    await client.close()
    assert not lock.held
    async with AsyncClient(url) as other:
        assert (await other.state(name))["held"] is False


async def test_a_server_that_is_away_is_unavailable(name):
    async with AsyncClient("http://127.0.0.1:9", patience=0.3) as client:
        with pytest.raises(Unavailable):
            await client.lock(name).acquire()


def test_a_client_belongs_to_one_loop(url, name):
    client = AsyncClient(url)
    asyncio.run(client.state(name))
    with pytest.raises(RuntimeError):
        asyncio.run(client.state(name))


async def test_a_thousand_holds_in_one_loop(aclient, name, events):
    locks = [aclient.lock(f"{name}-{number}", ttl=20) for number in range(1000)]
    for first in range(0, 1000, 50):
        await asyncio.gather(*(lock.acquire() for lock in locks[first : first + 50]))
    await auntil(lambda: events.names().count("renewed") >= 1000, 60)
    assert all(lock.held for lock in locks)
