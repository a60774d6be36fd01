// Package lease lets several replicas share the balances of budgets, without a round trip for most calls.
//
// A shared store, Redis or Valkey, keeps how much of each account every replica was granted. One script checks that
// the grants of all replicas together stay within the limits, over all accounts of a call or none. A replica reserves
// and spends out of its own grants, in memory, and asks for more only when they do not suffice. So on every account
//
//	spent + reserved <= granted <= limit
//
// whatever crashes, and whatever message is lost, late or doubled. A [Holder] is one replica's side of it.
//
// # Grants
//
// A replica that asks gets what the call needs; while more than a twentieth of the limit is left and the call is
// smaller than a hundredth of it, a hundredth of what is left, so that calls come without a round trip. Near the end
// of a budget, and for large calls, nothing is granted but what calls need, and nothing lies about. Calls that come while
// an operation is under way wait, and the next one asks for all of them: the store serves one after the other, each on
// all its accounts or on none, so that no call is refused for what another did not get. Every second ([Options.Beat])
// a replica gives back what is more than a hundredth of what is left and than it used in that second, and everything
// when little is left, when somebody was refused, when a window has ended and after a few idle beats.
// So one replica may be refused for up to two beats what another has spare.
//
// A replica that died keeps its grants; they free nothing. When it is back it replays its journal and sets its
// grants to what it really spent. If it never comes back, the rest of its grants is lost to the others until the
// window ends. A replica that is stopped in order gives its rest back.
//
// # Operations
//
// Every operation states how much the replica holds, its Have, before it asks for more. What a lost reply granted is
// taken back by that statement. Operations of a replica carry a rising stamp (incarnation and sequence), and the
// store ignores one that is not newer than the last one on the same account: a late statement can never take back
// what was granted after it was sent. A replica lowers what it may spend before it tells the store, and raises it
// only after the store said so.
//
// # Store
//
// All keys of a deployment have one hash tag, so that a call's accounts lie in one slot of a cluster and one script
// sees them all. The price: one shard carries the balances of a whole deployment. It does some ten thousands of
// scripts a second, and leases keep calls away from it; separate deployments have separate names.
//
//	{farebox:NAME}             hash: run, until
//	{farebox:NAME}:ACCOUNT     hash: START/REPLICA -> AMOUNT:EXPIRES:INCARNATION:SEQUENCE
//	                                 +ID/BUDGET -> AMOUNT:EXPIRES, a top-up
//	                                 ? -> 0:EXPIRES, somebody was refused
//	{farebox:NAME}:answer:KEY  string: what one replica saw of an answer that another may wait for, for two days
//
// Amounts are nano-dollars, times milliseconds of Unix time. Several budgets may count over one account: each has its
// limit, its top-ups, and the percentage of both from which on it refuses, and the one that leaves least decides. A
// window's grants count until they expire, a rolling window's grain by grain, and the key goes with the last of them;
// one of which nothing was granted goes after a minute. Windows follow the clock of the store: a replica keeps its
// distance to it, and a claim on a window that is not the present one is turned back with the right time.
//
// The user of the store needs EVALSHA, EVAL, TIME, INFO, HGET, HMGET, HSET, HSETNX, HGETALL, HDEL, PTTL, PEXPIREAT,
// SET, MGET and, for [RedisOptions.Replicas], WAIT.
//
// # What is not promised
//
// The store needs "maxmemory-policy noeviction". When another server answers (fail-over, restart), or the same one
// after its data were wiped, it grants nothing for the recovery time, 5 s unless set otherwise; meanwhile replicas say
// what they hold, and calls that their leases do not cover are treated as in an outage. The first start of a
// deployment waits for that time, too. Limits hold through
// a fail-over that loses the last writes, except for grants of a replica that crashes or cannot reach the new server
// within the recovery time after receiving a grant that was lost. [RedisOptions.Replicas] closes that gap: a grant is used
// only when so many replicas of the server have it. A power cut of a single server without "appendfsync always"
// is a fail-over that loses up to a second. Data of the server that are lost for good lose what replicas that are
// down have spent, until they are back. Two state folders with the same replica id (a cloned disk) lock each other
// out: the older process refuses what its leases do not cover.
//
// An account is known to the store from its first claim on. What a replica spent on it before it takes part, as under a
// budget that a reload adds, counts from when it says so: whoever takes a budget up asserts and beats before it relies on
// it. Until the last replica has done that, the others may be granted what it has spent.
//
// When the store cannot be reached, a call waits at most twice [Options.Timeout] to learn it, and later ones not at all
// until a beat finds it back. What the leases still hold is spent, then calls are refused, or let through where the
// demand says so.
package lease
