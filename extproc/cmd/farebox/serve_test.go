package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/farebox-mesh/farebox/extproc/internal/metrics"
	"github.com/farebox-mesh/farebox/policies"
)

// screen is standard error, which many write to.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// patience is how long these tests wait for what must come to pass, on however busy a machine.
const patience = 30 * time.Second

// soon waits until something holds.
func soon(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// service is a farebox serve in this process.
type service struct {
	socket, admin, policy string
	stderr                *screen
	stop                  context.CancelFunc
	status                chan int
}

func startService(t *testing.T, policy string) *service {
	t.Helper()
	dir := shortDir(t)
	check(t, os.WriteFile(filepath.Join(dir, "p.yaml"), []byte(policy), 0o600))
	return startServiceIn(t, dir)
}

// startServiceIn starts with the policy and the state of a folder.
func startServiceIn(t *testing.T, dir string) *service {
	t.Helper()
	s := newService(dir)
	args := []string{"serve", "--policy", s.policy, "--listen", "unix:" + s.socket, "--admin", "127.0.0.1:0", "--state", filepath.Join(dir, "state"), "--drain", "100ms"}
	if token := filepath.Join(dir, "token"); exists(token) {
		args = append(args, "--admin-token", "file:"+token)
	}
	s.start(t, func(ctx context.Context, e env) int { return run(ctx, args, e) })
	return s
}

func newService(dir string) *service {
	return &service{
		socket: filepath.Join(dir, "s.sock"), policy: filepath.Join(dir, "p.yaml"), stderr: &screen{}, status: make(chan int, 1),
	}
}

// start serves until the end of the test, and returns when the server has an address.
func (s *service) start(t *testing.T, serve func(context.Context, env) int) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s.stop = stop
	go func() { s.status <- serve(ctx, env{stdout: io.Discard, stderr: s.stderr, now: time.Now}) }()
	t.Cleanup(func() { s.stop(); s.wait(t) })
	started := regexp.MustCompile(`msg=started .*admin=(\S+)`)
	soon(t, "it starts", func() bool {
		if m := started.FindStringSubmatch(s.stderr.String()); m != nil {
			s.admin = m[1]
		}
		return s.admin != ""
	})
}

// wait returns the exit status; it may be asked again.
func (s *service) wait(t testing.TB) int {
	t.Helper()
	select {
	case status := <-s.status:
		s.status <- status
		return status
	case <-time.After(patience):
		t.Fatalf("it does not end: %s", s.stderr)
		return -1
	}
}

func (s *service) dial(t testing.TB) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("unix:"+s.socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (s *service) get(t testing.TB, path string) string {
	t.Helper()
	r, err := http.Get("http://" + s.admin + path)
	check(t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	check(t, err)
	return string(text)
}

func TestServeAnswersAndLeavesInPeace(t *testing.T) {
	dir := shortDir(t)
	s := newService(dir)
	check(t, os.WriteFile(s.policy, []byte("version: 1\nmode: enforce\n"), 0o600))
	flags := serveFlags{
		policy: s.policy, listen: "unix:" + s.socket, admin: "127.0.0.1:0", state: filepath.Join(dir, "state"),
		drain: 100 * time.Millisecond, leave: patience, // this client may be slow
	}
	s.start(t, func(ctx context.Context, e env) int {
		if err := serve(ctx, flags, e); err != nil {
			return e.fail(err)
		}
		return statusOK
	})
	conn := s.dial(t)
	h, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
	check(t, err)
	if h.Status != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("health %s", h.Status)
	}
	st, err := extprocv3.NewExternalProcessorClient(conn).Process(t.Context())
	check(t, err)
	ask := func(m *extprocv3.ProcessingRequest) {
		t.Helper()
		check(t, st.Send(m))
		_, err := st.Recv()
		check(t, err)
	}
	ask(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: &extprocv3.HttpHeaders{Headers: &corev3.HeaderMap{
		Headers: []*corev3.HeaderValue{{Key: ":method", RawValue: []byte("POST")}, {Key: ":path", RawValue: []byte("/v1/chat/completions")}},
	}}}})
	ask(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestBody{RequestBody: &extprocv3.HttpBody{
		Body: []byte(`{"model":"gpt-4o","max_tokens":9,"messages":[]}`), EndOfStream: true,
	}}})
	// The answer is on its way, and the server is asked to stop.
	s.stop()
	soon(t, "it leaves", func() bool {
		err := st.Send(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_ResponseBody{ResponseBody: &extprocv3.HttpBody{Body: []byte("{")}}})
		if err == nil {
			_, err = st.Recv()
		}
		if err != nil && !errors.Is(err, io.EOF) {
			t.Fatalf("the stream was cut: %v", err)
		}
		return err != nil
	})
	if got := s.wait(t); got != statusOK {
		t.Errorf("exit status %d: %s", got, s.stderr)
	}
	if _, err := os.Stat(s.socket); err == nil {
		t.Error("the socket is still there")
	}
	again := startServiceIn(t, dir)
	if text := again.get(t, "/api/summary"); !strings.Contains(text, `"cancelled"`) || strings.Contains(text, `"lost"`) {
		t.Errorf("the call was not settled: %s", text)
	}
}

func TestServeReloadsOnSIGHUPAndOnChange(t *testing.T) {
	// Without this the signal would end the tests, should farebox not listen to it.
	held := make(chan os.Signal, 8)
	signal.Notify(held, syscall.SIGHUP)
	defer signal.Stop(held)
	s := startService(t, "version: 1\nmode: observe\n")
	mode := func() string { return s.get(t, "/") }
	replace := func(text string) {
		t.Helper()
		check(t, os.WriteFile(s.policy+".new", []byte(text), 0o600))
		check(t, os.Rename(s.policy+".new", s.policy))
	}
	replace("version: 1\nmode: enforce\n")
	soon(t, "the change is seen", func() bool { return strings.Contains(mode(), `class="badge enforce"`) })
	replace("version: 1\nmode: nonsense\n")
	check(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	soon(t, "the mistake is shown", func() bool { return strings.Contains(mode(), "was refused") })
	if page := mode(); !strings.Contains(page, `class="badge enforce"`) {
		t.Errorf("the old policy is not in force: %s", page)
	}
	soon(t, "the metric says that the reload went wrong", func() bool {
		return strings.Contains(s.get(t, "/metrics"), "farebox_config_last_reload_successful 0")
	})
	replace("version: 1\nmode: observe\n")
	soon(t, "a good file heals", func() bool {
		page := mode()
		return strings.Contains(page, `class="badge observe"`) && !strings.Contains(page, "was refused")
	})
}

func TestServeMeasuresPools(t *testing.T) {
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "vllm:prompt_tokens_total{model_name=\"llama\"} 12\nvllm:num_requests_running 5\nvllm:num_requests_waiting 9\n")
	}))
	defer engine.Close()
	s := startService(t, `version: 1
tiers: {routine: [gpu/llama, openai/gpt-4o]}
rules: [{name: routine, tier: routine}]
pools:
  gpu: {endpoints: ["`+engine.URL+`"], cost: $2 per gpu-hour, throughput: 1000 tokens per second}
`)
	soon(t, "the pool is measured", func() bool {
		text := s.get(t, "/metrics")
		for _, want := range []string{
			`farebox_pool_servers{measured="true",pool="gpu"} 1`, `farebox_pool_requests{pool="gpu",state="waiting"} 9`, `farebox_pool_full{pool="gpu"} 1`,
		} {
			if !strings.Contains(text, want) {
				return false
			}
		}
		return true
	})
	if text := s.get(t, "/api/summary"); !strings.Contains(text, `"waiting": 9`) && !strings.Contains(text, `"waiting":9`) {
		t.Errorf("the summary does not have it: %s", text)
	}
}

// replaceFile writes a file as editors and Kubernetes do: nobody sees half of it.
func replaceFile(t *testing.T, path, text string) {
	t.Helper()
	check(t, os.WriteFile(path+".new", []byte(text), 0o600))
	check(t, os.Rename(path+".new", path))
}

func TestServeReloadsWhenAPriceFileChanges(t *testing.T) {
	dir := shortDir(t)
	prices := filepath.Join(dir, "prices.json")
	ours := func(input string) string {
		return `{"provider": "openai", "listings": [{"model": "ours", "input": "` + input + `", "output": "2", "source": "contract", "as_of": "2026-11"}]}`
	}
	replaceFile(t, prices, ours("1"))
	replaceFile(t, filepath.Join(dir, "p.yaml"), "version: 1\nprices: {files: [prices.json]}\n")
	s := startServiceIn(t, dir)
	reloads := func() int { return strings.Count(s.stderr.String(), "msg=reloaded") }
	says := func(what string) func() bool { return func() bool { return strings.Contains(s.get(t, "/"), what) } }

	replaceFile(t, prices, ours("3"))
	soon(t, "the price is seen", func() bool { return reloads() == 1 })

	replaceFile(t, prices, `{"provider": 1}`)
	soon(t, "the mistake is shown", says("was refused"))
	soon(t, "the metric says that the reload went wrong", func() bool {
		return strings.Contains(s.get(t, "/metrics"), "farebox_config_last_reload_successful 0")
	})
	soon(t, "the log says what is wrong", func() bool {
		log := s.stderr.String()
		return strings.Contains(log, `msg="reload refused"`) && strings.Contains(log, "/prices.json:1:14: want text in quotes") &&
			strings.Contains(log, "(bad-prices)")
	})
	replaceFile(t, prices, ours("4"))
	soon(t, "a good file heals", func() bool { return reloads() == 2 && !says("was refused")() })

	check(t, os.Remove(prices))
	soon(t, "a missing file is shown", says("no such file"))
	soon(t, "the log says where the missing file is named", func() bool {
		log := s.stderr.String()
		return strings.Contains(log, "/p.yaml:2:18: ") && strings.Contains(log, "(unreadable-prices)")
	})
	replaceFile(t, prices, ours("4"))
	soon(t, "the same file heals", func() bool { return reloads() == 3 && !says("was refused")() })
}

func TestAPriceFileIsReloadedAsAWhole(t *testing.T) {
	dir := shortDir(t)
	file, prices := filepath.Join(dir, "p.yaml"), filepath.Join(dir, "prices.json")
	put := func(input string) {
		t.Helper()
		check(t, os.WriteFile(prices, []byte(`{"provider": "openai", "listings": [{"model": "ours", "input": "`+input+`", "output": "2", "source": "contract", "as_of": "2026-11"}]}`), 0o600))
	}
	put("1")
	check(t, os.WriteFile(file, []byte("version: 1\nprices: {files: [prices.json]}\n"), 0o600))
	registry, stderr := prometheus.NewRegistry(), &screen{}
	p, err := open(t.Context(), serveFlags{policy: file, state: filepath.Join(dir, "state")}, metrics.New(registry), registry,
		slog.New(slog.NewTextHandler(stderr, nil)), env{stdout: io.Discard, stderr: stderr, now: time.Now})
	check(t, err)
	defer func() { check(t, p.close()) }()
	reader := sourceReader{file: file}
	w := watched{seen: &p.policy.Load().from}
	for _, tt := range []struct {
		input   string // that is written; "" is none
		want    string // in force afterwards
		news    bool
		refused bool
	}{
		{"", "1", false, false}, {"3", "3", true, false}, {"", "3", false, false},
		{"none", "3", true, true}, {"", "3", false, true}, {"4", "4", true, false},
	} {
		if tt.input != "" {
			put(tt.input)
		}
		from, err := reader.read()
		news := w.changed(from, err, false)
		if news {
			p.reload(t.Context(), from, err)
		}
		got := p.policy.Load().set.Lookup("openai", "ours", time.Now()).Price.Input.String()
		refused := p.shown().Refused
		if got != tt.want || news != tt.news || (refused != "") != tt.refused {
			t.Errorf("after %q: input %s, news %t, refused %q; want %s, %t, %t", tt.input, got, news, refused, tt.want, tt.news, tt.refused)
		}
	}
}

func TestServeRefusesWhatCannotWork(t *testing.T) {
	dir := shortDir(t)
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	check(t, os.WriteFile(good, []byte("version: 1\n"), 0o600))
	check(t, os.WriteFile(bad, []byte("version: 2\n"), 0o600))
	state, socket := filepath.Join(dir, "state"), "unix:"+filepath.Join(dir, "s.sock")
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		says   string
	}{
		{"no policy", nil, statusUsage, "usage: farebox serve"},
		{"an argument", []string{"--policy", good, "more"}, statusUsage, "usage: farebox serve"},
		{"a bad policy", []string{"--policy", bad, "--listen", socket, "--state", state}, statusFailed, "bad.yaml:1"},
		{"no such policy", []string{"--policy", bad + "x", "--listen", socket, "--state", state}, statusFailed, "read policy"},
		{"an open port", []string{"--policy", good, "--listen", "0.0.0.0:0", "--state", state}, statusFailed, "reachable from other machines"},
		{"no such address", []string{"--policy", good, "--listen", "127.0.0.1:99999", "--state", state}, statusFailed, "listen for Envoy"},
		{"no such admin address", []string{"--policy", good, "--listen", socket, "--admin", "127.0.0.1:99999", "--state", state}, statusFailed, "listen for the admin page"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stderr screen
			got := run(t.Context(), append([]string{"serve"}, tt.args...), env{stdout: io.Discard, stderr: &stderr, now: time.Now})
			if got != tt.status || !strings.Contains(stderr.String(), tt.says) {
				t.Errorf("status %d, want %d with %q: %s", got, tt.status, tt.says, &stderr)
			}
			if strings.Contains(stderr.String(), "farebox: "+bad+":") {
				t.Errorf("editors do not find the place: %s", &stderr)
			}
		})
	}
}

func TestAReloadIsWholeOrNotAtAll(t *testing.T) {
	dir := shortDir(t)
	key, file := filepath.Join(dir, "key"), filepath.Join(dir, "p.yaml")
	check(t, os.WriteFile(key, []byte("sk-1\n"), 0o600))
	text := func(mode, key string) []byte {
		return []byte("version: 1\nmode: " + mode + "\nproviders:\n  openai: {credential: \"file:" + key + "\"}\nbudgets:\n  - {name: " + mode + ", limit: $1 per day}\n")
	}
	check(t, os.WriteFile(file, text("observe", key), 0o600))
	registry, stderr := prometheus.NewRegistry(), &screen{}
	e := env{stdout: io.Discard, stderr: stderr, now: time.Now}
	p, err := open(t.Context(), serveFlags{policy: file, state: filepath.Join(dir, "state")}, metrics.New(registry), registry, slog.New(slog.NewTextHandler(stderr, nil)), e)
	check(t, err)
	defer func() { check(t, p.close()) }()
	state := func() (policies.Mode, string, bool) {
		secret, _ := p.policy.Load().credentials.Get("openai")
		return p.mode(), string(p.budgets()[0].Budget) + " " + secret.Reveal(), p.shown().Refused != ""
	}
	for _, tt := range []struct {
		name    string
		text    []byte
		err     error
		mode    policies.Mode
		parts   string
		refused bool
	}{
		{"a mistake", []byte("version: 1\nmode: nonsense\n"), nil, policies.Observe, "observe sk-1", true},
		{"a key that is not there", text("enforce", key+"x"), nil, policies.Observe, "observe sk-1", true},
		{"a file that cannot be read", nil, os.ErrPermission, policies.Observe, "observe sk-1", true},
		{"a good file", text("enforce", key), nil, policies.Enforce, "enforce sk-1", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p.reload(t.Context(), sources{text: tt.text}, tt.err)
			if mode, parts, refused := state(); mode != tt.mode || parts != tt.parts || refused != tt.refused {
				t.Errorf("%s, %s, refused %t; want %s, %s, %t", mode, parts, refused, tt.mode, tt.parts, tt.refused)
			}
		})
	}
}
