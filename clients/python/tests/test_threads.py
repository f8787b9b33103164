"""`Client` with a real server."""

import gc
import math
import os
import threading
import time
import warnings
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from gorilla_client import SKIPPED, Client, LockLost, NotAcquired, Refused, Unavailable, inherited, terminate
from waiting import until


def test_a_lock_is_held_in_the_body_and_free_after_it(client, name, events):
    with client.lock(name, ttl=30, owner="me", metadata={"job": 1}) as lock:
        assert lock.held
        assert 0 < lock.remaining() < 30
        lock.check()
        state = client.state(name)
        assert (state["held"], state["owner"], state["fence"]) == (True, "me", lock.fence)
        assert state["metadata"] == [{"job": 1}]
        assert lock.floor == lock.fence
    assert client.state(name)["held"] is False
    assert not lock.held
    with pytest.raises(LockLost):
        lock.check()
    assert events.names() == ["acquired", "released"]


def test_with_is_never_entered_unheld(client, name):
    with client.lock(name, owner="first") as first:
        with pytest.raises(NotAcquired) as raised, client.lock(name):
            pytest.fail("entered")
        assert raised.value.holder is not None
        assert (raised.value.holder.owner, raised.value.holder.fence) == ("first", first.fence)
        assert raised.value.request_id
        with pytest.raises(NotAcquired) as raised, client.lock(name, wait=0.2):
            pytest.fail("entered")
        assert raised.value.position == 1


def test_a_waiter_gets_the_lock_when_it_is_free(client, name, events):
    with ThreadPoolExecutor() as threads:
        with client.lock(name) as first:
            second = threads.submit(client.lock(name, wait=60).acquire)
            until(lambda: "waiting" in events.names())
            assert client.queue(name)["waiting"] == 1
        lock = second.result(30)
        assert lock.fence > first.fence
        assert lock.held
        lock.release()


def test_a_lock_outlives_its_lease_by_renewals(client, name, events):
    with client.lock(name, ttl=1) as lock:
        until(lambda: events.names().count("renewed") >= 4)
        lock.check()
        assert client.state(name)["fence"] == lock.fence


def test_the_locks_of_a_client_are_renewed_in_one_request(client, name, events):
    with client.locks([f"{name}-{number}" for number in range(40)], ttl=3) as locks:
        until(lambda: events.names().count("renewed") >= 40)
        assert locks.held
    assert client.list(name) == []


def test_several_locks_all_or_none(client, name):
    a, b, c = (f"{name}-{letter}" for letter in "abc")
    with client.lock(b, owner="other"):
        with pytest.raises(NotAcquired) as raised, client.locks([c, b, a]):
            pytest.fail("entered")
        assert raised.value.resource == b
        assert [lock["resource"] for lock in client.list(name)] == [b]
    with client.locks([c, (a, {"mode": "shared"})]) as locks:
        assert [lock.resource for lock in locks] == [c, a]
        assert locks[a].mode == "shared"
        locks.check()
    assert client.list(name) == []


def test_readers_share_a_lock_and_a_semaphore_has_permits(client, name):
    with client.lock(name, mode="shared") as first, client.lock(name, mode="shared") as second:
        assert first.floor == second.floor == first.fence < second.fence
        with pytest.raises(NotAcquired):
            client.lock(name).acquire()
    with client.lock(name, limit=3, permits=2) as lock:
        assert (lock.limit, lock.permits) == (3, 2)
        with pytest.raises(NotAcquired):
            client.lock(name, limit=3, permits=2).acquire()
        with client.lock(name, limit=3):
            pass
        with pytest.raises(Refused) as raised:
            client.lock(name, limit=4).acquire()
        assert raised.value.code == "limit_mismatch"


def test_two_holds_of_one_shared_lock_are_both_renewed(client, name, events):
    with client.lock(name, mode="shared", ttl=1) as first, client.lock(name, mode="shared", ttl=1) as second:
        until(lambda: events.names().count("renewed") >= 6)
        first.check()
        second.check()


def test_a_broken_lock_is_lost_at_the_next_renewal(client, name, events):
    told = []
    with (
        pytest.raises(LockLost) as raised,
        client.lock(name, ttl=1.5, on_lost=told.append) as lock,
    ):
        client.break_lock(name, fence=lock.fence, reason="test")
        assert lock.lost.wait(30)
        assert not lock.held
    assert raised.value.reason == "ended"
    assert [loss.reason for loss in told] == ["ended"]
    assert events.names(name).count("lost") == 1
    assert "released" not in events.names(name)


def test_a_break_with_a_grace_is_told_and_then_the_lock_is_lost(client, name, events):
    with pytest.raises(LockLost) as raised, client.lock(name, ttl=3) as lock:
        client.break_lock(name, fence=lock.fence, grace=2)
        until(lambda: "breaking" in events.names())
        assert lock.held
        assert lock.lost.wait(30)
    assert raised.value.reason == "ended"


def test_the_error_of_the_body_counts_more_than_the_loss(client, name):
    with pytest.raises(ZeroDivisionError) as raised, client.lock(name, ttl=1.5) as lock:
        client.break_lock(name)
        lock.lost.wait(30)
        raise ZeroDivisionError
    assert any("is lost" in note or "Nobody holds" in note for note in raised.value.__notes__)


def test_a_loss_that_nobody_noticed_is_told_at_the_release(client, name):
    with pytest.raises(LockLost) as raised, client.lock(name):
        client.break_lock(name)
    assert raised.value.reason == "ended"


def test_max_hold_bounds_the_hold(client, name, events):
    with pytest.raises(LockLost) as raised, client.lock(name, ttl=30, max_hold=0.3) as lock:
        assert lock.lost.wait(30)
    assert raised.value.reason == "max_hold"
    assert client.state(name)["held"] is False


def test_a_lock_object_is_for_one_thread_at_a_time(client, name):
    lock = client.lock(name)
    with lock:
        with pytest.raises(Refused) as raised:
            lock.acquire()
        assert raised.value.code == "lock_in_use"
        lock.check()
    with lock:
        lock.check()


def test_an_acquire_is_cancelled_by_another_thread(client, name):
    with ThreadPoolExecutor() as threads, client.lock(name):
        waiting = client.lock(name, wait=math.inf)
        waiter = threads.submit(waiting.acquire)
        until(lambda: client.queue(name)["waiting"] == 1)
        waiting.cancel()
        with pytest.raises(CancelledError):
            waiter.result(30)
        until(lambda: client.queue(name)["waiting"] == 0)


def test_a_ticket_hands_a_lock_over(client, url, name):
    ticket = client.lock(name, ttl=20).acquire().detach()
    assert ticket.token not in repr(ticket)
    with Client(url) as other:
        with other.adopt(ticket, ttl=20) as lock:
            assert lock.fence == ticket.fence
            lock.check()
        assert client.state(name)["held"] is False
        with pytest.raises(LockLost):
            other.adopt(ticket)


def test_once_runs_on_one_machine_only(client, url, name):
    ran = []

    @client.once(name, at_least=2)
    def nightly(argument):
        ran.append(argument)
        return argument

    assert nightly(1) == 1
    # The job was quick, and the clock of the second machine is behind.
    assert nightly(2) is SKIPPED
    assert ran == [1]
    assert client.state(name)["held"]
    until(lambda: not client.state(name)["held"])
    assert nightly(3) == 3


def test_at_least_longer_than_the_lease_extends_it(client, name):
    with client.lock(name, ttl=1, at_least=4):
        pass
    assert client.state(name)["ttlMs"] > 1500


def test_elect_leads_loses_and_leads_again(client, name):
    terms = []

    def lead(leader):
        terms.append(leader.term)
        if len(terms) == 1:
            client.break_lock(name, fence=leader.term)
            assert leader.lost.wait(30)
            leader.check()
            pytest.fail("check() does not raise")
        leader.check()
        return "done"

    assert client.elect(name, lead, ttl=1.5) == "done"
    assert len(terms) == 2
    assert terms[0] < terms[1]
    assert client.state(name)["held"] is False


def test_elect_resigns_if_the_body_raises(client, name):
    def lead(leader):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        client.elect(name, lead)
    assert client.state(name)["held"] is False


def test_close_releases_all(url, name):
    client = Client(url)
    locks = [client.lock(f"{name}-{number}").acquire() for number in range(5)]
    client.close()
    assert not any(lock.held for lock in locks)
    with Client(url) as other:
        assert other.list(name) == []


def test_a_child_holds_nothing_of_its_parent(client, name):
    with client.lock(name, ttl=1) as lock:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            # The child says what it finds, and ends as its parent would: by leaving the body.
            told = [f"held={lock.held}"]
            try:
                lock.check()
            except LockLost as error:
                told.append(error.reason)
            lock.__exit__(None, None, None)
            with client.lock(f"{name}-child") as own:
                told.append(f"own={own.held}")
            os.write(writer, " ".join(told).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            assert pipe.read() == "held=False foreign own=True"
        assert os.waitpid(pid, 0)[1] == 0
        lock.check()
        assert client.state(name)["fence"] == lock.fence


def test_a_server_that_is_away_is_unavailable(name):
    with Client("http://127.0.0.1:9", patience=0.3) as client, pytest.raises(Unavailable) as raised:
        client.lock(name).acquire()
    assert raised.value.request_id is None


@pytest.mark.parametrize("odd", ["a b", "%2F", "a%2Fb", "日本", "x" * 256, "?a=b#c", "break", "ü", "a+b"])
def test_odd_names_are_kept(client, odd):
    with client.lock(odd, ttl=5) as lock:
        assert lock.resource == odd
        assert client.state(odd)["resource"] == odd
    with client.locks([odd]) as locks:
        assert locks[odd].held


@pytest.mark.parametrize("wrong", ["", ".", "..", "a/b", "x" * 257, "\x00", "\ud800"])
def test_names_that_no_lock_can_have_are_refused(client, wrong):
    with pytest.raises(Refused):
        client.lock(wrong).acquire()


@pytest.mark.parametrize(
    "options",
    [
        {"ttl": 0},
        {"ttl": math.inf},
        {"wait": -1},
        {"wait": math.nan},
        {"ttl": 3, "grace": 2},
        {"grace": -1},
        {"max_hold": 0},
        {"at_least": -1},
        {"at_least": 1, "limit": 2},
    ],
)
def test_wrong_options_are_refused_before_anything_is_sent(client, name, options):
    with pytest.raises(Refused) as raised:
        client.lock(name, **options)
    assert raised.value.code == "invalid_request"


def test_a_lock_that_is_forgotten_warns_and_is_renewed_no_more(client, name):
    lock = client.lock(name, ttl=1).acquire()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del lock
        gc.collect()
    assert [warning.category for warning in caught] == [ResourceWarning]
    until(lambda: client.state(name)["held"] is False)


def test_nothing_prints_a_token(client, name, events):
    with client.lock(name) as lock:
        token = lock.token
        told = [repr(client), repr(lock), repr(lock._hold), repr(vars(lock)), repr(events)]
    assert not any(token in text for text in told)
    with Client(client.url, api_key="secret-key") as other:
        assert "secret-key" not in repr(other) + repr(vars(other))


def test_limits_are_pinned_and_unpinned(client, name):
    assert client.pin_limit(name, 2) == {"resource": name, "limit": 2, "pinned": True}
    with client.lock(name, mode="shared") as lock:
        assert lock.limit == 2
    assert client.limit(name)["limit"] == 2
    assert client.unpin_limit(name)["pinned"] is False


def test_a_lock_without_renewal_ends_unless_it_is_extended(client, name):
    lock = client.lock(name, ttl=0.5, grace=0, renew=False).acquire()
    lock.extend(20)
    assert lock.remaining() > 15
    lock.release()
    lock = client.lock(name, ttl=0.3, grace=0, renew=False).acquire()
    assert lock.lost.wait(30)
    with pytest.raises(LockLost):
        lock.release()


def test_a_thousand_holds_need_few_threads(client, name):
    before = threading.active_count()
    with ThreadPoolExecutor(4) as threads:
        locks = list(threads.map(lambda n: client.lock(f"{name}-{n}", ttl=20).acquire(), range(1000)))
        assert threading.active_count() - before <= 4 + 9
    end = time.monotonic() + 12
    while time.monotonic() < end:
        assert all(lock.held for lock in locks)
        assert threading.active_count() - before <= 9
        time.sleep(0.5)
    client.close()


def test_on_lost_may_terminate_the_process():
    assert callable(terminate)
    assert inherited() is None
