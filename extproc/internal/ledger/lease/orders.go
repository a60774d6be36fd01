package lease

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed order.lua
var orderText string

var orderScript = redis.NewScript(orderText)

// Order is something that replicas are told to do once, whichever of them is told.
type Order struct {
	Key    string    // that who asks knows it by
	Digest string    // of what it asks for, the same in all replicas; without ":"
	Until  time.Time // when it is over
}

// Order implements Store.
func (r *Redis) Order(ctx context.Context, o Order, keep time.Duration) (Order, error) {
	value := o.Digest + ":" + strconv.FormatInt(o.Until.UnixNano(), 10)
	reply, err := r.run(ctx, orderScript, []string{r.order(o.Key)}, []any{value, keep.Milliseconds()}, true)
	if err != nil {
		return Order{}, fmt.Errorf("order: %w", err)
	}
	there, _ := reply.(string)
	digest, until, _ := strings.Cut(there, ":")
	nanos, err := strconv.ParseInt(until, 10, 64)
	if err != nil {
		return Order{}, fmt.Errorf("order: unexpected reply %v", reply)
	}
	return Order{Key: o.Key, Digest: digest, Until: time.Unix(0, nanos).UTC()}, nil
}

// order is where an order is kept. What people call it does not leave the process: it is hashed.
func (r *Redis) order(key string) string {
	sum := sha256.Sum256([]byte(key))
	return r.key + ":order:" + base64.RawURLEncoding.EncodeToString(sum[:16])
}
