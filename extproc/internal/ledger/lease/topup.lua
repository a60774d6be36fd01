-- Adds a top-up to an account unless it was added before. KEYS: the account. ARGV: id/budget, amount, expires in ms.
redis.call('HSETNX', KEYS[1], '+' .. ARGV[1], ARGV[2] .. ':' .. ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now + redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIREAT', KEYS[1], ARGV[3]) end
return 1
