"""The core in many histories, with a virtual clock: what must be true whatever becomes of requests."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gorilla_client import GorillaError, LockLost, NotAcquired, Refused, Unavailable, Unknown
from gorilla_client._acquire import Acquire
from gorilla_client._deliver import judge
from gorilla_client._hold import Hold
from gorilla_client._options import Options
from gorilla_client._renew import Renewals, release
from gorilla_client._steps import Failure, Reply, Send
from simulation import FATES, Server, VirtualClock, World, refusal

outages = st.builds(lambda fate, length: [fate] * length, st.sampled_from(["503", "lost_request"]), st.integers(1, 400))
fates = st.one_of(
    st.lists(st.sampled_from(FATES), max_size=30),
    st.builds(lambda before, outage: before + outage, st.lists(st.sampled_from(FATES), max_size=4), outages),
)
rates = st.sampled_from([0.992, 1.0, 1.008])
"""The drift of clocks, less than the one percent that is allowed for."""
many = settings(max_examples=300, deadline=None)


def world_of(fates, rate=1.0, events=None):
    clock = VirtualClock()
    return World(clock, Server(clock, rate), list(fates))


def acquire_in(world, *, events=None, **options):
    listen = None if events is None else events.append
    return Acquire(world.clock, [("a", {})], Options(**options), is_set=False, patience=5.0, on_event=listen)


@many
@given(fates=fates, rate=rates, ttl=st.sampled_from([0.5, 3.0, 30.0, 600.0]))
def test_a_hold_never_believes_longer_than_the_server(fates, rate, ttl):
    world = world_of([], rate)
    clock, server = world.clock, world.server
    events = []
    (hold,) = world.run(acquire_in(world, ttl=ttl, events=events).run())
    world.fates = list(fates)
    renewals = Renewals(clock)
    renewals.add(hold)
    lost = []

    def look():
        held = hold.is_held()
        if held:
            assert server.holds(hold.token), "the client believes, and the server has ended the lease"
            assert not lost, "a loss is final"
        elif hold.loss() is not None:
            lost.append(clock.time)

    world.look = look
    end = clock.time + 5 * ttl
    while clock.time < end and not lost:
        batches, again = renewals.look()
        for batch in batches:
            world.run(renewals.renew(batch))
        world.advance(min(max(again, clock.time + 0.01), end))
    assert [event.name for event in events].count("lost") == (1 if lost else 0)
    assert not hold.is_renewing
    if not fates:
        assert not lost
    before = len(world.sent)
    hold.begin_release()
    world.run(release(clock, [hold], clock.time + 5))
    assert all(request.method == "DELETE" for _, request in world.sent[before:])
    assert not hold.is_held()
    for at, request in world.sent:
        copies = [other for other, copy in world.sent if copy.key == request.key]
        assert max(copies) - min(copies) <= 55, at


@many
@given(
    fates=fates,
    wait=st.sampled_from([0.0, 0.5, 20.0, 300.0]),
    other=st.sampled_from([0.0, 1.0, 25.0, 250.0, 1000.0]),
    ttl=st.sampled_from([1.0, 30.0]),
)
def test_an_acquire_tells_the_truth(fates, wait, other, ttl):
    world = world_of(fates)
    clock, server = world.clock, world.server
    if other:
        server.take("other", other)
    begun = clock.time
    try:
        (hold,) = world.run(acquire_in(world, ttl=ttl, wait=wait).run())
    except NotAcquired:
        assert server.token not in server.granted
        assert clock.time - begun >= wait
    except Unavailable:
        assert not server.is_held() or server.token not in server.granted
    except Unknown:
        pass
    else:
        assert server.holds(hold.token)
        assert hold.is_held()
        assert hold.lasts() >= 0.9 * ttl - 1.7, "a lease that is handed out is nearly whole"
    # A client doesn't go on for ever.
    assert clock.time - begun <= max(wait, 5) + 70
    if wait == 0:
        # To ask, to renew until the lease ends, and to give back.
        assert clock.time - begun <= ttl + 3 * 8


@many
@given(fates=fates)
def test_an_acquire_that_is_cancelled_leaves_nothing(fates):
    world = world_of(fates)
    acquire = acquire_in(world, ttl=30.0, wait=20.0)
    steps = acquire.run()
    # The driver sends, and is cancelled before it hears the answer.
    step = next(steps)
    world.send(step)
    steps.close()
    assert acquire.is_in_doubt
    world.fates = []
    world.run(acquire.undo())
    assert not world.server.is_held()


def test_a_copy_is_not_sent_later_than_55_s_after_the_first():
    world = world_of(["ok", *["lost_request"] * 100])
    world.server.take("other", 1000)
    with pytest.raises(Unknown):
        world.run(acquire_in(world, ttl=30.0, wait=300.0).run())
    heard = world.sent[1][0]
    assert world.sent[-1][0] - heard <= 56
    assert len({request.key for _, request in world.sent}) == 1


def test_a_grant_that_has_ended_is_asked_for_with_a_new_key():
    # The client waits for the lost answer for longer than the lease.
    world = world_of(["lost_answer"])
    (hold,) = world.run(acquire_in(world, ttl=1.0).run())
    assert hold.is_held()
    assert len({request.key for _, request in world.sent if request.method == "POST"}) == 2


def test_waits_in_pieces_of_1_4_and_10_s_with_one_key():
    world = world_of([])
    world.server.take("other", 40)
    world.run(acquire_in(world, ttl=30.0, wait=math.inf).run())
    waits = [request.body["wait"] for _, request in world.sent if request.method == "POST"]
    assert waits[:4] == [1.0, 4.0, 10.0, 10.0]
    assert len({request.key for _, request in world.sent if request.method == "POST"}) == 1


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Reply(0, 302, b""), Refused),
        (Reply(0, 404, b"<html>"), Refused),
        (Reply(0, 401, b'{"errorMessage":"x","code":"invalid_key","outcome":"not_executed"}'), Refused),
        (Reply(0, 429, b'{"errorMessage":"x","code":"queue_full","outcome":"not_executed"}'), Unavailable),
        (Reply(0, 503, b'{"errorMessage":"x","code":"recovering","outcome":"unknown"}'), Unknown),
        (Reply(0, 503, b'{"errorMessage":"x","code":"draining","outcome":"not_executed"}'), Unavailable),
        (Reply(0, 502, b"<html>"), Unknown),
        (Reply(0, 200, b"<html>"), Unknown),
        (Reply(0, 500, b""), Unknown),
        (Failure(in_doubt=True, why="x"), Unknown),
        (Failure(in_doubt=False, why="x"), Unavailable),
    ],
)
def test_what_an_answer_means(outcome, error):
    verdict = judge(outcome)
    assert type(verdict.error()) is error


def test_the_messages_of_losses_name_the_reason():
    world = world_of([])
    (hold,) = world.run(acquire_in(world, ttl=30.0).run())
    world.clock.time += 60
    assert isinstance(hold.loss(), LockLost)
    assert isinstance(hold.loss(), GorillaError)
    assert "no renewal was confirmed" in str(hold.loss())
    assert isinstance(hold, Hold)


@many
@given(fates=fates, count=st.integers(2, 4))
def test_locks_that_are_renewed_together_never_have_two_renewals_under_way(fates, count):
    clock = VirtualClock()
    renewals = Renewals(clock)
    lock = {"id": "i", "owner": "me", "token": "t", "fence": 7, "ttlMs": 3000}
    holds = [Hold(clock, {**lock, "resource": f"{n}"}, clock.now(), ttl=3.0, grace=0.5) for n in range(count)]
    for hold in holds:
        renewals.add(hold)
    under_way = []
    for turn in range(60):
        batches, again = renewals.look()
        under_way += [(renewals.renew(batch), None) for batch in batches]
        still, sent = [], []
        for steps, outcome in under_way:
            try:
                step = steps.send(outcome)
            except StopIteration:
                continue
            sent += names_in(step)
            still.append((steps, answer(step, clock, fates[turn % len(fates)] if fates else "ok")))
        assert len(sent) == len(set(sent))
        under_way = still
        clock.time = max(clock.time + 0.05, min(again, clock.time + 0.5))
    for steps, _ in under_way:
        steps.close()
    assert not any(hold.is_renewing for hold in holds)


def names_in(step):
    """The locks that a step renews."""
    if not isinstance(step, Send):
        return []
    if step.request.method == "PUT":
        return [step.request.path.rsplit("/", 1)[1]]
    return [item["resource"] for item in step.request.body["operations"]]


def answer(step, clock, fate):
    """What comes of a renewal: of a batch, only its first item may fail."""
    if not isinstance(step, Send):
        return None
    if fate in ("no_connection", "lost_request", "lost_answer", "half"):
        return Failure(in_doubt=fate != "no_connection", why="x")
    request = step.request
    if request.method == "PUT":
        body = {"id": "i", "owner": "me", "resource": "x", "token": "t", "fence": 7, "ttlMs": 3000}
        return World.reply(clock.time, 200, body)
    results = []
    for index, item in enumerate(request.body["operations"]):
        body = {**item, "id": "i", "owner": "me", "fence": 7, "ttlMs": 3000}
        if index == 0 and fate in ("503", "504"):
            results.append({"index": 0, "status": 503, "body": refusal("redis_unavailable")})
        else:
            results.append({"index": index, "status": 200, "body": body})
    return World.reply(clock.time, 200, {"results": results})
