-- Asks whether the user of the url may do all that the store does, without doing it. Called when a store opens, on servers
-- that can be asked (7.0 and newer): a right that is missing must not show in the middle of a transition.
--
-- KEYS     none: keys are named in the arguments, and not touched
-- ARGV     for each question: how many words it has, and the words of a command
-- RETURNS  the numbers, from 1, of the questions that were answered with no
-- INVARIANT changes nothing
-- REPEAT   asks again

local denied, at, number = {}, 1, 1
while ARGV[at] do
  local count = tonumber(ARGV[at])
  if not redis.acl_check_cmd(unpack(ARGV, at + 1, at + count)) then denied[#denied + 1] = number end
  at, number = at + count + 1, number + 1
end
return denied
