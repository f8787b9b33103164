#!lua flags=allow-oom
-- Writes nothing, but may: Redis refuses it whenever it would refuse to extend and to release (READONLY, MISCONF,
-- NOREPLICAS …). Not when it is out of memory, because those two still work then, and only here.
--
-- KEYS  none
-- Touches  nothing
-- Arguments
--   none
-- Replies
--   {'ready'}

--- decide
return {'ready'}
