-- Carries out each command, writes the index entries they gathered, and tells who listens.
-- A packed command begins with its letter and, in 3 bytes, how many of the keys are its own.
--
-- KEYS     as `prelude.lua`
-- ARGV     as `prelude.lua`
-- RETURNS  as `prelude.lua`; a command that met damage: DAMAGED what
-- INVARIANT whatever one command meets, the others are carried out whole, and every index entry is written
-- REPEAT   as each command

local replies, k = {}, KEYS_OF_PARTITION + 1
for i = 5, #ARGV do
  local packed = ARGV[i]
  local kind, keys = unpack_('>c1I3', packed)
  if not commands[kind] then define[kind]() end
  local ok, reply = pcall(commands[kind], packed, k)
  if not ok then
    local text, refused = told(reply)
    -- The server refuses to write: so it has refused the first write of this call, and nothing was written.
    if refused then return redis.error_reply(text) end
    reply = { 'DAMAGED', text }
  end
  replies[i - 4] = reply
  k = k + keys
end
for key in pairs(pending) do flush(key) end
if next_timer then hint('t' .. pack('>i8', next_timer)) end
if hints[1] then
  -- By `pcall`: everything is written, and must not seem to have failed because nobody may be told.
  local listening = redis.pcall('PUBSUB', 'NUMSUB', ARGV[2])[2]
  -- Alone, the sender would hear only itself. Who cannot say who listens tells everyone.
  if not listening or listening > tonumber(ARGV[4]) then
    local packed = { ARGV[3] }
    for i = 1, #hints do packed[i + 1] = pack('>I2', #hints[i]) .. hints[i] end
    redis.pcall('PUBLISH', ARGV[2], table.concat(packed))
  end
end
-- By `pcall`, as above; 0 then.
local calls = redis.pcall('INCR', CALLS)
return { now, hints, type(calls) == 'number' and calls or 0, unpack(replies) }
