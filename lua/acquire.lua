#!lua
-- Grants the lock of a resource if nobody holds it.
--
-- KEYS  1 lock   2 fence   3 queue
--       4 request: the record under the Idempotency-Key, or, without one, under the id of this attempt
-- ARGV  1 id of the tenure   2 token   3 owner   4 metadata (a JSON list)   5 lease (ms)
--       6 how long the last fence is kept (ms)   7 fingerprint ('' without an Idempotency-Key)   8 retry window (ms)
-- For example: EVALSHA <sha> 4 gorilla:{a}:lock gorilla:{a}:fence gorilla:{a}:queue gorilla:{a}:request:<id>
--              <id> <token> me [] 30000 86400000 '' 60000
-- Replies
--   {'granted', fence, created (ms since 1970)}
--   {'replayed', fence, created (ms since 1970), id, token, ttl (ms)}  granted before, to the same Idempotency-Key
--   {'held', owner, fence, ttl (ms), waiting}
--   {'gone'}       granted before, to the same Idempotency-Key; that lease has ended since
--   {'reused'}     the Idempotency-Key came before with another request
--   {'cancelled'}  this attempt was cancelled before it arrived

if #KEYS ~= 4 or #ARGV ~= 8 then return redis.error_reply('ERR acquire takes 4 KEYS and 8 ARGV') end
local lock, fence_key, queue, request = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, token, owner, metadata, lease = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local fence_kept, fingerprint, window = ARGV[6], ARGV[7], ARGV[8]

local text = redis.call('GET', request)
if text then
  local record = cjson.decode(text)
  if record[1] == 'cancelled' then
    for i = 2, #record do
      if record[i] == id then return {'cancelled'} end
    end
  elseif record[2] ~= fingerprint then
    return {'reused'}
  else
    -- The lease that was answered counts, not what a later extend made of it: its token and its end are what the client has.
    local ttl = tonumber(record[6]) + lease - math.floor(clock_us() / 1000)
    if ttl <= 0 or redis.call('HGET', lock, 'id') ~= record[3] then return {'gone'} end
    -- From now on somebody may rely on the answer, so a cancellation of the first attempt must not end the lock.
    record[7] = 'replayed'
    redis.call('SET', request, cjson.encode(record), 'KEEPTTL')
    return {'replayed', record[5], record[6], record[3], record[4], ttl}
  end
end

local held = redis.call('HMGET', lock, 'owner', 'fence')
if held[1] then
  return {'held', held[1], held[2], redis.call('PTTL', lock), redis.call('ZCARD', queue)}
end

-- The clock alone keeps fences rising after lost writes, the stored fence while the clock stands still or steps back.
local now = clock_us()
local fence = whole(math.max(now, tonumber(redis.call('GET', fence_key) or 0) + 1))
local created = math.floor(now / 1000)
redis.call('SET', fence_key, fence, 'PX', fence_kept)
redis.call('HSET', lock, 'id', id, 'token', token, 'owner', owner, 'fence', fence, 'metadata', metadata,
  'created', whole(created), 'updated', whole(created))
redis.call('PEXPIREAT', lock, whole(created + lease))
if fingerprint ~= '' then
  remember(request, {'acquired', fingerprint, id, token, fence, whole(created)}, window)
end
return {'granted', fence, created}
