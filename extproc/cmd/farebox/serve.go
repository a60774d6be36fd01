package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
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

// streamWorkers is how many calls at a time run on goroutines that stay, with the stacks that earlier calls have grown;
// those beyond have their own. Growing a stack for each call was 9% of the server's CPU time on small JSON calls.
const streamWorkers = 64

// serveFlags are the flags of farebox serve.
type serveFlags struct {
	policy, listen, admin, state string
	token                        string
	postgres, redis              connection
	redisReplicas                int
	access                       access
	drain, leave                 time.Duration
	level                        slog.Level
}

func runServe(ctx context.Context, args []string, e env) int {
	s := serveFlags{leave: leaveWithin}
	f := flags("serve", "serve --policy FILE [flags]", e)
	f.StringVar(&s.policy, "policy", "", "policy `FILE`")
	f.StringVar(&s.listen, "listen", "unix:/run/farebox/extproc.sock", "where Envoy connects: unix:PATH or `HOST:PORT`")
	f.StringVar(&s.admin, "admin", "127.0.0.1:9902", "`HOST:PORT` of page, metrics and health")
	f.StringVar(&s.token, "admin-token", "", "`PATH` or file:PATH of a token that lets an operator top up budgets; without one nobody can")
	f.StringVar(&s.state, "state", "/var/lib/farebox", "`DIR` of journal and ledger")
	f.Var(&s.postgres, "postgres", "PostgreSQL that gets the entries of this and other servers: `URL` or file:PATH; "+postgresEnv+" by default")
	f.Var(&s.redis, "redis", "Redis or Valkey in which this and other servers share hard budgets: `URL` or file:PATH; "+redisEnv+" by default")
	f.IntVar(&s.redisReplicas, "redis-replicas", 0, "how many replicas of that Redis must have a grant before it is used: `N`")
	f.DurationVar(&s.drain, "drain", 10*time.Second, "how long a shutdown waits for answers that are streaming")
	f.TextVar(&s.level, "log-level", slog.LevelInfo, "debug, info, warn or error")
	s.access.define(f)
	if status, ok := parse(f, args); !ok {
		return status
	}
	if wrong := onlyFlags(f, "policy"); wrong != "" {
		return misused(f, wrong)
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
	creds, err := s.access.credentials(s.listen, logger)
	if err != nil {
		return err
	}
	token, err := adminToken(s.token)
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
	processor := extproc.New(parts.conductor, parts.metrics)
	server := grpc.NewServer(creds, grpc.ForceServerCodecV2(extproc.Codec{}), grpc.WaitForHandlers(true), grpc.NumStreamWorkers(streamWorkers),
		grpc.MaxRecvMsgSize(extproc.MaxMessage), grpc.MaxConcurrentStreams(1<<20),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}))
	extprocv3.RegisterExternalProcessorServer(server, processor)
	healthServer := health.NewServer()
	healthv1.RegisterHealthServer(server, healthServer)
	page, err := parts.adminServer(s.admin, token)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	logger.LogAttrs(ctx, slog.LevelInfo, "started", slog.String("listen", s.listen), slog.String("admin", page.addr),
		slog.String("policy", s.policy), slog.String("mode", string(parts.mode())), slog.String("version", version()))
	return parts.run(ctx, running{server, processor, healthServer, listener, page, s.drain, s.leave})
}

// running is what serves until the end.
type running struct {
	server    *grpc.Server
	processor *extproc.Server
	health    *health.Server
	listener  net.Listener
	page      *page
	drain     time.Duration
	leave     time.Duration // how long streams may take to notice that the server leaves
}

// run serves until ctx ends or something breaks, then lets open streams finish within the drain time.
func (p *parts) run(ctx context.Context, r running) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 2)
	var background sync.WaitGroup
	background.Go(func() { failed <- r.server.Serve(r.listener) })
	background.Go(func() { failed <- r.page.serve() })
	background.Go(func() { p.watch(ctx) })
	background.Go(func() { p.pools.Measure(ctx, p.now) })
	background.Go(func() { p.conductor.Collect(ctx) })
	go p.refreshCredentials(ctx)
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		stop()
	}
	p.ready.Store(false)
	r.health.Shutdown()
	r.stop()
	r.page.close()
	background.Wait()
	p.logger.LogAttrs(ctx, slog.LevelInfo, "stopped")
	return unlessClosed(err)
}

// leaveWithin is serveFlags.leave where no test says otherwise.
const leaveWithin = 500 * time.Millisecond

// stop refuses new streams and ends the open ones: by themselves, else between two pieces of their answers, else
// with their connection. Envoy passes the rest of the answers through, and exchanges settle what they saw.
func (r *running) stop() {
	drained := make(chan struct{})
	go func() { r.server.GracefulStop(); close(drained) }()
	for _, step := range []struct {
		wait time.Duration
		then func()
	}{{r.drain, r.processor.Leave}, {r.leave, r.server.Stop}} {
		select {
		case <-drained:
			return
		case <-time.After(step.wait):
			step.then()
		}
	}
	<-drained
}

// unlessClosed drops the errors by which servers say that they were asked to stop.
func unlessClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}
