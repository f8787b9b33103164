--- constant STREAM
-- What this call has noted for those who listen, if anything: the end of the call writes that to the stream. Each change is
-- packed: how many values there are, and the values: the kind of change, the key of the lock, when it happened (ms since 1970),
-- the id, the owner, and what the kind has.
local noted
