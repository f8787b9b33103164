--- include now
--- constant LONGEST_ATTEMPT
-- Whether the attempt of a place began longer ago than any attempt lasts: then its replica died. The id tells when an
-- attempt began, by the clock of its replica.
local function place_is_stale(of)
  local begun = tonumber(string.sub(of, 1, 8) .. string.sub(of, 10, 13), 16)
  return begun and begun + LONGEST_ATTEMPT < now_ms()
end
