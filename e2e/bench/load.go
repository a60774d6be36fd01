package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	askedModel   = "gpt-4o"
	servedModel  = "gpt-4o-mini" // what the enforcing policy makes of it
	requestBytes = 8 << 10
	requestTime  = 20 * time.Second
)

// load is a number of equal requests, so many at a time, each sent when the one before it was answered.
type load struct {
	name     string
	request  []byte // as on the wire
	parallel int
	requests int
	hits     int // so many times the requests where they are answered from a cache, so that the clock has ticks to count
}

// loads are what is measured, with the number of requests of each.
func loads(one, eight, streams int) []load {
	return []load{
		{"8 KB JSON, one at a time", wire(false), 1, one, 1},
		{"8 KB JSON, 8 in parallel", wire(false), 8, eight, 1},
		{"stream of 100 events, 16 in parallel", wire(true), 16, streams, 10},
	}
}

// wire is a chat completion request of 8 KB.
func wire(stream bool) []byte {
	body := `{"model":"` + askedModel + `","temperature":0,"max_tokens":500,`
	if stream {
		body += `"stream":true,"stream_options":{"include_usage":true},`
	}
	body += `"messages":[{"role":"system","content":"You answer questions about fares."},{"role":"user","content":"`
	const end = `"}]}`
	const sentence = "Does a day ticket cover the night bus to the airport? "
	body += strings.Repeat(sentence, (requestBytes-len(body)-len(end))/len(sentence)) + end
	head := "POST /v1/chat/completions HTTP/1.1\r\nhost: llm.internal\r\nauthorization: Bearer sk-bench\r\n" +
		"user-agent: bench\r\naccept: application/json\r\ncontent-type: application/json\r\n"
	return fmt.Appendf(nil, "%scontent-length: %d\r\n\r\n%s", head, len(body), body)
}

// run sends the requests to addr and returns how long each took, shortest first.
func (l load) run(ctx context.Context, addr string) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	took := make([]time.Duration, l.requests)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range l.parallel {
		workers.Go(func() {
			if err := l.work(ctx, addr, took, &next); err != nil {
				cancel(err)
			}
		})
	}
	workers.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	slices.Sort(took)
	return took, nil
}

// work sends requests on one connection until none is left.
func (l load) work(ctx context.Context, addr string, took []time.Duration, next *atomic.Int64) error {
	c, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.close()
	for {
		i := int(next.Add(1)) - 1
		if i >= len(took) {
			return nil
		}
		began := time.Now()
		status, _, err := c.do(l.request)
		took[i] = time.Since(began)
		switch {
		case err != nil:
			return err
		case status != http.StatusOK:
			return fmt.Errorf("answer with status %d", status)
		}
	}
}

// client is one connection. It costs less than an http.Client: with few cores the client's work is latency.
type client struct {
	conn    net.Conn
	in      *bufio.Reader
	unwatch func() bool
}

func dial(ctx context.Context, addr string) (*client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, in: bufio.NewReaderSize(conn, 16<<10)}
	c.unwatch = context.AfterFunc(ctx, func() { _ = conn.Close() }) // a read or write reports it
	return c, nil
}

func (c *client) close() {
	c.unwatch()
	_ = c.conn.Close() // all answers were read
}

// do sends a request and reads the answer to its end.
func (c *client) do(request []byte) (status int, header http.Header, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(requestTime)); err != nil {
		return 0, nil, err
	}
	if _, err := c.conn.Write(request); err != nil {
		return 0, nil, err
	}
	res, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Header, err
}

// streams reports whether a request body asks for a stream.
func streams(body []byte) bool { return bytes.Contains(body, []byte(`"stream":true`)) }
