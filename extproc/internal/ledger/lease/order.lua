-- Keeps an order under its key unless there is one, and returns the one that is there. KEYS: its key. ARGV: order, keep in ms.
redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
return redis.call('GET', KEYS[1])
