package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/admin"
	"github.com/farebox-mesh/farebox/policies"
)

// page is the admin port.
type page struct {
	listener net.Listener
	server   *http.Server
	addr     string
}

// adminServer opens the admin port; serve answers on it.
func (p *parts) adminServer(address string, token admin.Token) (*page, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for the admin page: %w", err)
	}
	handler := admin.New(admin.Config{
		Ledger: operated{p.ledger, p.policy.Load}, Pools: p.pools, Cache: p.cache, Policy: p.shown, Ready: p.readiness,
		Gatherer: p.registry, Now: p.now, Logger: p.logger, Loopback: isLoopback(l.Addr().String()), Token: token,
	})
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	return &page{listener: l, server: server, addr: l.Addr().String()}, nil
}

func (g *page) serve() error { return g.server.Serve(g.listener) }

// close lets requests under way finish for a moment.
func (g *page) close() {
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	if g.server.Shutdown(ctx) != nil {
		_ = g.server.Close() // what hangs on ends with the process
	}
}

// shown is the policy as the page shows it.
func (p *parts) shown() admin.Policy {
	s := p.policy.Load()
	policy := admin.Policy{File: p.policyFile, Mode: s.set.Policy().Mode, Text: string(s.from.text), Loaded: s.loaded}
	if s.failed != nil {
		policy.Refused = s.failed.Error()
	}
	return policy
}

// refusesInOutage reports whether a budget of the policy refuses calls while the store of shared budgets is away.
func refusesInOutage(p *policies.Policy) bool {
	return slices.ContainsFunc(p.Budgets, func(b policies.Budget) bool { return !b.Soft && !b.OpenOnOutage })
}

// readiness says why calls cannot be served as promised, nil if they can.
func (p *parts) readiness() error {
	if !p.ready.Load() {
		return errors.New("shutting down")
	}
	if s, ok := p.ledger.Shared(); ok && !p.granted.Load() && refusesInOutage(p.policy.Load().set.Policy()) {
		if s.Down || s.Trips == 0 {
			return errors.New("shared budgets hand nothing out yet: Redis cannot be reached, or is new")
		}
		p.granted.Store(true)
	}
	return p.ledger.Healthy()
}
