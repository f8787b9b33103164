--- include number
--- include grant
--- include holders/blocks
--- include holders/ending
--- include holders/find
--- include holders/next_end
--- include quota
--- include rank
--- include record
--- include turn
--- include events
--- include incarnation
--- include stale
--- constant WINDOW
--- constant PLACE_KEPT
-- The steps of an acquire, for the first call of an attempt (try) and for the later calls of a waiter (claim). They
-- note in `req` what they find out about the request:
--   record     the key of its record         own    the place that this attempt has or would have
--   cancelled  attempts that were cancelled  named  the place in its record, which may be the place of a copy
--   arrived    when it joined the queue, if it did
--   newest     the key that names the newest request with its value of `replaces`, if it has one
--   replaces   whether it has dismissed another request

-- How many attempts a record names that were told of a grant.
local MOST_TOLD = 16
--- inline many

-- How long grants still wait after a loss of data (ms), or nothing.
local function acquire_recovers()
  local left = GRACE ~= '0' and recovery(KEYS[count + 1]) or 0
  return left > 0 and left
end

-- Writes the record of a request with an Idempotency-Key, with its cancelled attempts.
local function acquire_note(req, seen, ms)
  if not req.print then return end
  seen.print, seen.cancelled = req.print, req.cancelled
  -- A part of a set, which hold.lua commits when the set has all its parts; unless take_all.lua grants the whole set.
  if seen.outcome == 'acquired' and string.sub(req.print, 1, 4) == 'set:' then seen.ends = req.ends or '0' end
  record_write(req.record, seen, ms)
end

-- Answers a copy of a request that was granted the lock.
local function replay(lock, req, seen)
  -- The lease of the first answer counts, whatever a later extend made of it: the client has the token and the end of
  -- the first answer.
  local ttl = seen.created + req.lease - now_ms()
  -- The lease of a set is that of its commit, and counts from there. Before that nobody was told of a lease.
  if seen.ends then ttl = seen.ends == '0' and req.lease or seen.ends - now_ms() end
  -- If the end of the grant is settled, the lease of the first answer is more than is left.
  if ttl <= 0 or not is_holder(lock, seen.id) or is_ending(lock) then return {'gone'} end
  -- If Redis lost data, it may have lost the end of this grant, and another grant after it.
  local unsettled = acquire_recovers()
  if unsettled then return {'unsettled', unsettled} end
  -- From now on this client may rely on the answer, so the cancellation of another attempt must not end the lock.
  -- Beyond MOST_TOLD attempts the record only notes that there are more: then no cancellation ends the lock.
  if #seen.told <= MOST_TOLD and not record_find(seen.told, req.id) then
    seen.told[#seen.told + 1] = #seen.told < MOST_TOLD and req.id or 'more'
    record_write(req.record, seen)
  end
  return {'replayed', seen.fence, tonumber(seen.created), seen.id, seen.token, ttl}
end

-- The reply that an earlier call of the same request decides, or nothing. `waits` says whether this attempt has been in
-- the queue and goes on waiting: then a copy that took the place over keeps it.
local function acquire_remembered(lock, req, waits)
  req.record, req.own = beside(lock, 'request:' .. (req.request or req.id)), place_of(req)
  req.named, req.cancelled = req.own, {}
  local seen = record_read(req.record)
  if not seen then return nil end
  if record_find(seen.cancelled, req.id) then return {'cancelled'} end
  req.cancelled = seen.cancelled
  if seen.outcome == 'cancelled' then return nil end
  if seen.print ~= req.print then return {'reused'} end
  if seen.outcome == 'replaced' then return {'replaced'} end
  -- A part has ended, and its set was not answered yet: no client relies on it, so it is decided anew.
  if seen.ends == '0' and not is_holder(lock, seen.id) then return nil end
  if seen.outcome ~= 'waiting' then return replay(lock, req, seen) end
  if seen.place ~= req.own then
    if waits then return {'superseded'} end
    req.named = seen.place
  end
  req.arrived = tonumber(seen.arrived)
end

--- constant LONGEST_ATTEMPT
-- Notes that this is the newest request with its value of `replaces`. One that has not joined the queue has no arrival.
local function acquire_note_newest(req)
  if req.newest then
    redis.call('SET', req.newest, whole(req.arrived or 0) .. ' ' .. req.own, 'PX', LONGEST_ATTEMPT)
  end
end

-- The reply to a waiter that a later request has dismissed, or nothing.
local function acquire_replaced(lock, req)
  req.newest = rank_newest(lock, req.rank)
  local newest = req.newest and req.arrived and redis.call('GET', req.newest)
  if not newest or tonumber(string.match(newest, '^%d+')) == req.arrived then return nil end
  acquire_note(req, {outcome = 'replaced'}, WINDOW)
  return {'replaced'}
end

-- Dismisses the waiter that this request replaces, if the request is new and waits. `leave` takes a place out of the queue.
local function acquire_dismiss(lock, req, leave)
  local newest = req.newest and req.wait and not req.arrived and redis.call('GET', req.newest)
  local old = newest and string.match(newest, '^%d+ (.*)$')
  if not old or old == req.own or not redis.call('ZSCORE', beside(lock, 'queue'), old) then return end
  leave(old)
  req.replaces = true
  local id, channel = place_parts(old)
  redis.call('PUBLISH', channel, id)
end

-- Takes a place out of the queue of a lock that no group holds; `cause` as in lib/queue.lua. If it has the turn, the turn ends.
local function acquire_leave(lock, place, cause)
  queue_remove(beside(lock, 'queue'), place, cause)
  local turn = redis.call('GET', beside(lock, 'queue:turn'))
  if turn and string.match(turn, '^%d+ (.*)$') == place then turn_take(lock) end
end

-- What prevents a grant, with the ms until that may be over; or nothing. One of
--   {left, holder = {owner, fence, mode}}  somebody holds the lock, or a group
--   {left, recovering = true}         Redis may have lost a grant
--   {left, called = when it arrived}  an earlier waiter has the turn
-- The second result says whether others wait behind this request.
local function acquire_blocks(lock, req)
  local holder = holders_block(lock, req)
  if holder then return {left = next_end(lock), holder = holder} end
  local recovering = acquire_recovers()
  if recovering then
    -- As if the lock were held until then. A waiter that has the turn can't claim the lock meanwhile. So the turn ends
    -- here: a turn that passes without a claim would cost the replica of the waiter its places.
    turn_take(lock)
    return {left = recovering, recovering = true}
  end
  local head, since = turn_first(lock)
  if head and not (req.arrived and req.arrived <= since) then return {left = turn_give(lock), called = since} end
  return nil, head
end

-- Whether a group holds the lock: then join.lua decides.
local function acquire_meets_group(block)
  return block.holder and block.holder[3]
end

-- Grants the lock, if nothing prevents that.
local function acquire_granted(lock, req, others_wait)
  local key = beside(lock, 'queue')
  local over = req.rank and quota_reached(lock, req, true)
  if over then
    -- Whoever waits behind this request has the turn now.
    acquire_leave(lock, req.own, 'refused')
    turn_give(lock)
    return over
  end
  if others_wait then
    redis.call('ZREM', key, req.own)
    if req.named ~= req.own then queue_remove(key, req.named, 'superseded') end
    turn_take(lock)
  end
  local fence, now, last = grant(lock, beside(lock, 'fence'), req.id, req.token, req.owner, req.metadata, req.lease,
    req.by)
  local on = recorded()
  if on then on.granted(lock, req, fence, whole(now + req.lease), last) end
  if others_wait then queue_tell(key, req.channel, req.lease, fence) end
  if req.replaces then acquire_note_newest(req) end
  acquire_note(req, {outcome = 'acquired', id = req.id, token = req.token, fence = fence, created = now}, WINDOW)
  return {'granted', fence, now}
end

-- Refuses a request that doesn't wait, or whose wait is over.
local function acquire_refused(lock, req, block)
  local key = beside(lock, 'queue')
  local rank, waiting = redis.call('ZRANK', key, req.named), redis.call('ZCARD', key)
  local position = rank and rank + 1 or 0
  if block.recovering then return {'recovering', block.left, waiting, position} end
  if not block.holder then return {'reserved', waiting, position} end
  return {'held', block.holder[1], block.holder[2], block.left, waiting, position}
end

--- constant ROOM
-- Joins the queue, at its earlier place if it had one. Returns a reply if there is no room.
local function acquire_join(key, req, block)
  if not req.arrived then
    local now, room, waiting = tonumber((clock())), tonumber(ROOM), redis.call('ZCARD', key)
    -- Where many wait, each join looks at a few places: otherwise the attempts of replicas that died would fill the queue
    -- of a lock that is held for long.
    if waiting >= MANY or 2 * waiting >= room then
      req.dropped = queue_drop(key, redis.call('ZRANDMEMBER', key, '4'), place_is_stale)
      waiting = redis.call('ZCARD', key)
    end
    if waiting >= room then return {'full', waiting} end
    local last = waiting > 0 and redis.call('ZRANGE', key, '-1', '-1', 'WITHSCORES')[2]
    req.arrived = math.max(now, (tonumber(last) or 0) + 1)
    if req.rank then req.arrived = rank_arrival(key, req.rank, req.arrived, block.called) end
  end
  if req.named ~= req.own then queue_remove(key, req.named, 'superseded') end
  redis.call('ZADD', key, whole(req.arrived), req.own)
  -- If all replicas die, the keys expire. A queue that is new has no expiry, which GT takes for one that never comes.
  if redis.call('PEXPIRE', key, LONGEST_ATTEMPT, 'GT') == 0 and redis.call('PTTL', key) < tonumber(LONGEST_ATTEMPT) then
    redis.call('PEXPIRE', key, LONGEST_ATTEMPT)
  end
  acquire_note_newest(req)
  acquire_note(req, {outcome = 'waiting', arrived = whole(req.arrived), place = req.own}, req.wait + PLACE_KEPT)
end

-- Gives the request a place in the queue, unless it has one.
local function acquire_queued(lock, req, block)
  local key = beside(lock, 'queue')
  local score = redis.call('ZSCORE', key, req.own)
  -- The first call of an attempt may arrive after a later call has joined the queue.
  if score then req.arrived = tonumber(score) else
    local over = req.rank and not req.arrived and quota_reached(lock, req, false)
    local refused = over or acquire_join(key, req, block)
    if refused then return refused end
    local on = recorded()
    if on then
      on.note('queued', lock, req.id, req.owner, redis.call('ZRANK', key, req.own) + 1, redis.call('ZCARD', key),
        block.holder and block.holder[2] or nil)
    end
  end
  return {'queued', whole(req.arrived), block.holder and block.holder[2] or 0, block.left}
end
