#!lua flags=allow-oom
-- Has scripts record what happens to locks, for as long as somebody listens: makes the stream of events, unless there is
-- one, and keeps it for a while. Says which epoch the events belong to: it changes when events may have been lost.
--
-- KEYS  1 stream   2 epoch
-- Touches  nothing
-- Arguments
--   keep   how long the stream stays from now on, at least (ms)
--   age    entries that are older are dropped (ms); absent to keep them
-- Replies
--   {'listening', epoch, id of the first entry, id of the last entry, now (ms since 1970), run id of the server, the epoch
--                 before ('' if there is none), why it ended ('' if there is none)}

--- decide
--- include now
--- include number
-- How long the epoch is remembered, which is longer than any stream is kept without listeners (ms).
local REMEMBERED = '172800000'
local NONE = string.rep('0', 40)

local stream, epoch_key = lock, KEYS[count + 1]
local info = redis.call('INFO', 'server') .. redis.call('INFO', 'replication')
local function field(name)
  return assert(string.match(info, name .. ':(%w+)'), 'INFO lacks a field')
end
local now = now_ms()
local run, replid, replid2 = field('run_id'), field('master_replid'), field('master_replid2')
local epoch, seen_run, seen_replid, seen_at, before, why =
  unpack(redis.call('HMGET', epoch_key, 'epoch', 'run', 'replid', 'at', 'before', 'why'))
local exists = redis.call('EXISTS', stream) == 1

-- Why the events up to now may lack some, if they may.
local ended
if not epoch then ended = 'restarted'
elseif seen_run ~= run then
  -- A process that ran when the epoch was last looked at was a replica then.
  local started = now - tonumber(field('uptime_in_seconds')) * 1000
  ended = started <= tonumber(seen_at) and 'failover' or 'restarted'
-- A new replication id without a second one only means that the server has begun or ended to keep a backlog for replicas.
elseif seen_replid ~= replid and replid2 ~= NONE then ended = 'failover'
elseif not exists then ended = 'not_recorded' end
if ended then
  before, why = epoch or '', ended
  epoch = string.sub(redis.sha1hex(replid .. run .. whole(now) .. (epoch or '')), 1, 12)
end
redis.call('HSET', epoch_key, 'epoch', epoch, 'run', run, 'replid', replid, 'at', whole(now), 'before', before, 'why', why)
redis.call('PEXPIRE', epoch_key, REMEMBERED)

if req.age and exists then redis.call('XTRIM', stream, 'MINID', '~', whole(math.max(0, now - req.age))) end
local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', '1')[1]
-- An entry without events, so that there is a position from which to listen.
if not last then redis.call('XADD', stream, '*', 'begun', epoch) end
-- For a key without an expiry GT takes its own for one that comes sooner.
if exists then redis.call('PEXPIRE', stream, req.keep, 'GT') else redis.call('PEXPIRE', stream, req.keep) end
local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', '1')[1][1]
last = last and last[1] or first
return {'listening', epoch, first, last, now, run, before, why}
