#!lua flags=no-writes
-- Tells which requests wait for a lock, first come, first served.
--
-- KEYS  1 lock
-- Touches  queue
-- Arguments
--   most  how many places to tell at most
-- Replies
--   {'queue', waiting, how many places follow, now (ms since 1970), and of each: the place, how long it has waited (ms)}

--- decide
--- include keys
--- include now
local key, now = beside(lock, 'queue'), now_ms()
local places = req.most == 0 and {} or redis.call('ZRANGE', key, 0, req.most - 1, 'WITHSCORES')
for index = 2, #places, 2 do places[index] = math.max(0, math.floor(now - places[index] / 1000)) end
return {'queue', redis.call('ZCARD', key), #places / 2, now, unpack(places)}
