#!lua flags=allow-oom
-- Undoes an acquire whose reply nobody gets, also where the acquire itself arrives later than this: takes it out of the
-- queue, and frees the lock that it took.
--
-- KEYS  1 lock   2 queue   3 turn   4 request: the key that the acquire used
-- ARGV  1 id of the attempt   2 its place in the queue   3 retry window (ms)
--       4 how long a place is kept for a client that is away (ms)
-- For example: EVALSHA <sha> 4 gorilla:{a}:lock gorilla:{a}:queue gorilla:{a}:queue:turn gorilla:{a}:request:<id>
--              <id> <place> 60000 10000
-- Replies, each with the ms that the turn of the next waiter lasts (0 if nobody was woken)
--   {'released', turn}  the acquire had been executed; its lock is free again
--   {'marked', turn}    it had not, or had queued; should it arrive within the window, it is refused
--   {'kept', turn}      it had been, and a copy with the same Idempotency-Key has been answered: that client holds the lock

if #KEYS ~= 4 or #ARGV ~= 4 then return redis.error_reply('ERR cancel takes 4 KEYS and 4 ARGV') end
local lock, queue, turn, request = unpack(KEYS)
local id, place, window, kept = unpack(ARGV)
local MOST_MARKS = 64

local text = redis.call('GET', request)
local record = text and cjson.decode(text) or {'cancelled'}
local mark, marked = '-' .. id, false

-- The attempts that were told of the grant and not cancelled: the one that took the lock, and those answered again.
local relying = record[1] == 'acquired' and {[record[3]] = true} or {}
for _, value in ipairs(record) do
  local sign = string.sub(value, 1, 1)
  if sign == '+' then relying[string.sub(value, 2)] = true end
end
for _, value in ipairs(record) do
  if string.sub(value, 1, 1) == '-' then relying[string.sub(value, 2)] = nil end
  marked = marked or value == mark
end
relying[id] = nil
-- A cancellation is repeated until it is confirmed.
if not marked then record[#record + 1] = mark end

redis.call('ZREM', queue, place)
local granted = record[1] == 'acquired' and record[3] or id
local relied = next(relying) ~= nil
local released = not relied and redis.call('HGET', lock, 'id') == granted
if released then redis.call('DEL', lock) end
if record[1] == 'acquired' and not relied then
  local cancelled = {'cancelled'}
  for _, value in ipairs(record) do
    if string.sub(value, 1, 1) == '-' then cancelled[#cancelled + 1] = value end
  end
  record = cancelled
end
-- So many attempts of one request are not on their way at once, and a record is not to grow for ever.
if record[1] == 'cancelled' and #record > MOST_MARKS then table.remove(record, 2) end
if record[1] == 'waiting' and #record > MOST_MARKS then table.remove(record, 5) end
if record[1] == 'waiting' and record[4] ~= place then
  redis.call('SET', request, cjson.encode(record), 'KEEPTTL')
else
  -- Whoever waited keeps the place for a while.
  remember(request, record, record[1] == 'waiting' and kept or window)
end
local left = 0
if redis.call('EXISTS', lock) == 0 then left = wake(queue, turn) end
if released then return {'released', left} end
if relied and record[3] == id then return {'kept', left} end
return {'marked', left}
