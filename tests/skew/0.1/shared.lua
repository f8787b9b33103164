-- What the scripts share. The store puts this text between the first line of a script (its flags) and the rest.
--
-- A request record is what became of a request that carried an Idempotency-Key: a JSON list of strings, kept for the
-- retry window. It starts with the outcome ('acquired', 'extended', 'released', 'broken', 'waiting' or 'cancelled');
-- except in 'cancelled', the fingerprint of the request follows. Numbers are strings in it: cjson keeps 14 digits, a
-- fence has 16. Behind all that come marks: '-' and the id of an attempt that was cancelled, '+' and that of one that was
-- answered from the record. Their number is bounded, and so is the record.
--
-- Numbers that are known stand as text in calls: Redis prints each number that it is called with as one of 17 digits.
--
-- A place in a queue is a member '<id of the attempt> <channel of its replica> <owner>' of a sorted set, and its score
-- is when it arrived, in microseconds since 1970.

-- How long a waiter that was woken may take to claim the lock (ms).
local TURN = 1000

local format = string.format

-- A whole number up to 2^53 as text, because concatenation would turn a fence into '1.79e+15'. In two halves: `%d` takes
-- what a C long holds, which may have 32 bits, and `%.0f` three times as long.
local function whole(number)
  if number < 10000000 then return format('%d', number) end
  return format('%d%07d', number / 10000000, number % 10000000)
end

-- The wall clock of this node: microseconds since 1970, below 2^53.
local function clock_us()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- The record under `key`, or nil where there is no key, no record, or only the mark of a cancelled attempt, after
-- which the request is decided anew. The second result tells that the record belongs to another request.
local function recall(key, fingerprint)
  local text = key and redis.call('GET', key)
  if not text then return nil end
  local record = cjson.decode(text)
  if record[1] == 'cancelled' then return nil end
  return record, record[2] ~= fingerprint
end

-- Keeps a record for `window` milliseconds.
local function remember(key, record, window)
  redis.call('SET', key, cjson.encode(record), 'PX', window)
end

-- How long grants still wait (ms; 0 if they don't): `grace` from when a new incarnation of the data was first seen, in
-- which grants may be missing. Redis names an incarnation by its replication id, which changes with every promotion and
-- every restart; `key` has the last one seen and until when grants wait, and goes with the data when they are flushed.
-- The second result tells that the incarnation was seen just now.
local function recovery(key, grace)
  local replid = assert(string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)'), 'no master_replid in INFO')
  local now = math.floor(clock_us() / 1000)
  local seen, over = string.match(redis.call('GET', key) or '', '^(%x+) (%d+)$')
  -- More than the whole grace is left if the clock stepped back.
  if seen == replid then return math.max(0, math.min(over - now, grace)), false end
  redis.call('SET', key, replid .. ' ' .. whole(now + grace))
  return grace, true
end

-- Takes the places that `lost` picks out of a queue, and tells their replicas, which take them again if they live.
local function drop(queue, places, lost)
  local told = {}
  for _, place in ipairs(places) do
    local channel = string.match(place, '^%S+ (%S+)')
    if lost(place, channel) then
      redis.call('ZREM', queue, place)
      if not told[channel] then redis.call('PUBLISH', channel, queue) end
      told[channel] = true
    end
  end
end

-- The first place of a queue, when it arrived, and how long its turn still lasts (ms; nil if it has none). A turn that
-- passed without a claim costs the replica all its places: it is gone, or too slow to be waited for once more. If nobody
-- has looked for a whole turn since, then no replica was there to come back to, and the turn begins anew.
local function first(queue, turn)
  local place, arrived = unpack(redis.call('ZRANGE', queue, '0', '0', 'WITHSCORES'))
  local since, whose = string.match(place and redis.call('GET', turn) or '', '^(%d+) (.*)$')
  if not place or whose ~= place then return place, tonumber(arrived) end
  local left = since + TURN - math.floor(clock_us() / 1000)
  -- More than a whole turn is left if the clock stepped back.
  if left > 0 then return place, tonumber(arrived), math.min(left, TURN) end
  if left < -TURN then return place, tonumber(arrived) end
  local channel = string.match(place, '^%S+ (%S+)')
  drop(queue, redis.call('ZRANGE', queue, '0', '-1'), function(_, other) return other == channel end)
  redis.call('DEL', turn)
  place, arrived = unpack(redis.call('ZRANGE', queue, '0', '0', 'WITHSCORES'))
  return place, tonumber(arrived)
end

-- Tells the first in a queue for how long a new grant lasts, so that somebody is there when that lease ends, whatever
-- becomes of the holder and its replica. The replica that gets the grant knows without a message.
local function tell(queue, channel, lease, fence)
  local place = redis.call('ZRANGE', queue, '0', '0')[1]
  local other = place and string.match(place, '^%S+ (%S+)')
  if other and other ~= channel then redis.call('PUBLISH', other, lease .. ' ' .. fence .. ' ' .. queue) end
end

-- For a lock that is free: gives the turn to the first in the queue, by a message to its replica, unless it has the
-- turn already. Returns how long that lasts (ms), 0 if nobody waits.
local function wake(queue, turn)
  local place, _, left = first(queue, turn)
  if not place then
    redis.call('DEL', turn)
    return 0
  end
  if left then return left end
  local id, channel = string.match(place, '^(%S+) (%S+)')
  local expiry = math.max(redis.call('PTTL', queue), TURN)
  redis.call('SET', turn, whole(math.floor(clock_us() / 1000)) .. ' ' .. place, 'PX', expiry)
  redis.call('PUBLISH', channel, id)
  return TURN
end
