-- Keeps a session alive. Only the heart of the session's worker may ask, from a connection of its own.
--
-- KEYS     sessions, beats, calls
-- ARGV     [1] the time in ms ('' the server's; else for tests), [2] session, [3] lease in ms
-- RETURNS  ALIVE | FENCED (it is revoked or unknown); how many calls of the transitions there were
-- INVARIANT only a session that is there is lengthened: nothing brings a revoked one back
-- REPEAT   lengthens the lease and raises the counter again, which harms nobody
--
-- Where the server knows flags it may run without memory: what it writes is there already, and takes no more.

if not redis.call('ZSCORE', KEYS[1], ARGV[2]) then return { 'FENCED', redis.call('GET', KEYS[3]) or '0' } end
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
redis.call('ZADD', KEYS[1], 'XX', now + ARGV[3], ARGV[2])
redis.call('HINCRBY', KEYS[2], ARGV[2], 1)
return { 'ALIVE', redis.call('GET', KEYS[3]) or '0' }
