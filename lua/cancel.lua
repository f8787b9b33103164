#!lua flags=allow-oom
-- Undoes an acquire whose reply nobody got, also where the acquire itself arrives later than this.
--
-- KEYS  1 lock   2 request: the key that the acquire used
-- ARGV  1 id of the tenure that the acquire would have begun   2 retry window (ms)
-- For example: EVALSHA <sha> 2 gorilla:{a}:lock gorilla:{a}:request:<id> <id> 60000
-- Replies
--   {'released'}  the acquire had been executed; its lock is free again
--   {'marked'}    it had not; should it arrive within the window, it is refused
--   {'kept'}      it had been, and a copy with the same Idempotency-Key has been answered: that client holds the lock

if #KEYS ~= 2 or #ARGV ~= 2 then return redis.error_reply('ERR cancel takes 2 KEYS and 2 ARGV') end
local lock, request = KEYS[1], KEYS[2]
local id, window = ARGV[1], ARGV[2]

local text = redis.call('GET', request)
local record = text and cjson.decode(text) or {'cancelled'}
if record[3] == id and record[7] == 'replayed' then return {'kept'} end

local released = redis.call('HGET', lock, 'id') == id
if released then redis.call('DEL', lock) end
if record[1] == 'cancelled' then
  record[#record + 1] = id
elseif record[3] == id then
  record = {'cancelled', id}
end
-- A record of another attempt stays as it is: this one, should it still arrive, is answered from it and grants nothing.
remember(request, record, window)
return {released and 'released' or 'marked'}
