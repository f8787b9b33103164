#!lua
-- Frees a lock, if the caller has its token, and has a waiter of the same replica claim the lock in the same step. So a
-- handover on one replica takes one call, and no message.
--
-- KEYS  1 lock   2 incarnation, only with a grace
-- Touches  fence queue queue:turn request request
-- Arguments
--   release  what release.lua is called with
--   claim    what claim.lua is called with
-- Replies
--   {'released', ms that the turn of another waiter lasts (0 if no other has the turn), ...}  behind that what claim.lua
--                 replies to the claim
--   {'replayed'}  this Idempotency-Key has released the lock before; nothing was claimed, nor with the replies below
--   {'missing'}   nobody holds the lock
--   {'mismatch'}  the lock has another token
--   {'reused'}    this Idempotency-Key came before with another request

--- decide
--- include released
--- include claim
local reply = released(lock, req.release)
if reply[1] ~= 'released' then return reply end
local claimed = claim(lock, req.claim)
-- While grants wait after a loss of data, no turn could be claimed.
local is_free = claimed[1] ~= 'granted' and not acquire.recovers()
return {'released', is_free and turn.give(lock) or 0, unpack(claimed)}
