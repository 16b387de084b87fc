-- What every call stands on: the store's time, hints, index entries that are written together, sessions.
--
-- The files of this folder are joined into one script: this file, `short.lua`, `prelude.lua` and one file for each kind
-- of command (one function, carried out when the first command comes that is in it), `main.lua`. A call makes all its
-- functions anew, so what few calls need is in the files that most do not come to. Names in capitals that no file
-- declares stand for the partition's keys and for numbers and texts of Rust: see `literals` in `assemble.rs`.
-- A command reads and decides first and writes last, so that one that meets damage changes nothing. Every write of an
-- instance begins with HSET: a server without memory refuses it before anything is written.
--
-- KEYS     the partition's keys, in the order of `keys.rs`, where all commands go short ways only the first of them;
--          then the keys of each command, in order
-- ARGV     [1] the time in ms for tests, '' for the server's; [2] the channel of hints; [3] the sender's tag;
--          [4] 1 when the sender itself listens to the channel, else 0; -1 when others listen on other nodes; s1 and s0
--          where it is a channel of a shard;
--          [5] how many keys are the partition's; [6..] one packed command each
-- RETURNS  { time in ms, { hint.. }, how many calls there were with this one (0: not known), and of each command
--          { word, .. }, or where it had a short way what that returns }
-- INVARIANT an instance is in exactly one place, and in the index of that place
-- REPEAT   the whole call may be repeated: each command says what a repeat of it does

local call, pack, unpack_ = redis.call, struct.pack, struct.unpack
local byte, char, sub = string.byte, string.char, string.sub
local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- ---- hints

local hints, hinted, next_timer = {}, {}, nil
local function hint(text)
  if not hinted[text] then
    hinted[text] = true
    hints[#hints + 1] = text
  end
end

-- ---- index entries: gathered by key, written once; of sets that are ordered by member the score is '0', as a text: a
-- number that is handed to the server is printed as a fraction first, which takes longer than all else of an entry

-- No more than this many arguments at once: Lua's stack is bounded.
local ARGUMENTS_MAX = 1000
local function call_with(command, key, list)
  local count = #list
  for from = 1, count, ARGUMENTS_MAX do
    call(command, key, unpack(list, from, math.min(from + ARGUMENTS_MAX - 1, count)))
  end
end

local pending = {}
local function put(key, member, score)
  local of = pending[key]
  if not of then
    of = {}
    pending[key] = of
  end
  of[member] = score
end
local function drop(key, member)
  put(key, member, false)
end
local function flush(key)
  local of = pending[key]
  if not of then return end
  pending[key] = nil
  local add, remove = {}, {}
  for member, score in pairs(of) do
    if score then
      add[#add + 1] = score
      add[#add + 1] = member
    else
      remove[#remove + 1] = member
    end
  end
  call_with('ZADD', key, add)
  call_with('ZREM', key, remove)
end

-- ---- numbers, as stored

-- Seven bytes that sort as the number does, also below zero.
local function sortable(number)
  return pack('>I7', number + 4503599627370496)
end

-- ---- sessions

local living = {}
local function alive(session)
  if not session then return false end
  local known = living[session]
  if known == nil then
    known = call('ZSCORE', SESSIONS, session) and true or false
    living[session] = known
  end
  return known
end

-- ---- heads and places, as far as all need them

-- A head is HEAD, then the session that holds it, has it in its inbox, or in memory while it sleeps, if there is one;
-- with what most instances never have in a field of its own. Each stays below 64 bytes: longer values make Redis keep
-- the whole hash in a form that takes twice the memory.
-- place (more by TRAFFIC_FLAG where there is traffic), notice, pause, begun, suspect, crashes, ending, started,
-- since (the score of what is ready, the expiry of what has ended), updated, records, bytes, run, v
local HEAD, HEAD_BYTES = '>BBBBBBBI6i6I6I3I4I4I6', 42

-- What has ended is kept by how it did, so that each kind is counted and found without the others.
local function ended_key(ending)
  return ending == COMPLETE and COMPLETE_KEY or ending == ERRORED and ERRORED_KEY or TERMINATED_KEY
end
-- By queue: whether anything is ready, once it was asked for.
local filled = {}
local function any_ready(queue)
  if filled[queue] == nil then
    flush(READY_KEY)
    filled[queue] = call('ZRANGEBYLEX', READY_KEY, '[' .. queue .. '\0', '(' .. queue .. '\1', 'LIMIT', 0, 1)[1] ~= nil
  end
  return filled[queue]
end

-- ---- journals

-- The field of a record.
local function record_field(run, number)
  if run ~= 1 then return run .. ':' .. number end
  return number < 10 and char(48 + number) or number
end
