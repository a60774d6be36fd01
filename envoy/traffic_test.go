package envoy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// call is a request of a client; the fields left out are a POST of two bytes.
type call struct {
	method string
	path   string
	host   string
	header http.Header
	body   string
}

func TestObserveModeCarriesCallsWithoutTheServer(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, envoy string) {
		p := newProviders(t)
		addr := start(t, envoy, p.config(t, Observe))
		for _, tt := range []struct {
			name string
			call call
			want string
		}{
			{"by host, whatever its case and port", call{path: "/v1/x", host: "API.Anthropic.com:80"}, "anthropic POST /v1/x hi"},
			{"by header, on a path that two share", call{method: "GET", path: "/v1/models", header: http.Header{"X-Api-Key": {"k"}}}, "anthropic GET /v1/models hi"},
			{"by the key in the query, on a path that two share", call{path: "/v1/models/m:generateContent?alt=sse&key=k"}, "google POST /v1/models/m:generateContent?alt=sse&key=k hi"},
			{"by the header of Google's clients", call{path: "/v1/models/m:generateContent", header: http.Header{"X-Goog-Api-Client": {"c"}}}, "google POST /v1/models/m:generateContent hi"},
			{"by path, with its query", call{path: "/v1beta/models/m:generateContent?alt=sse"}, "google POST /v1beta/models/m:generateContent?alt=sse hi"},
			{"by the longer path", call{path: "/v1/messages?beta=true"}, "anthropic POST /v1/messages?beta=true hi"},
			{"by the shorter path", call{path: "/v1/chat/completions"}, "openai POST /v1/chat/completions hi"},
			{"by nothing", call{path: "/health"}, "openai POST /health hi"},
			{"forged route", call{path: "/v1/x", header: http.Header{"X-Farebox-Route": {"google"}}}, "openai POST /v1/x hi"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				status, got := send(t, addr, tt.call)
				if diff := cmp.Diff("200 "+tt.want, fmt.Sprint(status, " ", got)); diff != "" {
					t.Errorf("answer (-want +got):\n%s", diff)
				}
			})
		}
	})
}

func TestObserveModeSendsNoPrefix(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, envoy string) {
		c := newProviders(t).config(t, Observe)
		c.Upstreams[3].Prefix, c.Upstreams[3].Hosts = "/eu", []string{"eu.example"}
		addr := start(t, envoy, c)
		for _, tt := range []struct {
			name string
			call call
			want string
		}{
			{"path", call{path: "/eu/v1/chat/completions"}, "gpu POST /v1/chat/completions hi"},
			{"query", call{path: "/eu/v1/x?a=%20/eu/&b"}, "gpu POST /v1/x?a=%20/eu/&b hi"},
			{"once", call{path: "/eu/eu/v1/x"}, "gpu POST /eu/v1/x hi"},
			{"alone", call{path: "/eu?a"}, "gpu POST /?a hi"},
			{"before headers and keys", call{path: "/eu/v1/x?key=k", header: http.Header{"X-Api-Key": {"k"}}}, "gpu POST /v1/x?key=k hi"},
			{"but where the host tells", call{path: "/eu/v1/x", host: "eu.example"}, "gpu POST /eu/v1/x hi"},
			{"of a segment", call{path: "/eux/v1/x"}, "openai POST /eux/v1/x hi"},
			{"at another host", call{path: "/eu/v1/x", host: "api.openai.com"}, "openai POST /eu/v1/x hi"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				status, got := send(t, addr, tt.call)
				if diff := cmp.Diff("200 "+tt.want, fmt.Sprint(status, " ", got)); diff != "" {
					t.Errorf("answer (-want +got):\n%s", diff)
				}
			})
		}
	})
}

func TestClientsOrderNoRetries(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, envoy string) {
		var attempts atomic.Int64
		provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			attempts.Add(1)
			for _, name := range []string{"X-Forwarded-Proto", "X-Forwarded-For", "X-Envoy-External-Address", "X-Envoy-Internal"} {
				if v := r.Header.Get(name); v != "" {
					t.Errorf("the provider was told %s: %s", name, v)
				}
			}
			w.WriteHeader(http.StatusInternalServerError)
		}))
		t.Cleanup(provider.Close)
		c := newProviders(t).config(t, Observe)
		c.Upstreams[0].URLs = []string{provider.URL}
		header := http.Header{"X-Envoy-Retry-On": {"5xx"}, "X-Envoy-Max-Retries": {"3"}}
		send(t, start(t, envoy, c), call{path: "/v1/x", header: header})
		if got := attempts.Load(); got != 1 {
			t.Errorf("the provider was called %d times, want 1: a retry may be charged twice", got)
		}
	})
}

func TestEnforceModeRefusesWhatNobodyDecided(t *testing.T) {
	const message = "the gateway cannot decide this request at the moment, or knows no provider for it; nothing was sent"
	openai := `{"error":{"message":"` + message + `","type":"server_error","code":"farebox_undecided","param":null}}`
	anthropic := `{"type":"error","error":{"type":"api_error","message":"` + message + `"}}`
	google := `{"error":{"code":503,"status":"UNAVAILABLE","message":"` + message + `"}}`
	forged := http.Header{"X-Farebox-Route": {"openai"}, "X-Farebox-Decision": {"allow"}}
	eachEnvoy(t, func(t *testing.T, envoy string) {
		p := newProviders(t)
		withServer := p.config(t, Enforce)
		alone := p.config(t, Enforce)
		alone.ExtProc = ""
		alone.Wasm = &Wasm{File: filepath.Join(t.TempDir(), "filter.wasm")}
		if err := os.WriteFile(alone.Wasm.File, []byte(emptyFilter), 0o644); err != nil {
			t.Fatal(err)
		}
		addr, addrAlone := start(t, envoy, withServer), start(t, envoy, alone)
		for _, tt := range []struct {
			name, addr string
			call       call
			status     int
			want       string
		}{
			{"OpenAI", addr, call{path: "/v1/chat/completions"}, 503, openai},
			{"Anthropic", addr, call{path: "/v1/messages"}, 503, anthropic},
			{"Anthropic, behind a prefix", addr, call{path: "/eu/v1/messages?beta=true"}, 503, anthropic},
			{"Google", addr, call{path: "/v1beta/models/m:generateContent"}, 503, google},
			{"Google's other version", addr, call{path: "/v1/models/m:streamGenerateContent?alt=sse&key=k"}, 503, google},
			{"OpenAI's fine-tuned model", addr, call{method: "GET", path: "/v1/models/ft:gpt-4o:acme::1"}, 503, openai},
			{"forged route", addr, call{path: "/v1/x", header: forged}, 503, openai},
			{"forged route, filter alone", addrAlone, call{path: "/v1/x", header: forged}, 503, openai},
			{
				"upgrade", addr, call{method: "GET", path: "/v1/responses", header: http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}}, 403,
				`{"error":{"message":"the gateway refused the request; connection upgrades are not supported, use plain HTTP requests","type":"invalid_request_error","code":"request_refused","param":null}}`,
			},
		} {
			t.Run(tt.name, func(t *testing.T) {
				status, got := send(t, tt.addr, tt.call)
				if status != tt.status {
					t.Errorf("status %d, want %d", status, tt.status)
				}
				if diff := cmp.Diff(decode(t, tt.want), decode(t, got)); diff != "" {
					t.Errorf("body (-want +got):\n%s", diff)
				}
			})
		}
	})
}

func TestTheAccessLogHoldsNoQuery(t *testing.T) {
	eachEnvoy(t, func(t *testing.T, envoy string) {
		c := newProviders(t).config(t, Observe)
		send(t, start(t, envoy, c), call{path: "/v1beta/models/m:generateContent?key=secret"})
		line := firstLine(t, c.AccessLog)
		if strings.Contains(line, "secret") {
			t.Errorf("the key stands in the access log: %s", line)
		}
		var got struct {
			Path, Upstream string
			Status         int
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("access log %q: %v", line, err)
		}
		if got.Path != "/v1beta/models/m:generateContent" || got.Upstream != "google" || got.Status != 200 {
			t.Errorf("access log %s: want path, upstream google and status 200", line)
		}
	})
}

// providers are the upstreams of Shipped as local servers that say their name
// and what they got.
type providers map[string]*httptest.Server

func newProviders(t *testing.T) providers {
	t.Helper()
	p := providers{}
	for _, u := range Shipped(Observe).Upstreams {
		p[u.Name] = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Errorf("%s: %v", u.Name, err)
			}
			if want := strings.TrimPrefix(p[u.Name].URL, "http://"); r.Host != want {
				t.Errorf("%s was called as %q, want its own name %q", u.Name, r.Host, want)
			}
			fmt.Fprintf(w, "%s %s %s %s", u.Name, r.Method, r.URL, body)
		}))
		t.Cleanup(p[u.Name].Close)
	}
	return p
}

// config is the shipped configuration on ports that Envoy chooses, in front of
// p and of a farebox server that does not run.
func (p providers) config(t *testing.T, m Mode) Config {
	t.Helper()
	dir := t.TempDir()
	c := Shipped(m)
	c.Listen, c.AdminAddress = "127.0.0.1:0", "127.0.0.1:0"
	c.ExtProc, c.AccessLog = "127.0.0.1:1", filepath.Join(dir, "access.log")
	for i, u := range c.Upstreams {
		c.Upstreams[i].URLs = []string{p[u.Name].URL}
	}
	return c
}

// start runs Envoy until the end of the test and returns its listener's address.
func start(t *testing.T, envoy string, c Config) string {
	t.Helper()
	admin := filepath.Join(t.TempDir(), "admin")
	var log bytes.Buffer
	cmd := exec.Command(envoy, "-c", write(t, c), "--concurrency", "1", "--use-dynamic-base-id", "--admin-address-path", admin, "-l", "warning")
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { defer close(exited); _ = cmd.Wait() }() // ends with the process, which the clean-up stops
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-exited:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-exited
		}
		if t.Failed() {
			t.Logf("Envoy's log:\n%s", &log)
		}
	})
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if addr, ok := listener(admin); ok {
			return addr
		}
		select {
		case <-exited:
			t.Fatal("Envoy ended while it started")
		default:
		}
	}
	t.Fatal("Envoy was not ready within a minute")
	return ""
}

// listener asks Envoy's admin interface for the address of the listener.
func listener(adminFile string) (string, bool) {
	admin, err := os.ReadFile(adminFile)
	if err != nil {
		return "", false
	}
	res, err := http.Get("http://" + string(admin) + "/listeners")
	if err != nil {
		return "", false
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	addr, found := strings.CutPrefix(strings.TrimSpace(string(text)), "farebox::")
	return addr, err == nil && found
}

func send(t *testing.T, addr string, c call) (status int, body string) {
	t.Helper()
	if c.method == "" {
		c.method = http.MethodPost
	}
	if c.body == "" {
		c.body = "hi"
	}
	req, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+addr+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	if c.header != nil {
		req.Header = c.header.Clone()
	}
	req.Host = c.host
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func decode(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("body %q: %v", text, err)
	}
	return v
}

// firstLine waits for a file's first line: Envoy writes its access log within
// ten seconds.
func firstLine(t *testing.T, path string) string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if line, _, ok := strings.Cut(string(text), "\n"); ok {
			return line
		}
	}
	t.Fatalf("nothing in %s within a minute", path)
	return ""
}
