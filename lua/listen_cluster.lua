#!lua flags=allow-oom
-- Decides which epoch the events of a Cluster belong to: it changes when events may have been lost. A replica that looks
-- at the streams of all slots (listen_slots.lua) calls this before and after; one replica at a time.
--
-- KEYS  1 epoch
-- Touches  nothing
-- Arguments
--   by       which replica looks, a text
--   masters  a list with, for each master, '<run id> <replication id> <second replication id> <uptime in s>' as INFO has
--            them; absent when the look begins
--   made     how many streams were not there
--   keep     how long streams stay without listeners (ms)
--   age      entries that are older may be dropped (ms)
--   ended    why events may be lost, if the replica knows; absent if it doesn't
-- Replies
--   {'begun', entries before this may be dropped now (ms since 1970)}
--   {'busy', for how long another replica may look, at most (ms)}
--   {'listening', epoch, since when nothing was dropped (ms since 1970), now (ms since 1970), the epoch before ('' if there
--                 is none), why it ended ('' if there is none)}

--- decide
--- include now
--- include number
-- How long the epoch is remembered, and how long a look may take (ms).
local REMEMBERED, LONGEST = '172800000', 5000
local NONE = string.rep('0', 40)

local now = now_ms()
local epoch, noted, seen_at, before, why, since, floor, looker, look_until =
  unpack(redis.call('HMGET', lock, 'epoch', 'masters', 'at', 'before', 'why', 'since', 'floor', 'by', 'until'))
local left = looker and looker ~= req.by and look_until - now or 0
-- More than the longest is left if the clock stepped back.
if left > 0 and left <= LONGEST then return {'busy', left} end

if not req.masters then
  floor = math.max(tonumber(floor or 0), now - req.age)
  redis.call('HSET', lock, 'by', req.by, 'until', whole(now + LONGEST), 'floor', whole(floor))
  redis.call('PEXPIRE', lock, REMEMBERED)
  return {'begun', floor}
end

local known, masters = {}, {}
for run, replid in string.gmatch(noted or '', '(%w+):(%w+)') do known[run] = replid end

-- Why the events up to now may lack some, if they may.
local function ended()
  if not epoch then return 'restarted' end
  if req.ended then return req.ended end
  for _, master in ipairs(req.masters) do
    local run, replid, replid2, uptime = string.match(master, '^(%w+) (%w+) (%w+) (%d+)$')
    -- A process that ran when the epoch was last looked at was a replica then, or had no slots.
    if not known[run] then return now - uptime * 1000 <= tonumber(seen_at) and 'failover' or 'restarted' end
    if known[run] ~= replid and replid2 ~= NONE then return 'failover' end
    known[run] = nil
  end
  -- Another master has the slots of one that is gone.
  if next(known) then return 'failover' end
  -- Streams that nobody refreshed end by themselves.
  if req.made > 0 then return now - seen_at < req.keep and 'restarted' or 'not_recorded' end
end
local reason = ended()
if reason then
  before, why, since = epoch or '', reason, whole(now)
  epoch = string.sub(redis.sha1hex(req.by .. whole(now) .. (epoch or '')), 1, 12)
end
for index, master in ipairs(req.masters) do masters[index] = string.gsub(master, '^(%w+) (%w+) .*$', '%1:%2') end
redis.call('HSET', lock, 'epoch', epoch, 'masters', table.concat(masters, ' '), 'at', whole(now), 'before', before,
  'why', why, 'since', since)
redis.call('HDEL', lock, 'by', 'until')
redis.call('PEXPIRE', lock, REMEMBERED)
return {'listening', epoch, math.max(tonumber(since), tonumber(floor or 0)), now, before, why}
