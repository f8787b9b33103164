#!lua flags=allow-oom
-- Renews a lease and replaces its token, if the caller has the current one.
--
-- KEYS  1 lock   2 fence   3 request, only with an Idempotency-Key
-- ARGV  1 token   2 new token   3 lease (ms)   4 how long the last fence is kept (ms)
--       5 fingerprint ('' without an Idempotency-Key)   6 retry window (ms)
-- For example: EVALSHA <sha> 2 gorilla:{a}:lock gorilla:{a}:fence <token> <new token> 30000 86400000 '' 60000
-- Replies
--   {'extended', token, id, owner, metadata, fence, created, updated, expires, ttl}  times in ms since 1970, ttl in ms
--   {'replayed', ...}        the same nine: extended before, by the same Idempotency-Key
--   {'missing'}              nobody holds the lock
--   {'mismatch', owner, fence, ttl (ms)}  held under another token
--   {'shorter', ttl (ms)}    the lease asked for ends before the present one
--   {'gone'}                 extended before, by the same Idempotency-Key; that lease has ended since
--   {'reused'}               the Idempotency-Key came before with another request

if #KEYS < 2 or #KEYS > 3 or #ARGV ~= 6 then return redis.error_reply('ERR extend takes 2 or 3 KEYS and 6 ARGV') end
local lock, fence_key, request = unpack(KEYS)
local token, new_token, lease, fence_kept, fingerprint, window = unpack(ARGV)
lease = tonumber(lease)

local record, other = recall(request, fingerprint)
if other then return {'reused'} end

local held = redis.call('HMGET', lock, 'id', 'token', 'owner', 'metadata', 'fence', 'created')
local id, current, owner, metadata, fence, created = unpack(held)
local now = math.floor(clock_us() / 1000)

if record then
  local updated = tonumber(record[5])
  local ttl = updated + lease - now
  if ttl <= 0 or id ~= record[3] then return {'gone'} end
  return {'replayed', record[4], id, owner, metadata, fence, created, updated, updated + lease, ttl}
end

if not id then return {'missing'} end
local ttl = redis.call('PTTL', lock)
if current ~= token then return {'mismatch', owner, fence, ttl} end
if lease < ttl then return {'shorter', ttl} end

redis.call('HSET', lock, 'token', new_token, 'updated', whole(now))
redis.call('PEXPIREAT', lock, whole(now + lease))
-- An extend is a grant of more time, so the fence is kept as long after it as after an acquire.
redis.call('SET', fence_key, fence, 'PX', fence_kept)
if request then remember(request, {'extended', fingerprint, id, new_token, whole(now)}, window) end
return {'extended', new_token, id, owner, metadata, fence, created, now, now + lease, lease}
