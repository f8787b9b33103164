-- What the scripts share. The store puts this text between the first line of a script (its flags) and the rest.
--
-- A request record is what became of a request that carried an Idempotency-Key: a JSON list of strings, kept for the
-- retry window. It starts with the outcome ('acquired', 'extended', 'released', 'broken' or 'cancelled'); except in
-- 'cancelled', the fingerprint of the request follows. Numbers are strings in it: cjson keeps 14 digits, a fence has 16.

-- A whole number as text, because concatenation would turn a fence into '1.79e+15'.
local function whole(number)
  return string.format('%.0f', number)
end

-- The wall clock of this node: microseconds since 1970, below 2^53.
local function clock_us()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- The record under `key`, or nil where there is no key, no record, or only the mark of a cancelled attempt, after
-- which the request is decided anew. The second result tells that the record belongs to another request.
local function recall(key, fingerprint)
  local text = key and redis.call('GET', key)
  if not text then return nil end
  local record = cjson.decode(text)
  if record[1] == 'cancelled' then return nil end
  return record, record[2] ~= fingerprint
end

-- Keeps a record for `window` milliseconds.
local function remember(key, record, window)
  redis.call('SET', key, cjson.encode(record), 'PX', window)
end
