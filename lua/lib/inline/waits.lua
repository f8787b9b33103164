-- The record that try.lua wrote when the request joined the queue with the place `own`, and that nothing has changed since.
if print then
  local since = string.format('%d%07d', arrived / 10000000, arrived % 10000000)
  if call('GET', record) ~= cjson.encode({'waiting', print, since, own}) then return nil end
end
