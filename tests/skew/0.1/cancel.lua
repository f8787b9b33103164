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
local MOST_CANCELLED = 64

local function find(list, wanted)
  for index, value in ipairs(list) do
    if value == wanted then return index end
  end
end

-- The record without its marks, and the marks of either kind.
local record, told, cancelled = {}, {}, {}
local text = redis.call('GET', request)
for _, value in ipairs(text and cjson.decode(text) or {'cancelled'}) do
  local sign = string.sub(value, 1, 1)
  local list = sign == '+' and told or sign == '-' and cancelled or record
  list[#list + 1] = value
end

-- A cancellation is repeated until it is confirmed.
if not find(cancelled, '-' .. id) then cancelled[#cancelled + 1] = '-' .. id end
local mine = find(told, '+' .. id)
if mine then table.remove(told, mine) end
local taker = record[1] == 'acquired' and record[3]
-- So many attempts of one request are not on their way at once, and a record is not to grow for ever. That the attempt
-- which took the lock was cancelled is never forgotten.
if #cancelled > MOST_CANCELLED then table.remove(cancelled, taker and cancelled[1] == '-' .. taker and 2 or 1) end
-- The attempts that were told of the grant and not cancelled: the one that took the lock, and those answered again.
local relied = taker and (#told > 0 or not find(cancelled, '-' .. taker))

redis.call('ZREM', queue, place)
local released = not relied and redis.call('HGET', lock, 'id') == (taker or id)
if released then redis.call('DEL', lock) end
if taker and not relied then record = {'cancelled'} end
local outcome, waits = record[1], record[4]
for _, mark in ipairs(told) do record[#record + 1] = mark end
for _, mark in ipairs(cancelled) do record[#record + 1] = mark end
if outcome == 'waiting' and waits ~= place then
  redis.call('SET', request, cjson.encode(record), 'KEEPTTL')
else
  -- Whoever waited keeps the place for a while.
  remember(request, record, outcome == 'waiting' and kept or window)
end
local left = 0
if redis.call('EXISTS', lock) == 0 then left = wake(queue, turn) end
if released then return {'released', left} end
if relied and taker == id then return {'kept', left} end
return {'marked', left}
