//! Gorillas with a mistake, to see whether the checker finds it: the built program, in whose file a piece of a script
//! is replaced. The program computes a script's SHA-1 from its text, so nothing else has to change.

use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

/// A piece of a script, which occurs once in the program, and the text that replaces it, which may be shorter.
#[derive(Clone, Copy, Debug)]
pub struct Mistake {
    /// The piece.
    pub sound: &'static str,
    /// What is there instead.
    pub broken: &'static str,
}

/// A release doesn't compare the token.
pub const RELEASE_BY_ANYBODY: Mistake =
    Mistake { sound: "if current ~= token then return {'mismatch'} end\nlocal us, ms", broken: "local us, ms" };
/// An acquire doesn't look whether the lock is held.
pub const ACQUIRE_WHAT_IS_HELD: Mistake = Mistake {
    sound: "local held = call('HMGET', lock, 'owner', 'fence', 'mode')\nlocal fence = held[2]",
    broken: "call('DEL', lock) do return nil end local held = {} local fence",
};
/// A fence only counts.
pub const FENCE_COUNTS: Mistake = Mistake {
    sound: "local last = call('SET', fence_key, fence, 'PX', FENCE_KEPT, 'GET')",
    broken: "local last fence = call('INCR', fence_key) .. ''",
};
/// An acquire of unknown outcome isn't cancelled.
pub const NOTHING_IS_CANCELLED: Mistake = Mistake {
    sound: "local key, own = beside(lock, 'request:' .. (req.request or req.id)), place_of(req)",
    broken: "do return {'marked', 0} end",
};
/// A client that finds a lock free takes it, even if others wait for it.
pub const QUEUE_LETS_IN: Mistake =
    Mistake { sound: "if head and not (req.arrived and req.arrived <= since) then", broken: "if false then" };
/// An acquire doesn't look whether its key was answered before.
pub const GRANTED_AGAIN: Mistake =
    Mistake { sound: "then return replay(lock, req, seen) end", broken: "then return nil end" };
/// Fences, queues and records are kept where no other version looks for them.
pub const KEYS_OF_ITS_OWN: Mistake =
    Mistake { sound: "local stem = string.sub(lock, 1, -5)", broken: "local stem = lock:sub(1,-5)..'own:'" };
/// The holders of a shared lock whose leases have ended keep their permits.
pub const PRUNE_FORGETS: Mistake =
    Mistake { sound: "    group.used = group.used - permits\n", broken: "    local _ = permits\n" };
/// A holder that leaves a group calls nobody who fits now.
pub const LEAVE_CALLS_NOBODY: Mistake = Mistake {
    sound: "return {'released', group_changed(lock, group), holder.created}",
    broken: "group_close(lock, group) return {'released', 0, holder.created}",
};
/// A request joins a group if it fits, even if others wait.
pub const JOIN_IGNORES_QUEUE: Mistake = Mistake {
    sound: "return redis.call('ZCOUNT', key, '(' .. whole(group.bound), before) == 0",
    broken: "return true",
};
/// Each grant of a group has a floor of its own.
pub const FLOOR_IS_FENCE: Mistake = Mistake {
    sound: "return {'joined', fence, now, turn, permits, limit, group.floor}",
    broken: "return {'joined', fence, now, turn, permits, limit, fence}",
};
/// A token of a shared lock releases its holder whatever its secret is.
pub const ANY_SECRET_RELEASES: Mistake = Mistake {
    sound: "if not holder or holder.secret ~= req.secret then return {'mismatch'} end\n\nif request",
    broken: "if not holder then return {'mismatch'} end\n\nif request",
};
/// A copy of an extend replaces the token once more.
pub const COPIES_ROTATE: Mistake = Mistake {
    sound: "if ttl <= 0 or not holder or req.id .. '.' .. holder.secret ~= seen.token then return {'gone'} end",
    broken: "if holder then holder.secret = req.new_secret; holder_write(lock, req.id, holder) end",
};
/// Permits that are reserved for waiters that were called are given to others.
pub const RESERVED_FOR_NOBODY: Mistake = Mistake {
    sound: "return group.used + group.reserved + permits <= group_most(group)",
    broken: "return group.used + permits <= group_most(group)",
};
/// A set whose locks one server has is granted those that are free, though one that it asks for later is not.
pub const SETS_IN_PART: Mistake = Mistake {
    sound: "  local block = acquire_blocks(key, part)\n  if block then return {'blocked', index, unpack(acquire_refused(key, part, block))} end\n  parts[index] = part\nend",
    broken: "local b=acquire_blocks(key,part)if b then return{'blocked',index,unpack(acquire_refused(key,part,b))}end parts[index]=part acquire_granted(key,part)end",
};
/// A set is completed though a part of it is gone.
pub const SET_WITHOUT_ITS_PARTS: Mistake = Mistake {
    sound: "if not held then return {'lost'} end\nlocal recovering = req.commit and GRACE ~= '0' and recovery(KEYS[count + 1]) or 0",
    broken: "if not held then local n=now_ms()return{'held',whole(n+req.lease),req.lease,whole(n)}end local recovering=0",
};
/// A release is answered and not made.
pub const RELEASED_IN_WORDS: Mistake = Mistake { sound: "call('DEL', lock)\nif turn then", broken: "if turn then" };
/// Requests that come together are all told what came of the first.
pub const TOLD_OF_THE_FIRST: Mistake = Mistake {
    sound: "= note\n  end\n  if replied then replied[index] = reply else replied = reply end\n  done, at = index, behind",
    broken: "= note\nend\nif replied then replied[index]=replied[1]or reply else replied=reply end\ndone,at=index,behind",
};
/// A look tells another fence than the holder's.
pub const LEADERS_OF_ANY_TERM: Mistake = Mistake {
    sound: "return {'held', own, id, owner, metadata, fence, created, updated, expires, ttl, waiting,",
    broken: "return{'held',own,id,owner,metadata,ttl+1,created,updated,expires,ttl,waiting,",
};
/// A release doesn't record its event, if nobody waits.
pub const RELEASE_TELLS_NOBODY: Mistake = Mistake {
    sound: "if found > 0 then\n  local held = call('HMGET', lock, 'id', 'owner', 'fence')",
    broken: "if false then\n  local held = call('HMGET', lock, 'id', 'owner', 'fence')",
};
/// The event of a grant of a shared lock has the floor in place of the fence.
pub const FLOOR_IS_TOLD: Mistake = Mistake {
    sound: "on.granted(lock, req, fence, whole(now + req.lease), last, permits, group.floor)",
    broken: "on.granted(lock,req,group.floor,whole(now+req.lease),last,permits,group.floor)",
};
/// A replica that asks before a lease has ended, because the clock was set back, has another end taken for that of the lease.
pub const ENDS_BEFORE_ITS_TIME: Mistake = Mistake {
    sound: "if left > 0 then return {'held', left} end\nlocal on = recorded()",
    broken: "local on = recorded()",
};

impl Mistake {
    /// Writes a copy of the program that has the mistake.
    ///
    /// # Errors
    /// If a file can't be read or written, or the piece isn't in the program exactly once.
    pub fn make(self, program: &Path, copy: &Path) -> io::Result<()> {
        let mut bytes = fs::read(program)?;
        let piece = self.sound.as_bytes();
        let found: Vec<_> = bytes.windows(piece.len()).enumerate().filter(|(_, bytes)| *bytes == piece).collect();
        let [(at, _)] = found[..] else {
            return Err(io::Error::other(format!("{:?} is {} times in the program", self.sound, found.len())));
        };
        let padded = format!("{:width$}", self.broken, width = piece.len());
        bytes[at..at + piece.len()].copy_from_slice(padded.as_bytes());
        fs::write(copy, bytes)?;
        fs::set_permissions(copy, fs::Permissions::from_mode(0o755))
    }
}
