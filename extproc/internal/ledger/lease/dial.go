package lease

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// poolSize is how many connections a replica keeps. One operation is under way at a time; the others are for top-ups and
// for answers.
const poolSize = 3

// OpenRedis returns the store at an address, without connecting yet. The address is a URL as Redis' clients have it,
//
//	redis://user:password@host:6379/0     rediss:// for TLS, unix:///path.sock for a socket
//	redis://host:26379/0?master_name=NAME  through sentinels; more of them as addr=host:port
//	redis://host:6379?cluster=true         a cluster; more nodes as addr=host:port
//
// or "file:PATH" of a file whose first line is the URL. In the query, name=NAME stands for o.Name. No error shows the
// password.
func OpenRedis(address string, o RedisOptions) (*Redis, error) {
	if path, ok := strings.CutPrefix(address, "file:"); ok {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("open redis: %w", err)
		}
		address, _, _ = strings.Cut(string(text), "\n")
		address = strings.TrimSpace(address)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("open redis: not a URL") // the cause would show the password
	}
	query := u.Query()
	if name := query.Get("name"); name != "" {
		o.Name = name
	}
	if strings.ContainsAny(o.Name, "{}") {
		return nil, fmt.Errorf("open redis %s: name %q has a brace", u.Redacted(), o.Name)
	}
	cluster := query.Get("cluster") == "true"
	query.Del("name")
	query.Del("cluster")
	u.RawQuery = query.Encode()
	o = o.withDefaults()
	logging.Disable() // what the client prints is also in its errors
	client, err := dial(u, cluster, o.Timeout)
	if err != nil {
		return nil, fmt.Errorf("open redis %s: %v", u.Redacted(), strings.ReplaceAll(err.Error(), u.String(), u.Redacted()))
	}
	store := NewRedis(client, o)
	store.address = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	return store, nil
}

func dial(u *url.URL, cluster bool, timeout time.Duration) (redis.UniversalClient, error) {
	unasked := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	switch {
	case u.Query().Has("master_name"):
		f, err := redis.ParseFailoverURL(u.String())
		if err != nil {
			return nil, err
		}
		f.DialTimeout, f.ReadTimeout, f.WriteTimeout, f.PoolTimeout = timeout, timeout, timeout, timeout
		f.MaxRetries, f.DialerRetries, f.PoolSize, f.ContextTimeoutEnabled = -1, 1, poolSize, true
		return redis.NewFailoverClient(f), nil
	case cluster:
		c, err := redis.ParseClusterURL(u.String())
		if err != nil {
			return nil, err
		}
		c.DialTimeout, c.ReadTimeout, c.WriteTimeout, c.PoolTimeout = timeout, timeout, timeout, timeout
		c.MaxRetries, c.DialerRetries, c.PoolSize, c.ContextTimeoutEnabled = -1, 1, poolSize, true
		c.MaintNotificationsConfig = unasked
		return redis.NewClusterClient(c), nil
	}
	s, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, err
	}
	s.DialTimeout, s.ReadTimeout, s.WriteTimeout, s.PoolTimeout = timeout, timeout, timeout, timeout
	s.MaxRetries, s.DialerRetries, s.PoolSize, s.ContextTimeoutEnabled = -1, 1, poolSize, true
	s.MaintNotificationsConfig = unasked
	return redis.NewClient(s), nil
}
