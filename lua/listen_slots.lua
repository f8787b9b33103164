#!lua flags=allow-oom,allow-cross-slot-keys
-- Has scripts record what happens to locks of a Cluster, for as long as somebody listens: makes the streams of events of
-- slots, unless they are there, and keeps them for a while. One call is about many slots of the node that it goes to; a
-- slot that the node doesn't have is left out. Tells which streams have entries; without `keep` that is all it does.
--
-- KEYS  none; or the only stream, so that the call goes to the node that has its slot
-- Touches  nothing
-- Arguments
--   streams  a list of their keys
--   keep     how long they stay from now on, at least (ms); absent to change nothing
--   floor    entries before this are dropped (ms since 1970); absent to keep them
-- Replies
--   {'slots', how many streams were made, how many entries all streams have, how many slots are elsewhere, their places in
--             the list of streams from 1, and for each stream that has entries: its place, id of the last entry}
--   {'denied', why a stream can't be kept}

--- decide
--- include number
local made, entries, elsewhere, filled = 0, 0, {}, {}
for place, stream in ipairs(req.streams) do
  local exists = redis.pcall('EXISTS', stream)
  if exists == 0 and req.keep then
    -- It has no entries, because an entry would take 4 KiB of each stream.
    local id = redis.pcall('XADD', stream, 'MAXLEN', '0', '*', 'begun', '')
    if type(id) == 'table' then exists = id
    else
      redis.call('PEXPIRE', stream, req.keep)
      made = made + 1
    end
  end
  if type(exists) == 'table' then
    -- Redis 7.0, and later ones.
    for _, word in ipairs({'user executing', 'NOPERM', 'ACL failure'}) do
      if string.find(exists.err, word, 1, true) then return {'denied', exists.err} end
    end
    elsewhere[#elsewhere + 1] = place
  elseif exists == 1 then
    if req.keep then redis.call('PEXPIRE', stream, req.keep, 'GT') end
    local last = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', '1')[1]
    if last then
      if req.floor then redis.call('XTRIM', stream, 'MINID', '~', whole(req.floor)) end
      entries = entries + redis.call('XLEN', stream)
      filled[#filled + 1] = place
      filled[#filled + 1] = last[1]
    end
  end
end
local missing = #elsewhere
for _, value in ipairs(filled) do elsewhere[#elsewhere + 1] = value end
return {'slots', made, entries, missing, unpack(elsewhere)}
