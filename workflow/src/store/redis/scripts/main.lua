-- Carries out each command, writes the index entries they gathered, and tells who listens.
-- A packed command begins with its letter and, in 3 bytes, how many of the keys are its own; a small letter has one.
--
-- KEYS     as `base.lua`
-- ARGV     as `base.lua`
-- RETURNS  as `base.lua`; a command that met damage: DAMAGED what, or false where it has a long way
-- INVARIANT whatever one command meets, the others are carried out whole, and every index entry is written
-- REPEAT   as each command

local replies, i, k, own = {}, 6, ARGV[5] + 1, 1
local last, commands, define, told = #ARGV, nil, nil, nil
-- From the first command that was not carried out on, until one fails.
local function carry_out()
  while i <= last do
    local packed = ARGV[i]
    local kind = byte(packed)
    own, replies[i - 5] = 1, false
    if kind == SHORT_APPEND then
      replies[i - 5] = append(KEYS[k], packed)
    elseif kind == SHORT_END then
      replies[i - 5] = end_shortly(KEYS[k], packed)
    elseif kind == SHORT_SUSPEND then
      replies[i - 5] = suspend_shortly(KEYS[k], packed)
    elseif kind == SHORT_CREATE then
      replies[i - 5] = create_shortly(KEYS[k], packed)
    else
      if not commands then commands, define, told = long_ways() end
      kind, own = unpack_('>c1I3', packed)
      if not commands[kind] then define[kind]() end
      replies[i - 5] = commands[kind](packed, k)
    end
    i, k = i + 1, k + own
  end
end
while i <= last do
  local ok, problem = pcall(carry_out)
  if not ok then
    if not told then commands, define, told = long_ways() end
    local text, refused = told(problem)
    -- The server refuses to write: so it has refused the first write of this call, and nothing was written.
    if refused then return redis.error_reply(text) end
    -- What fails a short way is told by the long one.
    if byte(ARGV[i]) < 97 then replies[i - 5] = { 'DAMAGED', text } end
    i, k = i + 1, k + own
  end
end
for key in pairs(pending) do flush(key) end
if next_timer then hint('t' .. pack('>i8', next_timer)) end
if hints[1] or changed[1] then
  -- By `pcall`: everything is written, and must not seem to have failed because nobody may be told.
  local of_shard = byte(ARGV[4]) == 115
  local listening = redis.pcall('PUBSUB', of_shard and 'SHARDNUMSUB' or 'NUMSUB', ARGV[2])[2]
  -- Alone, the sender would hear only itself. Who cannot say who listens tells everyone.
  if not listening or listening > tonumber(of_shard and sub(ARGV[4], 2) or ARGV[4]) then
    local packed = { ARGV[3] }
    for n = 1, #hints do packed[n + 1] = pack('>I2', #hints[n]) .. hints[n] end
    for n = 1, #changed do packed[#packed + 1] = pack('>I2', #changed[n] + 1) .. 'c' .. changed[n] end
    packed = table.concat(packed)
    if of_shard then redis.pcall('SPUBLISH', ARGV[2], packed) else redis.pcall('PUBLISH', ARGV[2], packed) end
  end
end
-- By `pcall`, as above; 0 then.
local calls = redis.pcall('INCR', CALLS)
return { now, hints, type(calls) == 'number' and calls or 0, unpack(replies) }
