-- Calls `part` for each request without a reply. If `part` returns nothing, it leaves this request, and all requests behind
-- it, to the next part of the script. Each part of a script has a copy of this: to define a function costs each call.
for index = #replies + 1, count do
  local done, reply = true, nil
  if count == 1 then
    reply = part(KEYS[1], cmsgpack.unpack_limit(packed, ARGUMENTS, at))
  else
    done, reply = pcall(part, KEYS[index], cmsgpack.unpack_limit(packed, ARGUMENTS, at))
    if not done then reply = redis.error_reply(tostring(reply)) end
  end
  if not reply then break end
  -- A part may pack its reply itself, which is cheaper than a table. Neither that text nor an error has a first item.
  replies[index] = reply[1] and cmsgpack.pack(reply) or reply
  at = behind
end
