package lease

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/farebox-mesh/farebox/pricing"
)

//go:embed claim.lua
var claimText string

//go:embed topup.lua
var topUpText string

var (
	claimScript = redis.NewScript(claimText)
	topUpScript = redis.NewScript(topUpText)
)

// DefaultRecovery is how long a server that may have lost grants hands out none: five beats of every replica.
const DefaultRecovery = 5 * time.Second

// RedisOptions says how grants are kept. The zero value takes the defaults.
type RedisOptions struct {
	Name     string        // of the deployment: replicas with the same name share balances; "default" by default
	Recovery time.Duration // DefaultRecovery by default
	Replicas int           // of the server that must have a grant before it is used; 0 by default
	Timeout  time.Duration // of a round trip, for OpenRedis; 250 ms by default
}

func (o RedisOptions) withDefaults() RedisOptions {
	if o.Name == "" {
		o.Name = "default"
	}
	if o.Recovery <= 0 {
		o.Recovery = DefaultRecovery
	}
	if o.Timeout <= 0 {
		o.Timeout = 250 * time.Millisecond
	}
	return o
}

// Redis is a Store in Redis from version 6 on or in Valkey: a single server, one behind sentinels, or a cluster.
type Redis struct {
	client  redis.UniversalClient
	options RedisOptions
	key     string // of the store; begins those of accounts
	address string // for people: without user, password and settings
}

// NewRedis returns the store in a server that the caller has connected, and that Close disconnects. The client must
// not repeat what it sent (MaxRetries -1).
func NewRedis(client redis.UniversalClient, o RedisOptions) *Redis {
	o = o.withDefaults()
	return &Redis{client: client, options: o, key: "{farebox:" + o.Name + "}"}
}

// String returns the address that OpenRedis was given, without what may be secret in it.
func (r *Redis) String() string { return r.address }

// Close disconnects.
func (r *Redis) Close() error { return r.client.Close() }

// Do implements Store.
func (r *Redis) Do(ctx context.Context, op Op) (Reply, error) {
	keys := make([]string, 1, 1+len(op.Claims))
	keys[0] = r.key
	args := make([]any, 4, 4+9*len(op.Claims)+3*len(op.Asks))
	args[0], args[1], args[2], args[3] = op.Replica, op.Incarnation, op.Sequence, r.options.Recovery.Milliseconds()
	for i := range op.Claims {
		c := &op.Claims[i]
		keys = append(keys, r.account(&c.Account))
		args = append(args, c.Start.UnixMilli(), c.End.UnixMilli(), c.Expires.UnixMilli(), int64(c.Have), c.Exact, len(c.Limits))
		for _, l := range c.Limits {
			args = append(args, string(l.Budget), int64(l.Amount), l.Percent)
		}
	}
	for _, ask := range op.Asks {
		args = append(args, len(ask))
		for _, need := range ask {
			args = append(args, need.Claim+1, int64(need.Amount))
		}
	}
	fields, err := r.run(ctx, claimScript, keys, args, len(op.Asks) > 0)
	if err != nil {
		return Reply{}, fmt.Errorf("claim: %w", err)
	}
	reply, err := parseReply(fields, &op)
	if err != nil {
		return Reply{}, fmt.Errorf("claim: %w", err)
	}
	return reply, nil
}

// TopUp implements Store.
func (r *Redis) TopUp(ctx context.Context, t TopUp) error {
	args := []any{t.ID + "/" + string(t.Budget), int64(t.Amount), t.Expires.UnixMilli()}
	if _, err := r.run(ctx, topUpScript, []string{r.account(&t.Account)}, args, true); err != nil {
		return fmt.Errorf("top up: %w", err)
	}
	return nil
}

func (r *Redis) account(a *Account) string { return r.key + ":" + a.Key }

// run runs a script, and has its writes copied where that is asked for.
func (r *Redis) run(ctx context.Context, script *redis.Script, keys []string, args []any, copied bool) (any, error) {
	client, err := r.node(ctx)
	if err != nil {
		return nil, err
	}
	reply, acknowledged, err := r.call(ctx, client, script.EvalSha, keys, args, copied)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, acknowledged, err = r.call(ctx, client, script.Eval, keys, args, copied)
	}
	if err != nil {
		return nil, err
	}
	if copied && acknowledged < int64(r.options.Replicas) {
		return nil, fmt.Errorf("only %d of %d replicas of the server have the grant", acknowledged, r.options.Replicas)
	}
	return reply, nil
}

// node returns the client to run scripts with: for a cluster whose copies are waited for that of the one master that
// has our slot, as WAIT speaks of the connection that it is sent on.
func (r *Redis) node(ctx context.Context) (redis.UniversalClient, error) {
	cluster, ok := r.client.(*redis.ClusterClient)
	if !ok || r.options.Replicas == 0 {
		return r.client, nil
	}
	master, err := cluster.MasterForKey(ctx, r.key)
	if err != nil {
		return nil, err
	}
	return master, nil
}

// evaluate is EvalSha or Eval of a script.
type evaluate func(ctx context.Context, c redis.Scripter, keys []string, args ...any) *redis.Cmd

// call runs a script and, where its writes are to be copied, waits for the copies on the same connection.
func (r *Redis) call(ctx context.Context, c redis.UniversalClient, eval evaluate, keys []string, args []any, copied bool) (any, int64, error) {
	if !copied || r.options.Replicas == 0 {
		reply, err := eval(ctx, c, keys, args...).Result()
		return reply, 0, err
	}
	pipe := c.Pipeline()
	script := eval(ctx, pipe, keys, args...)
	wait := pipe.Do(ctx, "wait", r.options.Replicas, r.options.Timeout.Milliseconds()/2+1)
	if _, err := pipe.Exec(ctx); err != nil {
		if cluster, ok := r.client.(*redis.ClusterClient); ok && redis.HasErrorPrefix(err, "MOVED") {
			cluster.ReloadState(ctx)
		}
		return nil, 0, err
	}
	n, err := wait.Int64()
	return script.Val(), n, errors.Join(script.Err(), err)
}

// parseReply reads what claim.lua returns for an operation.
func parseReply(fields any, op *Op) (Reply, error) {
	list, ok := fields.([]any)
	if !ok || len(list) < 4 {
		return Reply{}, fmt.Errorf("unexpected reply %v", fields)
	}
	text := make([]string, len(list))
	for i, f := range list {
		text[i], ok = f.(string)
		if !ok {
			return Reply{}, fmt.Errorf("unexpected reply %v", fields)
		}
	}
	r := Reply{Status: Status(text[0]), Epoch: text[2]}
	p := numbers{text: append(text[1:2:2], text[3:]...)}
	r.Now = time.UnixMilli(p.next())
	r.Incarnation = p.next()
	if r.Status != Stale {
		r.Figures = make([]Figure, len(op.Claims))
		for i := range r.Figures {
			r.Figures[i] = p.figure(op.Claims[i].Limits)
		}
	}
	if r.Status == Done {
		r.Results = make([]Result, len(op.Asks))
		for i := range r.Results {
			r.Results[i] = p.result()
		}
	}
	if p.err == nil && len(p.text) > 0 {
		p.err = fmt.Errorf("unexpected reply %v", fields)
	}
	return r, p.err
}

// numbers reads numbers and keeps the first error.
type numbers struct {
	text []string // those that are left
	err  error
}

func (n *numbers) next() int64 {
	if n.err != nil {
		return 0
	}
	if len(n.text) == 0 {
		n.err = errors.New("unexpected reply: too short")
		return 0
	}
	v, err := strconv.ParseInt(n.text[0], 10, 64)
	if err != nil {
		n.err = fmt.Errorf("unexpected reply: %v", err)
	}
	n.text = n.text[1:]
	return v
}

func (n *numbers) money() pricing.Money { return pricing.Money(n.next()) }

func (n *numbers) figure(limits []Limit) Figure {
	f := Figure{Own: n.money(), Mine: n.money(), All: n.money(), Wanted: n.next() == 1}
	for i := range limits {
		f.Raises = append(f.Raises, Raise{limits[i].Budget, n.money()})
	}
	return f
}

func (n *numbers) result() Result {
	switch v := n.next(); v {
	case 0:
		return Result{Status: Done}
	case -1:
		return Result{Status: WrongWindow}
	default:
		return Result{Status: Refused, Claim: int(v) - 1}
	}
}
