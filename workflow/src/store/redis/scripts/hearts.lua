-- Reads the sessions of all workers and how often their hearts beat. Only looks. Any worker may ask, before `session.lua`
-- fences one.
--
-- KEYS     sessions, beats, dead
-- ARGV     none
-- RETURNS  {session, expiry..} that live, {session, beats..}, {session, expiry..} that were revoked
-- INVARIANT all of one moment
-- REPEAT   looks again

return { call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES'), call('HGETALL', KEYS[2]), call('HGETALL', KEYS[3]) }
