// Command provider is a vendor of language models to test against: it speaks the OpenAI, Anthropic and Gemini APIs over
// plain HTTP/1.1, those of other houses at addresses of their own, counts tokens with a real tokenizer, simulates
// prompt caching, rejects what the real vendors reject and keeps an invoice of its own. It shares no code with the rest
// of the module, so that an agreement between the two about money means something.
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
	others := set.String("houses", "", "`names` of houses that get an address of their own, separated by commas; or all")
	set.IntVar(&cfg.overrun, "overrun", 20, "`tokens` that are still generated and billed after a stream's client has gone")
	if err := set.Parse(args); err != nil {
		return config{}, "", err
	}
	if set.NArg() > 0 {
		return config{}, "", fmt.Errorf("unexpected argument %q", set.Arg(0))
	}
	var err error
	if cfg.houses, err = parseHouses(*others); err != nil {
		return config{}, "", err
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
	doors := map[house]net.Listener{"": ln}
	for _, h := range cfg.houses {
		if doors[h], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return fmt.Errorf("listen for %s: %w", h, err)
		}
	}
	return serve(ctx, doors, srv)
}

// serve answers at every door until ctx ends, then closes every connection at once: a test that stops its provider does
// not wait for stalled streams.
func serve(ctx context.Context, doors map[house]net.Listener, srv *server) error {
	hello := struct {
		Listening string           `json:"listening"`
		Houses    map[house]string `json:"houses,omitempty"`
	}{doors[""].Addr().String(), map[house]string{}}
	done := make(chan error, len(doors))
	var open []*http.Server
	for h, ln := range doors {
		hs := &http.Server{
			Handler:           door{srv, h},
			ReadHeaderTimeout: 30 * time.Second,
			MaxHeaderBytes:    1 << 20,
			ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
		}
		open = append(open, hs)
		if h != "" {
			hello.Houses[h] = ln.Addr().String()
		}
		// Ends when its server is closed; done has room for every one.
		go func() { done <- hs.Serve(ln) }()
	}
	if err := json.NewEncoder(os.Stdout).Encode(hello); err != nil {
		return fmt.Errorf("print the address: %w", err)
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		var all []error
		for _, hs := range open {
			all = append(all, hs.Close())
		}
		return errors.Join(all...)
	}
}
