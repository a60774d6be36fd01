package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// stack is an Envoy with what stands beside it.
type stack struct {
	variant variant
	dir     string
	server  *process // nil without
	envoy   *process
	addr    string // of the listener
}

func (b *bench) startStack(ctx context.Context, v variant, upstream string) (_ *stack, err error) {
	s := &stack{variant: v, dir: filepath.Join(b.dir, v.short)}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(s.policy(), []byte(v.policy), 0o600); err != nil {
		return nil, err
	}
	switch v.kind {
	case empty:
		err = s.startEmpty(ctx, b.empty)
	case farebox:
		_, err = s.startFarebox(ctx, b.farebox)
	}
	if err != nil {
		return nil, err
	}
	return s, s.startEnvoy(ctx, b, upstream)
}

func (s *stack) policy() string { return filepath.Join(s.dir, "policy.yaml") }
func (s *stack) socket() string { return filepath.Join(s.dir, "extproc.sock") }

func (s *stack) stop() {
	for _, p := range []*process{s.envoy, s.server} {
		if p != nil {
			p.stop()
		}
	}
}

func (s *stack) startEmpty(ctx context.Context, program string) (err error) {
	if s.server, err = start(s.dir, "empty", program, s.socket()); err != nil {
		return err
	}
	return s.server.until(ctx, func() bool {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", s.socket())
		if err != nil {
			return false
		}
		_ = conn.Close() // it was there: nothing else was asked
		return true
	})
}

var adminAddress = regexp.MustCompile(`msg=started .*admin=(\S+)`)

// startFarebox returns how long farebox took to become ready.
func (s *stack) startFarebox(ctx context.Context, program string) (took time.Duration, err error) {
	began := time.Now()
	s.server, err = start(s.dir, "farebox", program, "serve", "--policy", s.policy(), "--listen", "unix:"+s.socket(),
		"--admin", "127.0.0.1:0", "--state", filepath.Join(s.dir, "state"))
	if err != nil {
		return 0, err
	}
	err = s.server.until(ctx, func() bool {
		address := s.server.find(adminAddress)
		if address == "" {
			return false
		}
		_, err := get(ctx, "http://"+address+"/readyz")
		return err == nil
	})
	return time.Since(began), err
}

// startEnvoy starts Envoy with the configuration that farebox prints for the policy.
func (s *stack) startEnvoy(ctx context.Context, b *bench, upstream string) error {
	args := []string{"envoy", "--policy", s.policy(), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
		"--access-log", filepath.Join(s.dir, "access.log"), "--extproc", "unix:" + s.socket()}
	if s.variant.kind == alone {
		args = append(args, "--no-extproc")
	}
	for _, provider := range []string{"openai", "anthropic", "google"} {
		args = append(args, "--upstream", provider+"="+upstream)
	}
	config, err := output(ctx, b.farebox, args...)
	if err != nil {
		return err
	}
	boot, address := filepath.Join(s.dir, "envoy.yaml"), filepath.Join(s.dir, "admin")
	if err := os.WriteFile(boot, []byte(config), 0o600); err != nil {
		return err
	}
	s.envoy, err = start(s.dir, "envoy", b.envoy, "-c", boot, "--concurrency", "1", "--use-dynamic-base-id",
		"--admin-address-path", address, "-l", "warning")
	if err != nil {
		return err
	}
	return s.envoy.until(ctx, func() bool {
		admin, err := os.ReadFile(address)
		if err != nil || len(admin) == 0 {
			return false
		}
		if _, err := get(ctx, "http://"+string(admin)+"/ready"); err != nil {
			return false
		}
		s.addr, err = listener(ctx, "http://"+string(admin))
		return err == nil
	})
}

// listener asks Envoy for the address that it chose for its one listener.
func listener(ctx context.Context, admin string) (string, error) {
	body, err := get(ctx, admin+"/listeners?format=json")
	if err != nil {
		return "", err
	}
	var list struct {
		Statuses []struct {
			Address struct {
				Socket struct {
					Host string `json:"address"`
					Port int    `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return "", err
	}
	if len(list.Statuses) == 0 {
		return "", errors.New("no listener")
	}
	a := list.Statuses[0].Address.Socket
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)), nil
}

// get reads a page; any status but 200 is an error.
func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, res.Status)
	}
	return io.ReadAll(res.Body)
}

// warm sends a load in small and makes sure that the stack does with it what it is to be measured at.
func (s *stack) warm(ctx context.Context, l load) error {
	if err := s.reached(ctx, l); err != nil {
		return err
	}
	l.requests = min(l.requests, max(l.requests/10, l.parallel*2))
	if _, err := l.run(ctx, s.addr); err != nil {
		return err
	}
	header, err := s.once(ctx, l)
	if err != nil {
		return err
	}
	for name, want := range s.variant.proof {
		if got := header.Get(name); got != want {
			return fmt.Errorf("response header %s is %q, want %q: this is not what was to be measured", name, got, want)
		}
	}
	return nil
}

// reached waits until a request gets through: Envoy connects to the server when it is first needed.
func (s *stack) reached(ctx context.Context, l load) error {
	var last error
	err := s.envoy.until(ctx, func() bool {
		_, last = s.once(ctx, l)
		return last == nil
	})
	return errors.Join(err, last)
}

func (s *stack) once(ctx context.Context, l load) (http.Header, error) {
	c, err := dial(ctx, s.addr)
	if err != nil {
		return nil, err
	}
	defer c.close()
	status, header, err := c.do(l.request)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("answer with status %d", status)
	}
	return header, err
}

// sample is what one load in one round came to.
type sample struct {
	envoy, server time.Duration // processor time per request
	p50, p99      time.Duration // from a request's first byte to its answer's last
}

// measure runs a load and returns what it cost.
func (s *stack) measure(ctx context.Context, l load) (sample, error) {
	if s.variant.hits {
		l.requests *= l.hits
	}
	before, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	took, err := l.run(ctx, s.addr)
	if err != nil {
		return sample{}, err
	}
	after, err := s.cpu()
	if err != nil {
		return sample{}, err
	}
	n := time.Duration(l.requests)
	return sample{
		envoy: (after.envoy - before.envoy) / n, server: (after.server - before.server) / n,
		p50: quantile(took, 50), p99: quantile(took, 99),
	}, nil
}

// cpu is the processor time since the start, as a sample of one request.
func (s *stack) cpu() (c sample, err error) {
	if c.envoy, err = s.envoy.cpu(); err != nil || s.server == nil {
		return c, err
	}
	c.server, err = s.server.cpu()
	return c, err
}
