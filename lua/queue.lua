#!lua flags=no-writes
-- Tells which requests wait for a lock, first come, first served.
--
-- KEYS  1 lock
-- Touches  queue
-- Arguments
--   most  how many places to tell at most
-- Replies
--   {'queue', waiting, how many places follow, and of each: the place, how long it has waited (ms)}

--- decide
--- include keys
--- include now
local key, now = beside(lock, 'queue'), now_ms()
local places = redis.call('ZRANGE', key, 0, req.most - 1, 'WITHSCORES')
local reply = {'queue', redis.call('ZCARD', key), #places / 2}
for index = 1, #places, 2 do
  reply[#reply + 1] = places[index]
  reply[#reply + 1] = math.max(0, math.floor(now - places[index + 1] / 1000))
end
return reply
