package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	"github.com/farebox-mesh/farebox/extproc"
	"github.com/farebox-mesh/farebox/extproc/internal/metrics"
)

// gcPercent lets the small heap of a proxy grow to five times what is live: with Go's default it is collected
// all the time. GOGC in the environment wins.
const gcPercent = 400

// serveFlags are the flags of farebox serve.
type serveFlags struct {
	policy, listen, admin, state string
	access                       access
	drain                        time.Duration
	level                        slog.Level
}

func runServe(ctx context.Context, args []string, e env) int {
	var s serveFlags
	f := flags("serve", "serve --policy FILE [flags]", e)
	f.StringVar(&s.policy, "policy", "", "policy `FILE`")
	f.StringVar(&s.listen, "listen", "unix:/run/farebox/extproc.sock", "where Envoy connects: unix:PATH or `HOST:PORT`")
	f.StringVar(&s.admin, "admin", "127.0.0.1:9902", "`HOST:PORT` of page, metrics and health")
	f.StringVar(&s.state, "state", "/var/lib/farebox", "`DIR` of journal and ledger")
	f.DurationVar(&s.drain, "drain", 10*time.Second, "how long a shutdown waits for answers that are streaming")
	f.TextVar(&s.level, "log-level", slog.LevelInfo, "debug, info, warn or error")
	s.access.define(f)
	if status, ok := parse(f, args); !ok {
		return status
	}
	if s.policy == "" || f.NArg() > 0 {
		f.Usage()
		return statusUsage
	}
	if err := serve(ctx, s, e); err != nil {
		return e.fail(err)
	}
	return statusOK
}

// serve runs the server until ctx ends.
func serve(ctx context.Context, s serveFlags, e env) (err error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	logger := slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: s.level}))
	creds, err := s.access.credentials(s.listen)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	parts, err := open(ctx, s, metrics.New(registry), registry, logger, e)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.close()) }()
	listener, err := listen(s.listen)
	if err != nil {
		return err
	}
	server := grpc.NewServer(creds, grpc.WaitForHandlers(true), grpc.MaxRecvMsgSize(extproc.MaxMessage), grpc.MaxConcurrentStreams(1<<20),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}))
	extprocv3.RegisterExternalProcessorServer(server, extproc.New(parts.conductor, parts.metrics))
	healthServer := health.NewServer()
	healthv1.RegisterHealthServer(server, healthServer)
	page, err := parts.adminServer(s.admin)
	if err != nil {
		listener.Close()
		return err
	}
	logger.Info("started", "listen", s.listen, "admin", page.addr, "policy", s.policy, "mode", string(parts.mode()), "version", version())
	return parts.run(ctx, running{server, healthServer, listener, page, s.drain})
}

// listen opens the address that Envoy connects to. A socket file that nobody serves is replaced.
func listen(address string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, "unix:")
	if !isUnix {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("listen for Envoy: %w", err)
		}
		return l, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("listen for Envoy: %w", err)
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		conn.Close()
		return nil, fmt.Errorf("listen for Envoy: another process serves %q; stop it or choose another --listen", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("listen for Envoy: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for Envoy: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, fmt.Errorf("listen for Envoy: %w", err)
	}
	return l, nil
}

// running is what serves until the end.
type running struct {
	server   *grpc.Server
	health   *health.Server
	listener net.Listener
	page     *page
	drain    time.Duration
}

// run serves until ctx ends or something breaks, then lets open streams finish within the drain time.
func (p *parts) run(ctx context.Context, r running) error {
	failed := make(chan error, 2)
	go func() { failed <- r.server.Serve(r.listener) }()
	go func() { failed <- r.page.serve() }()
	go p.watch(ctx)
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	p.ready.Store(false)
	r.health.Shutdown()
	drained := make(chan struct{})
	go func() { r.server.GracefulStop(); close(drained) }()
	select {
	case <-drained:
	case <-time.After(r.drain):
		// Envoy passes the rest of these answers through; their exchanges settle what they saw.
		r.server.Stop()
		<-drained
	}
	r.page.close()
	p.logger.Info("stopped")
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}
