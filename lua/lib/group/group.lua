--- include keys
--- include number
--- include now
--- include queue
--- include events
--- include group/holder
-- A group: the holders of a shared lock. The hash of the lock has the field `mode` with the value `shared`, a field for each
-- holder (lib/group/holder.lua), and what the holders have together:
--   used      permits that they have
--   limit     permits that they may have, or 'none'
--   floor     the fence of the first grant of the group
--   owner     of the holder that ends last, and `fence` likewise: replicas of version 0.2 and before look at these, find
--             the lock held, and grant nothing
--   bound     waiters that arrived until then were called: they may join (microseconds since 1970, 0 if nobody was called)
--   reserved  permits of the waiters that were called and are still in the queue
-- The sorted set `holders` has when each lease ends, so that a script finds those that have ended.

-- Holders that one script removes because their leases have ended, at most.
local MOST_ENDED = 256

-- Takes out the holders whose leases have ended. Returns whether there is still somebody in the group. Until all that have
-- ended are taken out, `more` is set, and `used` counts permits that are free.
local function group_prune(lock, group)
  local key = beside(lock, 'holders')
  local ended = redis.call('ZRANGEBYSCORE', key, '-inf', whole(now_ms()), 'LIMIT', '0', MOST_ENDED)
  if #ended == 0 then
    if redis.call('EXISTS', key) == 1 then return true end
    -- Redis has evicted the set, and nobody knows any more when the leases end.
    redis.call('DEL', lock)
    return false
  end
  local ids = {}
  for index, member in ipairs(ended) do
    local id, permits = string.match(member, '^(%S+) (%d+)$')
    ids[#ids + 1], ids[#ids + 2], ids[#ids + 3] = id, id .. '!', id .. '@'
    group.used = group.used - permits
    local on = recorded()
    local holder = on and holder_read(lock, id)
    if holder then
      holder.id = id
      on.expired(lock, holder, redis.call('ZSCORE', key, member))
    end
  end
  redis.call('HDEL', lock, unpack(ids))
  redis.call('ZREM', key, unpack(ended))
  group.more = #ended == MOST_ENDED
  if redis.call('EXISTS', key) == 1 then
    redis.call('HSET', lock, 'used', whole(group.used))
    return true
  end
  redis.call('DEL', lock)
  return false
end

-- The group that holds the lock, without the holders whose leases have ended; or nothing.
local function group_open(lock)
  local mode, used, limit, floor, bound, reserved =
    unpack(redis.call('HMGET', lock, 'mode', 'used', 'limit', 'floor', 'bound', 'reserved'))
  if mode ~= 'shared' then return nil end
  local group = {
    used = tonumber(used), limit = limit, floor = floor, bound = tonumber(bound), reserved = tonumber(reserved),
  }
  return group_prune(lock, group) and group or nil
end

-- A group without holders, on a lock that nobody holds.
local function group_new(lock, limit, floor)
  redis.call('DEL', beside(lock, 'holders'))
  redis.call('HSET', lock, 'mode', 'shared')
  return {used = 0, limit = limit, floor = floor, bound = 0, reserved = 0}
end

-- How many holders there are whose leases have not ended.
local function group_count(lock)
  return redis.call('ZCOUNT', beside(lock, 'holders'), '(' .. whole(now_ms()), '+inf')
end

-- How many permits the group may have.
local function group_most(group)
  return group.limit == 'none' and math.huge or tonumber(group.limit)
end

-- Whether there is room for so many permits, beside the holders and the waiters that were called.
local function group_fits(group, permits)
  return group.used + group.reserved + permits <= group_most(group)
end

-- How long until the lease of a holder ends (ms). If there are more whose leases have ended, a script should look at once.
local function group_next_end(lock, group)
  if group.more then return 1 end
  local first = redis.call('ZRANGE', beside(lock, 'holders'), '0', '0', 'WITHSCORES')
  return math.max(1, first[2] - now_ms())
end

-- Sets when the lease of a holder ends (ms since 1970).
local function group_until(lock, id, permits, expires)
  redis.call('ZADD', beside(lock, 'holders'), whole(expires), id .. ' ' .. permits)
end

-- Takes a holder out. `kind` and what follows say how its grant ends, as in lib/events.lua.
local function group_remove(lock, group, id, holder, kind, ...)
  group.used = group.used - holder.permits
  redis.call('HDEL', lock, id, id .. '!', id .. '@')
  redis.call('ZREM', beside(lock, 'holders'), id .. ' ' .. holder.permits)
  local on = recorded()
  if on then on.holder_ended(lock, id, holder, kind, ...) end
end

-- Has a holder that would end at `ends` end in so many ms at the latest. Tells the first waiter, as lib/holders/shorten.lua,
-- and returns the same.
local function group_shorten(lock, group, id, permits, ends, ms)
  local key, now = beside(lock, 'queue'), now_ms()
  local left = math.min(ends - now, ms)
  group_until(lock, id, permits, now + left)
  queue_tell(key, nil, group_next_end(lock, group), group.floor)
  return left, redis.call('EXISTS', key) == 1 and left or 0
end

-- The holder that ends last, with its permits, and when (ms since 1970); or nothing, if there is none whose lease has not
-- ended.
local function group_last(lock)
  local last = redis.call('ZRANGE', beside(lock, 'holders'), '-1', '-1', 'WITHSCORES')
  if last[1] and tonumber(last[2]) > now_ms() then return last end
end

-- Writes what the holders have together, and until when. A group without holders ends.
local function group_close(lock, group, last)
  local key = beside(lock, 'holders')
  last = last or group_last(lock)
  if not last then
    redis.call('DEL', lock, key)
    return
  end
  local holder = holder_read(lock, string.match(last[1], '^%S+'))
  redis.call('HSET', lock, 'used', whole(group.used), 'limit', group.limit, 'floor', group.floor,
    'owner', holder.owner, 'fence', holder.fence, 'bound', whole(group.bound), 'reserved', whole(group.reserved))
  redis.call('PEXPIREAT', lock, last[2])
  redis.call('PEXPIREAT', key, last[2])
end
