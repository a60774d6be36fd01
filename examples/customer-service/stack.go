package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

const policyFile = "examples/customer-service/policy.yaml"

// stack is everything that the demo runs, as real processes on loopback.
type stack struct {
	dir       string // of state, logs and configuration; removed by stop
	processes []*process
	client    *http.Client

	vendor  string // base URL of the provider that stands for all vendors
	pool    string // base URL of the provider that stands for own GPUs
	admin   string // base URL of farebox's page
	gateway string // base URL of Envoy's listener
}

// bring starts the stack. On an error nothing is left running.
func bring(ctx context.Context, bin, envoy string) (_ *stack, err error) {
	dir, err := os.MkdirTemp("", "farebox-demo-")
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	s := &stack{dir: dir, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.vendor, err = s.startProvider(ctx, bin, "vendor"); err != nil {
		return nil, err
	}
	if s.pool, err = s.startProvider(ctx, bin, "pool"); err != nil {
		return nil, err
	}
	if err := s.startFarebox(ctx, bin); err != nil {
		return nil, err
	}
	return s, s.startEnvoy(ctx, bin, envoy)
}

// stop ends everything, what takes calls first.
func (s *stack) stop() {
	for i := len(s.processes) - 1; i >= 0; i-- {
		s.processes[i].stop()
	}
	_ = os.RemoveAll(s.dir) // it is in the system's folder for temporary files
}

// tails is the end of what every process wrote.
func (s *stack) tails() error {
	var errs []error
	for _, p := range s.processes {
		errs = append(errs, p.tail())
	}
	return errors.Join(errs...)
}

func (s *stack) start(name, program string, args ...string) (*process, error) {
	p, err := start(s.dir, name, program, args...)
	if err == nil {
		s.processes = append(s.processes, p)
	}
	return p, err
}

var listening = regexp.MustCompile(`"listening":"([^"]+)"`)

func (s *stack) startProvider(ctx context.Context, bin, role string) (string, error) {
	p, err := s.start(role, filepath.Join(bin, "provider"), "-role", role)
	if err != nil {
		return "", err
	}
	addr, err := p.await(ctx, p.log, listening)
	return "http://" + addr, err
}

func (s *stack) socket() string { return "unix:" + filepath.Join(s.dir, "farebox.sock") }

var adminAt = regexp.MustCompile(`msg=started .*\badmin=(\S+)`)

func (s *stack) startFarebox(ctx context.Context, bin string) error {
	p, err := s.start("farebox", filepath.Join(bin, "farebox"), "serve", "--policy", policyFile,
		"--listen", s.socket(), "--admin", "127.0.0.1:0", "--state", filepath.Join(s.dir, "state"))
	if err != nil {
		return err
	}
	addr, err := p.await(ctx, p.log, adminAt)
	s.admin = "http://" + addr
	if err != nil {
		return err
	}
	return p.until(ctx, func() bool {
		_, err := s.get(ctx, s.admin+"/readyz")
		return err == nil
	})
}

var anyAddress = regexp.MustCompile(`(\S+:\d+)`)

func (s *stack) startEnvoy(ctx context.Context, bin, envoy string) error {
	config, adminFile := filepath.Join(s.dir, "envoy.yaml"), filepath.Join(s.dir, "envoy-admin.txt")
	if err := s.render(ctx, bin, config); err != nil {
		return err
	}
	p, err := s.start("envoy", envoy, "-c", config, "--concurrency", "1", "--use-dynamic-base-id",
		"--admin-address-path", adminFile, "--log-level", "warning")
	if err != nil {
		return err
	}
	addr, err := p.await(ctx, adminFile, anyAddress)
	if err != nil {
		return err
	}
	live := func() bool {
		body, err := s.get(ctx, "http://"+addr+"/ready")
		return err == nil && strings.TrimSpace(string(body)) == "LIVE"
	}
	if err := p.until(ctx, live); err != nil {
		return err
	}
	body, err := s.get(ctx, "http://"+addr+"/listeners?format=json")
	if err != nil {
		return err
	}
	s.gateway, err = listenerURL(body)
	return err
}

// render writes Envoy's configuration, with the test providers in the place of the real ones.
func (s *stack) render(ctx context.Context, bin, file string) error {
	args := []string{
		"envoy", "--policy", policyFile, "--extproc", s.socket(), "--listen", "127.0.0.1:0",
		"--admin", "127.0.0.1:0", "--access-log", filepath.Join(s.dir, "access.log"), "--upstream", "gpu=" + s.pool,
	}
	for _, vendor := range []api{anthropic, openai, google} {
		args = append(args, "--upstream", string(vendor)+"="+s.vendor)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "farebox"), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	config, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("render Envoy's configuration: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return os.WriteFile(file, config, 0o600)
}

// listenerURL reads the port that Envoy chose from its list of listeners.
func listenerURL(body []byte) (string, error) {
	var list struct {
		Statuses []struct {
			Address struct {
				Socket struct {
					Address string `json:"address"`
					Port    int    `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return "", fmt.Errorf("read Envoy's listeners: %w", err)
	}
	if len(list.Statuses) != 1 || list.Statuses[0].Address.Socket.Port == 0 {
		return "", fmt.Errorf("read Envoy's listeners: want one with a port, got %s", body)
	}
	at := list.Statuses[0].Address.Socket
	return "http://" + at.Address + ":" + strconv.Itoa(at.Port), nil
}

// night lets the vendors' prompt caches run out between two days.
func (s *stack) night(ctx context.Context) error {
	_, err := s.fetch(ctx, http.MethodPost, s.vendor+"/_/advance?by=14h")
	return err
}

func (s *stack) get(ctx context.Context, url string) ([]byte, error) {
	return s.fetch(ctx, http.MethodGet, url)
}

func (s *stack) fetch(ctx context.Context, method, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: status %d: %s", method, url, resp.StatusCode, body)
	}
	return body, err
}
