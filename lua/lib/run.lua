-- Calls `part` for each request without a reply. If `part` returns nothing, it leaves this request, and all requests behind
-- it, to the next part of the script. A second result is what those who listen are to learn, as in lib/stream.lua. Each part of
-- a script has a copy of this: to define a function costs each call.
for index = done + 1, count do
  local behind, REQUEST = cmsgpack.unpack_limit(packed, ARGUMENTS, at)
  local fine, reply, note = true, nil, nil
  if count == 1 then
    reply, note = part(KEYS[1], REQUEST)
  else
    fine, reply, note = pcall(part, KEYS[index], REQUEST)
    if not fine then reply = cmsgpack.pack(tostring(reply)) end
  end
  if not reply then break end
  -- A part may pack its reply itself, which is cheaper than a table. A text has no first item.
  if reply[1] then reply = cmsgpack.pack(reply) end
  if note then
    noted = noted or {}
    noted[#noted + 1] = note
  end
  if replied then replied[index] = reply else replied = reply end
  done, at = index, behind
end
