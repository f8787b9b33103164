-- As lib/record.lua writes it, but without a table. None of these texts has a character that JSON escapes.
if print then
  call('SET', record, '["acquired","' .. print .. '","' .. id .. '","' .. token .. '","' .. fence .. '","' .. now .. '"]',
    'PX', WINDOW)
end
