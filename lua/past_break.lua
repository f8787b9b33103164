#!lua flags=no-writes
-- Tells the holder of a token that is not valid any more whether somebody broke its grant, when, who and why. Replicas ask
-- this only when they refuse a token.
--
-- KEYS  1 lock
-- Touches  broken
-- Arguments
--   token  that was refused
-- Replies
--   {'broken', at (ms since 1970), by, reason}  the last two are '' where nobody says
--   {'unknown'}  nobody broke a grant with this token lately

--- decide
--- include keys
local value = redis.call('HGET', beside(lock, 'broken'), redis.sha1hex(req.token))
if not value then return {'unknown'} end
return {'broken', unpack(cjson.decode(value))}
