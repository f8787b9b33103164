-- What became of a request, kept at `<lock's stem>request:<name>`, where the name is an Idempotency-Key or, without one, the
-- id of the attempt. Beside the facts a record names attempts: those that were cancelled, and those that were told of the
-- grant from the record. Their number is bounded, and so is the record.
--
-- It is kept as a JSON list of strings, as version 0.1 kept it: the outcome, its facts in the order below, and then the
-- marks, '-' or '+' before an id. Numbers are strings in it: cjson keeps 14 digits, a fence has 16.
local record = {
  facts = {
    acquired = {'print', 'id', 'token', 'fence', 'created'},
    extended = {'print', 'id', 'token', 'updated'},
    released = {'print'},
    broken = {'print', 'id', 'owner', 'fence'},
    waiting = {'print', 'arrived', 'place'},
    cancelled = {},
  },
}

-- The record at a key: {outcome, its facts by their names, cancelled, told}, the last two as lists; or nothing.
function record.read(key)
  local text = redis.call('GET', key)
  if not text then return nil end
  local list = cjson.decode(text)
  local seen = {outcome = list[1], cancelled = {}, told = {}}
  local names = record.facts[seen.outcome]
  for index = 2, #list do
    local value = list[index]
    local sign = string.sub(value, 1, 1)
    local marked = sign == '-' and seen.cancelled or sign == '+' and seen.told
    if marked then marked[#marked + 1] = string.sub(value, 2) else seen[names[index - 1]] = value end
  end
  return seen
end

-- Keeps a record for so many ms, or for as long as the one that is there.
function record.write(key, seen, ms)
  local list = {seen.outcome}
  for _, name in ipairs(record.facts[seen.outcome]) do list[#list + 1] = seen[name] end
  for _, id in ipairs(seen.told or {}) do list[#list + 1] = '+' .. id end
  for _, id in ipairs(seen.cancelled or {}) do list[#list + 1] = '-' .. id end
  if ms then redis.call('SET', key, cjson.encode(list), 'PX', ms)
  else redis.call('SET', key, cjson.encode(list), 'KEEPTTL') end
end

-- Where an id stands in a list of marks, if it does.
function record.find(marks, id)
  for index, other in ipairs(marks) do
    if other == id then return index end
  end
end

-- The record of an operation that is no acquire: nothing where there is none, or only marks of cancelled attempts, after
-- which the request is decided anew. The second result tells that the record belongs to another request.
function record.recall(key, print)
  local seen = record.read(key)
  if not seen or seen.outcome == 'cancelled' then return nil end
  return seen, seen.print ~= print
end
