package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/exchange"
	"github.com/farebox-mesh/farebox/policies"
)

// pollInterval is how soon a changed policy file is noticed. Polling the content also sees what replaces a
// mounted ConfigMap, which file events miss.
const pollInterval = time.Second

// policyState is the policy in force and how the last attempt to replace it went.
type policyState struct {
	set    *policies.Set
	text   []byte
	loaded time.Time
	failed error     // of the last reload; nil if it succeeded
	at     time.Time // of the failed reload
}

func readPolicy(file string, warnings io.Writer) (*policies.Set, []byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("read policy: %w", err)
	}
	set, err := compile(file, text, warnings)
	return set, text, err
}

// watch reloads the policy when its file changes or SIGHUP comes, until ctx ends.
func (p *parts) watch(ctx context.Context) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	seen := p.policy.Load().text
	for {
		forced := false
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			forced = true
		case <-ticker.C:
		}
		text, err := os.ReadFile(p.policyFile)
		if err != nil && !forced {
			continue // a file is away for a moment while it is replaced
		}
		if err == nil && bytes.Equal(text, seen) && !forced {
			continue
		}
		seen = text
		p.reload(ctx, text, err)
	}
}

// reload puts a new policy in force, or keeps the old one and says why.
func (p *parts) reload(ctx context.Context, text []byte, err error) {
	var set *policies.Set
	if err == nil {
		set, err = compile(p.policyFile, text, p.stderr)
	}
	old := p.policy.Load()
	if err == nil {
		err = p.apply(ctx, set, old.set)
	}
	p.metrics.Reloaded(err == nil, p.now())
	if err != nil {
		kept := *old
		kept.failed, kept.at = err, p.now()
		p.policy.Store(&kept)
		p.logger.Warn("reload refused", "policy", p.policyFile, "err", err)
		return
	}
	p.conductor.Publish(exchange.NewSnapshot(set))
	p.policy.Store(&policyState{set: set, text: text, loaded: p.now()})
	if cacheSize(set) != cacheSize(old.set) {
		p.logger.Warn("the exact cache keeps its size until the next start", "policy", p.policyFile)
	}
	p.logger.Info("reloaded", "policy", p.policyFile, "mode", string(set.Policy().Mode))
}
