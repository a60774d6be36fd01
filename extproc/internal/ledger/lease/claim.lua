-- Notes what a replica holds, then grants what its calls need, to each on every account or on none. See the package
-- comment.
-- KEYS: the store, then the accounts.
-- ARGV: replica, incarnation, sequence, recovery time in ms; then per account
--       start, end, expires, have, exact (1 or 0), number of limits, and per limit budget, amount, percent;
--       then per call the number of its needs, and per need the number of the account and the amount.
-- Amounts are 64-bit and Lua's numbers have 53 bits, so sums are kept in dollars and nano-dollars; what is left of a
-- limit is exact below nine million dollars, and above that it is no close call.
local grace = 60000 -- in ms: what is kept of the past, should the clock be set back a little

local wants = 3000 -- in ms: how long others are asked for what they do not use after a refusal

local exact_share = 100 -- one in so many parts of what is left is granted beyond what is needed

local low_share = 20 -- when less than one in so many parts of a limit is left, nothing is

local function split(s)
  if #s <= 9 then return 0, tonumber(s) end
  return tonumber(s:sub(1, -10)), tonumber(s:sub(-9))
end

-- A percentage of an amount, rounded down: policies.Portion.
local function portion(d, n, percent)
  d = d * percent
  local rest = d % 100
  return (d - rest) / 100, math.floor((rest * 1e9 + n * percent) / 100)
end

local function join(d, n)
  return string.format('%.0f%09.0f', d + math.floor(n / 1e9), n % 1e9)
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local run = redis.call('INFO', 'server'):match('run_id:(%w+)')
local memory = redis.call('HMGET', KEYS[1], 'run', 'until')
if memory[1] ~= run then
  memory[2] = string.format('%.0f', now + ARGV[4])
  redis.call('HSET', KEYS[1], 'run', run, 'until', memory[2])
end
local recovering = now < tonumber(memory[2])

local incarnation, sequence = tonumber(ARGV[2]), tonumber(ARGV[3])
local stamp = ':' .. ARGV[2] .. ':' .. ARGV[3]
local at = 5
local function take()
  at = at + 1
  return ARGV[at - 1]
end

local claims = {}
for i = 2, #KEYS do
  local c = { key = KEYS[i], start = take(), ends = tonumber(take()), expires = take(), have = take(), exact = take() == '1' }
  c.field = c.start .. '/' .. ARGV[1]
  c.limits, c.budgets = {}, {}
  for j = 1, tonumber(take()) do
    local l = { budget = take(), amount = take(), percent = tonumber(take()), d = 0, n = 0 }
    c.limits[j], c.budgets[l.budget] = l, l
  end
  local before = redis.call('HGET', c.key, c.field)
  if before then
    local inc, seq = before:match(':(%d+):(%d+)$')
    inc, seq = tonumber(inc), tonumber(seq)
    if inc > incarnation or (inc == incarnation and seq >= sequence) then
      return {'stale', string.format('%.0f', now), run, string.format('%.0f', inc)}
    end
  end
  claims[#claims + 1] = c
end

-- The key lasts as long as an amount in it counts. A statement of nothing is kept for late operations alone, so that
-- who names ever new scopes and is refused leaves no more than a minute of them.
local function note(c, amount)
  redis.call('HSET', c.key, c.field, amount .. ':' .. c.expires .. stamp)
  local last = grace + (tonumber(amount) > 0 and tonumber(c.expires) or now)
  if now + redis.call('PTTL', c.key) < last then
    redis.call('PEXPIREAT', c.key, string.format('%.0f', last))
  end
end

for _, c in ipairs(claims) do
  if tonumber(c.expires) > now then
    note(c, c.have)
  end
end

for _, c in ipairs(claims) do
  c.d, c.n, c.mined, c.minen, c.grant = 0, 0, 0, 0, 0
  local fields = redis.call('HGETALL', c.key)
  for j = 1, #fields, 2 do
    local amount, expires = fields[j + 1]:match('^(%d+):(%d+)')
    local d, n = split(amount)
    if fields[j] == '?' then
      c.wanted = tonumber(expires) > now
    elseif tonumber(expires) <= now then
      if tonumber(expires) + grace <= now then redis.call('HDEL', c.key, fields[j]) end
    elseif fields[j]:sub(1, 1) == '+' then
      local l = c.budgets[fields[j]:match('/(.*)$')]
      if l then l.d, l.n = l.d + d, l.n + n end
    else
      c.d, c.n = c.d + d, c.n + n
      if fields[j]:match('/(.*)$') == ARGV[1] then c.mined, c.minen = c.mined + d, c.minen + n end
    end
  end
  c.left, c.ceiling = math.huge, math.huge
  for _, l in ipairs(c.limits) do
    local d, n = split(l.amount)
    d, n = portion(d + l.d, n + l.n, l.percent)
    c.left = math.min(c.left, (d - c.d) * 1e9 + (n - c.n))
    c.ceiling = math.min(c.ceiling, d * 1e9 + n)
  end
  c.extra = c.left
end

local function serve(needs)
  for _, need in ipairs(needs) do
    if now < tonumber(need.claim.start) or now >= need.claim.ends then return '-1' end
  end
  for _, need in ipairs(needs) do
    local c = need.claim
    if need.amount > c.left then
      c.refused = true
      redis.call('HSET', c.key, '?', string.format('0:%.0f', now + wants))
      return need.index
    end
  end
  for _, need in ipairs(needs) do
    need.claim.left, need.claim.grant = need.claim.left - need.amount, need.claim.grant + need.amount
  end
  return '0'
end

local reply = {recovering and 'recovering' or 'done', string.format('%.0f', now), run, '0'}
local answers = {}
while not recovering and at <= #ARGV do
  local needs = {}
  for j = 1, tonumber(take()) do
    local index = take()
    needs[j] = { index = index, claim = claims[tonumber(index)], amount = tonumber(take()) }
  end
  answers[#answers + 1] = serve(needs)
end
for _, c in ipairs(claims) do
  if c.grant > 0 and not c.exact and not c.wanted and not c.refused and c.extra * low_share > c.ceiling then
    c.grant = math.max(c.grant, math.min(math.floor(c.extra / exact_share), 1e15))
  end
  local d, n = split(c.have)
  local own = join(d, n + c.grant)
  if c.grant > 0 then note(c, own) end
  reply[#reply + 1] = own
  reply[#reply + 1] = join(c.mined, c.minen + c.grant)
  reply[#reply + 1] = join(c.d, c.n + c.grant)
  reply[#reply + 1] = c.wanted and '1' or '0'
  for _, l in ipairs(c.limits) do reply[#reply + 1] = join(l.d, l.n) end
end
for _, a in ipairs(answers) do reply[#reply + 1] = a end
return reply
