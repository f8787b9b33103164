if not us then
  local time = call('TIME')
  local micros = time[2]
  if #micros < 6 then micros = string.sub('00000' .. micros, -6) end
  us = time[1] .. micros
  ms = string.sub(us, 1, -4)
end
