package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/extproc/internal/ledger/postgres"
)

// connection is how to reach a PostgreSQL: a URL, or "file:" and the path of a file that holds one. It may hold a
// password.
type connection string

// postgresEnv stands in for --postgres, so that a password need not be seen among the processes.
const postgresEnv = "FAREBOX_POSTGRES_URL"

// String implements flag.Value. What it returns may be shown.
func (c connection) String() string {
	if c == "" || strings.HasPrefix(string(c), "file:") {
		return string(c)
	}
	return "[redacted]"
}

// Set implements flag.Value.
func (c *connection) Set(s string) error {
	*c = connection(s)
	return nil
}

// LogValue implements slog.LogValuer.
func (c connection) LogValue() slog.Value { return slog.StringValue(c.String()) }

// read returns the URL.
func (c connection) read() (string, error) {
	file, ok := strings.CutPrefix(string(c), "file:")
	if !ok {
		return string(c), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read --postgres: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// sinks returns what the journal feeds beside its own folder.
func (c connection) sinks() ([]ledger.Sink, error) {
	if c == "" {
		c = connection(os.Getenv(postgresEnv))
	}
	if c == "" {
		return nil, nil
	}
	url, err := c.read()
	if err != nil {
		return nil, err
	}
	sink, err := postgres.New(url)
	if err != nil {
		return nil, err
	}
	return []ledger.Sink{sink}, nil
}
