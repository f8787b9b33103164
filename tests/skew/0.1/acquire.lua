#!lua
-- Grants the lock of a resource if nobody holds it and nobody who came before waits for it; else queues, if asked to.
-- A waiter calls this again when it is woken, when the lease of the holder ends, and when its time is over.
--
-- KEYS  1 lock   2 fence   3 queue   4 turn
--       5 request: the record under the Idempotency-Key, or, without one, under the id of this attempt
--       6 incarnation, only with a grace
-- ARGV  1 id of the tenure   2 token   3 owner   4 metadata (a JSON list)   5 lease (ms)
--       6 how long the last fence is kept (ms)   8 retry window (ms)
--       7 fingerprint ('' without an Idempotency-Key, unless an earlier call of this attempt may still arrive: then its id)
--       9 how long to wait from now (ms), 0 for not, or not any longer
--       10 channel that wakes this replica
--       11 when this attempt arrived in the queue ('' if it has not, '?' if the reply that would tell was lost)
--       12 most places in the queue   13 how long a place is kept for a client that is away (ms)
--       14 longest life of an attempt (ms)   15 grace: how long grants wait after data may have been lost (ms), 0 for not
-- For example: EVALSHA <sha> 5 gorilla:{a}:lock gorilla:{a}:fence gorilla:{a}:queue gorilla:{a}:queue:turn
--              gorilla:{a}:request:<id> <id> <token> me [] 30000 86400000 '' 60000 0 '' '' 0 0 0 0
-- Replies
--   {'granted', fence, created (ms since 1970)}
--   {'replayed', fence, created (ms since 1970), id, token, ttl (ms)}  granted before, to the same Idempotency-Key
--   {'queued', arrived, fence of the holder (0 if the lock is free), ms until a claim may succeed unless woken before}
--   {'superseded'}  a copy with the same Idempotency-Key has taken the place over
--   {'held', owner, fence, ttl (ms), waiting, position (0 if it has none)}
--   {'reserved', waiting, position}  nobody holds the lock, but others wait for it
--   {'recovering', ms until grants are made again, waiting, position}  nobody holds the lock, unless the grant was lost
--   {'unsettled', ms until grants are made again}  granted before, to the same Idempotency-Key, unless it was lost how
--                  that grant ended
--   {'full', waiting}  the queue has no more room
--   {'gone'}       granted before, to the same Idempotency-Key; that lease has ended since
--   {'reused'}     the Idempotency-Key came before with another request
--   {'cancelled'}  this attempt was cancelled before it arrived

if #KEYS < 5 or #KEYS > 6 or #ARGV ~= 15 then return redis.error_reply('ERR acquire takes 5 or 6 KEYS and 15 ARGV') end
local lock, fence_key, queue, turn, request, incarnation = unpack(KEYS)
local id, token, owner, metadata, lease, fence_kept, fingerprint, window, wait, channel, arrival, room, kept, longest,
  grace = unpack(ARGV)
local MOST_TOLD = 16
local arrived = tonumber(arrival)
wait, grace = tonumber(wait), tonumber(grace)

-- The place that this attempt has or would have, and the one under its Idempotency-Key, which may be that of a copy.
local own = id .. ' ' .. channel .. ' ' .. owner
local named = own
local joined = arrival ~= ''
if arrival == '?' then arrived = tonumber(redis.call('ZSCORE', queue, own) or nil) end
local marks, told, told_before = {}, 0, false

local text = redis.call('GET', request)
if text then
  local record = cjson.decode(text)
  for _, value in ipairs(record) do
    if value == '-' .. id then return {'cancelled'} end
    local sign = string.sub(value, 1, 1)
    if sign == '-' then marks[#marks + 1] = value end
    if sign == '+' then
      told = told + 1
      told_before = told_before or value == '+' .. id
    end
  end
  if record[1] == 'waiting' then
    if record[2] ~= fingerprint then return {'reused'} end
    if record[4] ~= own then
      if joined and wait > 0 then return {'superseded'} end
      named = record[4]
    end
    arrived = tonumber(record[3])
  elseif record[1] ~= 'cancelled' then
    if record[2] ~= fingerprint then return {'reused'} end
    -- The lease that was answered counts, not what a later extend made of it: its token and its end are what the client has.
    local ttl = tonumber(record[6]) + lease - math.floor(clock_us() / 1000)
    if ttl <= 0 or redis.call('HGET', lock, 'id') ~= record[3] then return {'gone'} end
    -- Where data were lost, so may be the end of this grant, and another one that was made after it.
    local unsettled = grace > 0 and recovery(incarnation, grace) or 0
    if unsettled > 0 then return {'unsettled', unsettled} end
    -- From now on somebody may rely on the answer, so a cancellation of another attempt must not end the lock. Beyond
    -- MOST_TOLD it is only noted that there are more: then no cancellation ends it, whoever is cancelled.
    if told <= MOST_TOLD and not told_before then
      record[#record + 1] = told < MOST_TOLD and '+' .. id or '+more'
      redis.call('SET', request, cjson.encode(record), 'KEEPTTL')
    end
    return {'replayed', record[5], record[6], record[3], record[4], ttl}
  end
end

-- Keeps what is known under the Idempotency-Key, and which of its attempts were cancelled.
local function note(record, ms)
  for _, mark in ipairs(marks) do record[#record + 1] = mark end
  remember(request, record, ms)
end

local held = redis.call('HMGET', lock, 'owner', 'fence', 'id', 'created')
-- A waiter whose reply was lost asks again. Without an Idempotency-Key only the lock itself tells.
if held[3] == id then
  -- Yet another call of it may be under way, and must not take the lock once more when it has been released.
  if fingerprint ~= '' then note({'acquired', fingerprint, id, token, held[2], held[4]}, window) end
  return {'replayed', held[2], held[4], id, token, redis.call('PTTL', lock)}
end
local left
local recovering = not held[1] and grace > 0 and recovery(incarnation, grace) or 0
if recovering > 0 then
  -- As if the lock were held until then. A turn that was given meanwhile can't be claimed, and must not pass: that would
  -- cost places.
  left = recovering
  redis.call('DEL', turn)
elseif not held[1] then
  local head, since
  head, since, left = first(queue, turn)
  if not head or arrived and arrived <= since then
    if head then
      redis.call('ZREM', queue, own, named)
      redis.call('DEL', turn)
    end
    -- The clock alone keeps fences rising after lost writes, the stored fence while the clock stands still or steps back.
    local now = clock_us()
    local fence = whole(math.max(now, tonumber(redis.call('GET', fence_key) or 0) + 1))
    local created = math.floor(now / 1000)
    local begun = whole(created)
    redis.call('SET', fence_key, fence, 'PX', fence_kept)
    redis.call('HSET', lock, 'id', id, 'token', token, 'owner', owner, 'fence', fence, 'metadata', metadata,
      'created', begun, 'updated', begun)
    redis.call('PEXPIREAT', lock, whole(created + lease))
    if head then tell(queue, channel, lease, fence) end
    if fingerprint ~= '' then note({'acquired', fingerprint, id, token, fence, begun}, window) end
    return {'granted', fence, created}
  end
  left = wake(queue, turn)
end

if wait == 0 then
  local rank = redis.call('ZRANK', queue, named)
  local waiting = redis.call('ZCARD', queue)
  if joined then
    redis.call('ZREM', queue, own)
    if arrived and fingerprint ~= '' and named == own then note({'waiting', fingerprint, whole(arrived), own}, kept) end
  end
  local position = rank and rank + 1 or 0
  if recovering > 0 then return {'recovering', recovering, waiting, position} end
  if left then return {'reserved', waiting, position} end
  return {'held', held[1], held[2], redis.call('PTTL', lock), waiting, position}
end

local score = redis.call('ZSCORE', queue, own)
-- A first call may arrive after a later one has joined.
if score then arrived = tonumber(score) end
if not score then
  if not arrived then
    local now = clock_us()
    -- A few places are looked at whenever somebody joins: the attempts of replicas that died would fill the queue of
    -- a lock that is held for long. The id tells when an attempt began, by its replica's clock.
    drop(queue, redis.call('ZRANDMEMBER', queue, '4'), function(place)
      local begun = tonumber(string.sub(place, 1, 8) .. string.sub(place, 10, 13), 16)
      return begun and begun + longest < now / 1000
    end)
    local waiting = redis.call('ZCARD', queue)
    if waiting >= tonumber(room) then return {'full', waiting} end
    local last = redis.call('ZRANGE', queue, '-1', '-1', 'WITHSCORES')[2]
    arrived = math.max(now, (tonumber(last) or 0) + 1)
  end
  if named ~= own then redis.call('ZREM', queue, named) end
  redis.call('ZADD', queue, whole(arrived), own)
  -- Should all replicas die, the keys go too.
  if redis.call('PTTL', queue) < tonumber(longest) then redis.call('PEXPIRE', queue, longest) end
  if fingerprint ~= '' then note({'waiting', fingerprint, whole(arrived), own}, wait + kept) end
end
return {'queued', whole(arrived), held[2] or 0, left or redis.call('PTTL', lock)}
