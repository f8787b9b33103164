--- include clock
--- constant EVENTS
-- Records what happens to locks, for those who listen (docs/internals/events.md). Each change is noted when it is made, and
-- the end of the call writes all that was noted as one entry of a stream. The stream exists while somebody listens; while
-- there is none, nothing is noted. EVENTS is the key of the stream; 'slot' in a Cluster, where the last of KEYS is the stream
-- of the slot; '' if nothing is ever recorded.

-- Entries that the stream keeps, about.
local MOST_ENTRIES = '20000'
-- The longest metadata that an event has, in bytes.
local LONGEST_METADATA = 256

-- What was noted, packed: how many values there are, and the values: the kind of change, the key of the lock, when it
-- happened (ms since 1970), and what the kind has. And whether there is a stream, nil until this call has looked.
local noted, is_recorded

local function events_key()
  return EVENTS == 'slot' and KEYS[#KEYS] or EVENTS
end

-- Whether changes are recorded. Redis is asked once in a call.
local function recorded()
  if is_recorded == nil then is_recorded = EVENTS ~= '' and redis.call('EXISTS', events_key()) == 1 end
  return is_recorded
end

-- Notes a change. Only while changes are recorded.
local function note(kind, lock, ...)
  local _, ms = clock()
  noted = noted or {}
  noted[#noted + 1] = cmsgpack.pack(3 + select('#', ...), kind, lock, ms, ...)
end

-- Notes a grant. `last` is the last fence before, `joined` when the request joined the queue (microseconds), both false or nil
-- if there is none; `permits` and `floor` are those of a shared lock.
local function note_granted(lock, id, owner, fence, ends, last, joined, metadata, permits, floor)
  local us = joined and clock()
  local waited = us and math.max(0, math.floor((us - joined) / 1000))
  note('granted', lock, id, owner, fence, ends, waited or nil, last or nil,
    #metadata <= LONGEST_METADATA and metadata or nil, permits, floor)
end

-- Notes the end of the grant that has the lock alone, before it is removed.
local function note_end(kind, lock, ...)
  local id, owner, fence, created = unpack(redis.call('HMGET', lock, 'id', 'owner', 'fence', 'created'))
  if not id then return end
  local _, ms = clock()
  note(kind, lock, id, owner, fence, math.max(0, ms - created), ...)
end

-- Writes what was noted. It must not fail what was done: a stream that can't be written is found by those who listen.
local function events_write()
  if noted then redis.pcall('XADD', events_key(), 'MAXLEN', '~', MOST_ENTRIES, '*', 'e', table.concat(noted)) end
end
