package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// puppet is an upstream that says what it is told to say.
type puppet struct {
	url string

	mu     sync.Mutex // guards what follows
	status int
	header map[string]string
	body   []byte
	list   []received
	gate   chan struct{} // where it is not nil, an answer stops after its first byte until this is closed
}

func newPuppet(t *testing.T) *puppet {
	t.Helper()
	p := &puppet{}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *puppet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	headers := map[string]string{}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	p.mu.Lock()
	p.list = append(p.list, received{r.Method, r.RequestURI, headers, body})
	status, header, answer, gate := p.status, p.header, p.body, p.gate
	p.mu.Unlock()
	for name, value := range header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(status)
	if gate != nil {
		_, _ = w.Write(answer[:1])
		w.(http.Flusher).Flush()
		<-gate
		answer = answer[1:]
	}
	_, _ = w.Write(answer) // the client may have gone
}

// says sets what the next answers are.
func (p *puppet) says(status int, header map[string]string, body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.header, p.body = status, header, body
}

func (p *puppet) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = nil
}

func (p *puppet) received() []received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]received(nil), p.list...)
}

// chatStream is a whole stream of chat that reports its usage.
func chatStream(input, output int) []byte {
	return fmt.Appendf(nil, "data: %s\n\ndata: %s\n\ndata: %s\n\ndata: [DONE]\n\n",
		`{"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}`,
		`{"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
		fmt.Sprintf(`{"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}`, input, output, input+output))
}
