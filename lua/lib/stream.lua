--- constant EVENTS
-- The stream in which changes are recorded while somebody listens; false if nothing is ever recorded. And what this call has
-- noted for it, if anything: the end of the call writes that. Each change is packed: how many values there are, and the values:
-- the kind of change, the key of the lock, when it happened (ms since 1970), the id, the owner, and what the kind has.
local STREAM, noted = EVENTS ~= '' and EVENTS, nil
