-- Says what a session's share of a limit is to be. Only the session's worker may ask, in the limit's partition.
--
-- KEYS     none
-- ARGV     'G', session 16, number 6, limit 4, for how long a spent token counts in ms 6 (0: a limit of tokens in use),
--          spent 4, held 4, want 4, key of the name (1 byte count)
-- RETURNS  GRANTED tokens, when the next token is free ('' not known) | LATE | FENCED
-- INVARIANT shares of sessions that are known, and what was spent and still counts, are together no more than the limit,
--          but for what is held
-- REPEAT   the same number is answered as the first time; an older one changes nothing; one in vain asks again

-- As stored: shares 3, each session 16, number 6, tokens 4; spent 3, each from when on it is counted 6 (signed), count 4.
local function read_limit(packed)
  local shares, spent = {}, {}
  if not packed then return shares, spent end
  local count, at = unpack_('>I3', packed)
  for i = 1, count do
    local session, number, tokens
    session, number, tokens, at = unpack_('>c16I6I4', packed, at)
    shares[i] = { session = session, number = number, tokens = tokens }
  end
  count, at = unpack_('>I3', packed, at)
  for i = 1, count do
    local since, tokens
    since, tokens, at = unpack_('>i6I4', packed, at)
    spent[i] = { since = since, tokens = tokens }
  end
  return shares, spent
end

local function write_limit(name, shares, spent)
  local packed = { pack('>I3', #shares) }
  for i = 1, #shares do
    packed[#packed + 1] = pack('>c16I6I4', shares[i].session, shares[i].number, shares[i].tokens)
  end
  packed[#packed + 1] = pack('>I3', #spent)
  for i = 1, #spent do packed[#packed + 1] = pack('>i6I4', spent[i].since, spent[i].tokens) end
  call('HSET', LIMITS, name, table.concat(packed))
end

-- As times in the answer: '' where there is none.
local function granted(spent, tokens, want, per)
  local first = per > 0 and tokens < want and spent[1]
  return { 'GRANTED', tokens, first and string.format('%.0f', first.since + per) or '' }
end

-- A session is known until everything it held has been taken from it.
local function known(session)
  return alive(session) or call('HEXISTS', DEAD, session) == 1
end

-- Counts tokens as spent now, and forgets those whose time is over. Says, too, whether some were counted from a time that
-- is still to come, as the clock was set back: they were spent by now, and would hold up everyone until then.
local function spend(before, tokens, per)
  local width = math.max(math.floor(per / RATE_PARTS), 1)
  local since, spent, corrected = (math.floor(now / width) + 1) * width, {}, false
  for i = 1, #before do
    local one = before[i]
    if one.since > since then corrected = true end
    if one.since >= since then
      tokens = tokens + one.tokens
    elseif one.since + per > now then
      spent[#spent + 1] = one
    end
  end
  if tokens > 0 then spent[#spent + 1] = { since = since, tokens = tokens } end
  return spent, corrected
end

commands.G = function(packed)
  local session, number, limit, per, used, held, want, name = unpack_('>xxxxc16I6I4I6I4I4I4Bc0', packed)
  if not alive(session) then return { 'FENCED' } end
  local before, spent = read_limit(call('HGET', LIMITS, name))
  local shares, had, gone, counted = {}, 0, 0, 0
  for i = 1, #before do
    local share = before[i]
    if share.session == session then
      if share.number > number then return { 'LATE' } end
      if share.number == number then return granted(spent, share.tokens, want, per) end
      had = share.tokens
    elseif known(share.session) then
      shares[#shares + 1] = share
      counted = counted + share.tokens
    else
      gone = gone + share.tokens
    end
  end
  -- What one that is gone had may have been used up to now.
  local corrected = false
  if per > 0 then
    spent, corrected = spend(spent, used + gone, per)
  else
    spent = {}
  end
  for i = 1, #spent do counted = counted + spent[i].tokens end
  local tokens = math.max(math.min(want, math.max(limit - counted, 0)), held)
  -- In vain: it is not remembered, so that asking again and again writes nothing.
  if tokens == had and tokens == held and used == 0 and gone == 0 and not corrected then
    return granted(spent, tokens, want, per)
  end
  shares[#shares + 1] = { session = session, number = number, tokens = tokens }
  write_limit(name, shares, spent)
  local given_back = math.max(had - used, 0) > tokens or gone > 0
  if given_back and limit > counted + tokens then hint('l' .. name) end
  return granted(spent, tokens, want, per)
end
