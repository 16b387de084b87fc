-- Reads the members of sets. Only looks. Any process may ask.
--
-- KEYS     sorted sets
-- ARGV     [1] the place, from 0, of the last member that is read of each
-- RETURNS  {member..} of each set
-- INVARIANT all of one moment: what goes from one of the sets to another is found
-- REPEAT   looks again

local sets = {}
for i = 1, #KEYS do sets[i] = call('ZRANGE', KEYS[i], 0, ARGV[1]) end
return sets
