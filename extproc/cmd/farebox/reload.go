package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/farebox-mesh/farebox/extproc/internal/exchange"
	"github.com/farebox-mesh/farebox/extproc/internal/upstream"
	"github.com/farebox-mesh/farebox/policies"
)

// pollInterval is how soon a changed policy file, or price file of it, is noticed. Polling the content also sees what replaces a
// mounted ConfigMap, which file events miss.
const pollInterval = time.Second

// missesBefore is how many polls in a row miss a file before that is reported: a file is away for a moment
// while it is replaced.
const missesBefore = 3

// policyState is the policy in force and how the last attempt to replace it went.
type policyState struct {
	set         *policies.Set
	credentials *upstream.Credentials
	from        sources
	loaded      time.Time
	failed      error // of the last reload; nil if it succeeded
}

// watch reloads the policy when its file or a price file of it changes, or SIGHUP comes, until ctx ends.
func (p *parts) watch(ctx context.Context) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	reader := sourceReader{file: p.policyFile}
	w := watched{seen: &p.policy.Load().from}
	for {
		forced := false
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			forced = true
		case <-ticker.C:
		}
		from, err := await(ctx, reader.read)
		if ctx.Err() != nil {
			return
		}
		if w.changed(from, err, forced) {
			p.reload(ctx, from, err)
		}
	}
}

// watched is a policy's sources as the last polls found them.
type watched struct {
	seen   *sources // nil after a miss that was reported
	misses int      // in a row
}

// changed takes what a poll found and reports whether that is news: another text, or that a file cannot be read
// for good. If somebody asked for the poll, whatever it found is.
func (w *watched) changed(from sources, err error, forced bool) bool {
	if err != nil {
		w.misses++
		if w.misses != missesBefore && !forced {
			return false
		}
		w.seen = nil
		return true
	}
	w.misses = 0
	if !forced && w.seen != nil && from.equal(w.seen) {
		return false
	}
	w.seen = &from
	return true
}

// refreshCredentials reads credential files again when they change, until ctx ends. Nobody waits for it, and it
// writes nothing: a mount that hangs holds up neither the policy nor a shutdown.
func (p *parts) refreshCredentials(ctx context.Context) {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		p.policy.Load().credentials.Refresh(ctx)
	}
}

// reload puts a new policy in force, or keeps the old one and says why.
func (p *parts) reload(ctx context.Context, from sources, err error) {
	var l loaded
	if err == nil {
		l, err = compile(p.policyFile, from, p.stderr)
	}
	var credentials *upstream.Credentials
	if err == nil {
		credentials, err = p.apply(ctx, l.set)
	}
	if ctx.Err() != nil {
		return // it ends, and what it did not wait for is no mistake of the policy
	}
	old := p.policy.Load()
	p.metrics.Reloaded(err == nil, p.now())
	if err != nil {
		kept := *old
		kept.failed = err
		p.policy.Store(&kept)
		p.logger.LogAttrs(ctx, slog.LevelWarn, "reload refused", slog.String("policy", p.policyFile), slog.Any("err", err))
		return
	}
	set := l.set
	p.conductor.Publish(&exchange.Snapshot{Set: set, Credentials: credentials})
	p.policy.Store(&policyState{set: set, credentials: credentials, from: from, loaded: p.now()})
	if cacheSize(set) != cacheSize(old.set) {
		p.logger.LogAttrs(ctx, slog.LevelWarn, "the exact cache keeps its size until the next start", slog.String("policy", p.policyFile))
	}
	p.logger.LogAttrs(ctx, slog.LevelInfo, "reloaded", slog.String("policy", p.policyFile), slog.String("mode", string(set.Policy().Mode)))
}
