-- When a lease of `lease` ms from now ends, as text: as lib/number.lua makes the text of a large number, without a function.
local expires = ms + lease
expires = string.format('%d%07d', expires / 10000000, expires % 10000000)
