package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// setup says what a stack consists of. The zero value but for the policy is Envoy pinned, a provider and farebox.
type setup struct {
	envoy    release
	policy   string
	provider []string                   // flags
	houses   []string                   // of the provider, each a route at an address of its own
	pool     bool                       // an own pool, "gpu"
	serve    []string                   // further flags of farebox serve
	routes   []string                   // further routes to the provider
	replace  map[string]string          // routes that lead elsewhere: URLs by their names
	tcp      bool                       // farebox listens on loopback instead of a unix socket
	edit     func(config string) string // of Envoy, as an operator does; nil for none
}

// stack is Envoy with farebox beside it and a provider behind it.
type stack struct {
	owner    *testing.T // whose end is the end of the processes
	dir      string     // short: unix sockets are in it
	policy   string     // file
	provider *vendor
	pool     *vendor // nil without
	farebox  *process
	envoy    *process
	url      string   // of the listener
	envoyURL string   // of Envoy's admin interface
	adminURL string   // of farebox
	listen   string   // where farebox listens
	flags    []string // of farebox serve
	lines    int      // of the access log, where a test counts them
	reports  [3]report
}

// newStack starts everything; it stops at the end of the test, which runs beside others.
func newStack(t *testing.T, c setup) *stack {
	t.Helper()
	beside(t)
	if c.envoy == "" {
		c.envoy = pinned
	}
	s := &stack{owner: t, dir: tempDir(t), flags: c.serve, reports: newReports()}
	s.listen = "unix:" + filepath.Join(s.dir, "extproc.sock")
	if c.tcp {
		s.listen = freeAddress(t)
	}
	s.policy = filepath.Join(s.dir, "policy.yaml")
	s.setPolicy(t, c.policy)
	if len(c.houses) > 0 {
		c.provider = append([]string{"-houses", strings.Join(c.houses, ",")}, c.provider...)
	}
	s.provider = startVendor(t, "provider", c.provider...)
	upstreams := []string{}
	for _, name := range append([]string{"openai", "anthropic", "google"}, c.routes...) {
		upstreams = append(upstreams, "--upstream", name+"="+s.provider.url)
	}
	for name, url := range s.provider.houses {
		upstreams = append(upstreams, "--upstream", name+"="+url)
	}
	for name, url := range c.replace {
		upstreams = append(upstreams, "--upstream", name+"="+url)
	}
	if c.pool {
		s.pool = startVendor(t, "pool", "-role", "pool")
		upstreams = append(upstreams, "--upstream", "gpu="+s.pool.url)
	}
	s.serve(t)
	s.startEnvoy(t, c, upstreams)
	return s
}

// tempDir is a folder with a short name, which t.TempDir is not: the path of a unix socket has at most 107 bytes.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "fbx") //nolint:usetesting // its names are too long, see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// setPolicy replaces the policy file in one step, as a careful operator does. DIR stands for the stack's folder.
func (s *stack) setPolicy(t *testing.T, text string) {
	t.Helper()
	text = strings.ReplaceAll(text, "DIR", s.dir)
	if err := os.WriteFile(s.policy+".new", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(s.policy+".new", s.policy); err != nil {
		t.Fatal(err)
	}
}

func (s *stack) state() string { return filepath.Join(s.dir, "state") }

var adminAddress = regexp.MustCompile(`msg=started .*admin=(\S+)`)

// serve starts farebox and waits until it is ready. Should another process have taken its port first, it gets another
// one, which an Envoy that was configured before would not know.
func (s *stack) serve(t *testing.T) {
	t.Helper()
	s.launch(t)
	eventually(t, "farebox is ready", func() bool {
		if s.farebox.ended() {
			taken := strings.Contains(s.farebox.log.String(), "address already in use")
			if !taken || s.envoy != nil || strings.HasPrefix(s.listen, "unix:") {
				t.Fatalf("farebox ended: %v\n%s", s.farebox.err, s.farebox.log)
			}
			s.listen = freeAddress(t)
			s.launch(t)
		}
		m := adminAddress.FindStringSubmatch(s.farebox.log.String())
		if m == nil {
			return false
		}
		s.adminURL = "http://" + m[1]
		status, _ := s.admin(t, "/readyz")
		return status == http.StatusOK
	})
}

// launch starts farebox.
func (s *stack) launch(t *testing.T) {
	t.Helper()
	args := append([]string{
		"serve", "--policy", s.policy, "--listen", s.listen, "--admin", "127.0.0.1:0",
		"--state", s.state(), "--log-level", "debug",
	}, s.flags...)
	s.farebox = start(s.owner, "farebox", filepath.Join(bin, "farebox"), args...)
}

// restart starts farebox again, after it was stopped or killed, and waits until Envoy reaches it.
func (s *stack) restart(t *testing.T) {
	t.Helper()
	s.serve(t)
	s.reached(t)
}

// reload puts another policy in force and waits until it is.
func (s *stack) reload(t *testing.T, policy string) {
	t.Helper()
	before := strings.Count(s.farebox.log.String(), "msg=reloaded")
	s.setPolicy(t, policy)
	s.farebox.signal(t, syscall.SIGHUP)
	eventually(t, "the policy is reloaded", func() bool {
		return strings.Count(s.farebox.log.String(), "msg=reloaded") > before
	})
}

// reached waits until Envoy and farebox talk to each other again. The probe is free and booked nowhere.
func (s *stack) reached(t *testing.T) {
	t.Helper()
	eventually(t, "Envoy reaches farebox", func() bool {
		a := s.send(t, call{method: "GET", path: "/v1/models"}.with("authorization", "Bearer probe"))
		return a.header.Get("x-farebox-decision") == "uncovered"
	})
}

// admin asks farebox's admin port.
func (s *stack) admin(t *testing.T, path string) (status int, body []byte) {
	t.Helper()
	return get(t, s.adminURL+path)
}

func get(t *testing.T, url string) (status int, body []byte) {
	t.Helper()
	client := http.Client{Timeout: 20 * time.Second}
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err = io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body
}

// command runs farebox to its end and returns its standard output.
func command(t *testing.T, stdin []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "farebox"), args...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("farebox %s: %v\n%s", strings.Join(args, " "), err, said.Bytes())
	}
	return out
}

// startEnvoy starts Envoy with the configuration that farebox prints for the policy.
func (s *stack) startEnvoy(t *testing.T, c setup, upstreams []string) {
	t.Helper()
	path, err := envoys[c.envoy]()
	if err != nil {
		t.Fatalf("no Envoy: %v", err)
	}
	boot, at := filepath.Join(s.dir, "envoy.yaml"), filepath.Join(s.dir, "admin")
	text := command(t, nil, append([]string{
		"envoy", "--policy", s.policy, "--extproc", s.listen, "--listen", "127.0.0.1:0",
		"--admin", "127.0.0.1:0", "--access-log", s.accessLog(),
	}, upstreams...)...)
	if c.edit != nil {
		text = []byte(c.edit(string(text)))
	}
	if err := os.WriteFile(boot, text, 0o644); err != nil {
		t.Fatal(err)
	}
	s.envoy = start(t, "envoy", path, "-c", boot, "--concurrency", "1", "--use-dynamic-base-id", "--admin-address-path", at,
		"--file-flush-interval-msec", "50", "-l", "warning", "--component-log-level", "ext_proc:info")
	eventually(t, "Envoy is live", func() bool {
		if s.envoy.ended() {
			t.Fatalf("Envoy ended: %v\n%s", s.envoy.err, s.envoy.log)
		}
		address, err := os.ReadFile(at)
		if err != nil || len(address) == 0 {
			return false
		}
		s.envoyURL = "http://" + string(address)
		_, state := get(t, s.envoyURL+"/ready")
		return string(bytes.TrimSpace(state)) == "LIVE"
	})
	s.url = "http://" + s.listener(t)
}

// listener is the address that Envoy chose for its one listener.
func (s *stack) listener(t *testing.T) string {
	t.Helper()
	var list struct {
		Statuses []struct {
			Address struct {
				Socket struct {
					Host string `json:"address"`
					Port int    `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	_, body := get(t, s.envoyURL+"/listeners?format=json")
	if err := json.Unmarshal(body, &list); err != nil || len(list.Statuses) == 0 {
		t.Fatalf("listeners: %v in %s", err, body)
	}
	a := list.Statuses[0].Address.Socket
	return fmt.Sprintf("%s:%d", a.Host, a.Port)
}

func (s *stack) accessLog() string { return filepath.Join(s.dir, "access.log") }

// logged waits for so many lines of the access log and returns them all.
func (s *stack) logged(t *testing.T, count int) []map[string]any {
	t.Helper()
	var list []map[string]any
	eventually(t, fmt.Sprintf("%d lines of access log", count), func() bool {
		text, err := os.ReadFile(s.accessLog())
		if err != nil {
			return false
		}
		if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
			return false
		}
		list = lines[map[string]any](t, bytes.NewReader(text))
		return len(list) >= count
	})
	return list
}

// quiet fails the test if the protocol between Envoy and farebox had trouble.
func (s *stack) quiet(t *testing.T) {
	t.Helper()
	_, text := get(t, s.envoyURL+"/stats?filter=ext_proc")
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			continue // a histogram
		}
		for _, bad := range []string{"spurious_msgs_received", "failure_mode_allowed", "message_timeouts", "rejected_header_mutations", "streams_failed"} {
			if strings.HasSuffix(name, bad) && n != 0 {
				t.Errorf("Envoy counts %s: %d, want 0", name, n)
			}
		}
	}
}
