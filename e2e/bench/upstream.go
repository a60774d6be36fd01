package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"
)

const (
	streamEvents = 100
	streamPause  = 3 * time.Millisecond // between two events
	answerBytes  = 2 << 10
)

// serveUpstream answers every request like a chat completion API, with constant text. It prints its address.
func serveUpstream(ctx context.Context, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	answer, events := wholeAnswer(), eventsOfAnswer()
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadRequest)
		case streams(body):
			answerStream(w, r, events)
		default:
			w.Header().Set("content-type", "application/json")
			_, _ = w.Write(answer) // a client that is gone needs no answer
		}
	})}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // Serve reports the end
	defer stop()
	fmt.Fprintf(out, "upstream on %s\n", l.Addr())
	if err := server.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}

func answerStream(w http.ResponseWriter, r *http.Request, events [][]byte) {
	w.Header().Set("content-type", "text/event-stream")
	flusher := http.NewResponseController(w)
	tick := time.NewTicker(streamPause)
	defer tick.Stop()
	for _, e := range events {
		if _, err := w.Write(e); err != nil {
			return
		}
		if err := flusher.Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

const usage = `{"prompt_tokens":1820,"completion_tokens":98,"total_tokens":1918,` +
	`"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},` +
	`"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`

// wholeAnswer is a chat completion of 2 KB.
func wholeAnswer() []byte {
	const head = `{"id":"chatcmpl-bench","object":"chat.completion","created":1780000000,"model":"` + askedModel +
		`","choices":[{"index":0,"message":{"role":"assistant","content":"`
	const tail = `","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":` + usage + `,"system_fingerprint":"fp_bench"}`
	const sentence = "A day ticket covers it until three in the morning. "
	return []byte(head + strings.Repeat(sentence, (answerBytes-len(head)-len(tail))/len(sentence)) + tail)
}

// eventsOfAnswer is a streamed chat completion: text, the reason of the end, the usage.
func eventsOfAnswer() [][]byte {
	const format = "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1780000000,\"model\":\"" + askedModel +
		"\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_bench\",\"choices\":[%s],\"usage\":%s}\n\n"
	var events [][]byte
	for range streamEvents - 2 {
		events = append(events, fmt.Appendf(nil, format, `{"index":0,"delta":{"content":" ticket"},"logprobs":null,"finish_reason":null}`, "null"))
	}
	events = append(events, fmt.Appendf(nil, format, `{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}`, "null"))
	return append(events, append(fmt.Appendf(nil, format, "", usage), "data: [DONE]\n\n"...))
}

// upstreamProcess is the upstream as the stacks see it.
type upstreamProcess struct {
	process *process
	url     string
}

var upstreamAddress = regexp.MustCompile(`upstream on (\S+)\n`)

// startUpstream runs this program once more, as the upstream: its work must not be on the client's processor time.
func (b *bench) startUpstream(ctx context.Context) (*upstreamProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := start(b.dir, "upstream", self, "-upstream")
	if err != nil {
		return nil, err
	}
	u := &upstreamProcess{process: p}
	err = p.until(ctx, func() bool {
		address := p.find(upstreamAddress)
		u.url = "http://" + address
		return address != ""
	})
	if err != nil {
		p.stop()
		return nil, err
	}
	return u, nil
}
