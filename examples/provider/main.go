// Command provider is a vendor of language models to test against: it speaks the OpenAI, Anthropic and Gemini
// APIs over plain HTTP/1.1, counts tokens with a real tokenizer, simulates prompt caching, rejects what the real
// vendors reject and keeps an invoice of its own. It shares no code with the rest of the module, so that an
// agreement between the two about money means something.
//
// README.md in this folder lists the control endpoints and what is not simulated.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "provider:", err)
		}
		os.Exit(2)
	}
}

// parseFlags reads the command line. Usage goes to standard error.
func parseFlags(args []string) (config, string, error) {
	var cfg config
	var role string
	set := flag.NewFlagSet("provider", flag.ContinueOnError)
	listen := set.String("listen", "127.0.0.1:0", "`address` to listen on; port 0 picks a free one")
	set.StringVar(&role, "role", string(roleVendor), "vendor (all APIs, prices, credentials) or pool (OpenAI chat only, free)")
	set.Uint64Var(&cfg.seed, "seed", 1, "`number` that answers and cache routing are derived from")
	set.DurationVar(&cfg.delay, "delay", 0, "pause before each event of a stream")
	set.DurationVar(&cfg.first, "first", 0, "pause before the first byte of an answer")
	set.IntVar(&cfg.overrun, "overrun", 20, "`tokens` that are still generated and billed after a stream's client has gone")
	if err := set.Parse(args); err != nil {
		return config{}, "", err
	}
	if set.NArg() > 0 {
		return config{}, "", fmt.Errorf("unexpected argument %q", set.Arg(0))
	}
	cfg.role = serverRole(role)
	if cfg.role != roleVendor && cfg.role != rolePool {
		return config{}, "", fmt.Errorf("unknown role %q: use vendor or pool", role)
	}
	return cfg, *listen, nil
}

func run(args []string) error {
	cfg, listen, err := parseFlags(args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	srv, err := newServer(cfg)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen on %q: %w", listen, err)
	}
	return serve(ctx, ln, srv)
}

// serve answers on ln until ctx ends, then closes every connection at once: a test that stops its provider does
// not wait for stalled streams.
func serve(ctx context.Context, ln net.Listener, handler http.Handler) error {
	hs := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 30 * time.Second,
		MaxHeaderBytes:    1 << 20,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"listening": ln.Addr().String()}); err != nil {
		return fmt.Errorf("print the address: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- hs.Serve(ln) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return hs.Close()
	}
}
