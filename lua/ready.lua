#!lua flags=allow-oom
-- Writes nothing, but may write: so Redis refuses it whenever Redis would refuse to extend and to release (READONLY,
-- MISCONF, NOREPLICAS …). Redis does not refuse it when out of memory, because extend and release still work then.
--
-- KEYS  none
-- Touches  nothing
-- Arguments
--   none
-- Replies
--   {'ready'}

--- decide
return {'ready'}
