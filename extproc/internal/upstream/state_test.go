package upstream

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/policies"
)

func TestStateSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	first := newPools(t, dir, gpu)
	first.Observe("gpu", gpuDay+1, 500, noon)
	first.Observe("gpu", percent(gpuDay, 95), 300, noon.Add(2*time.Hour))
	later := noon.Add(25 * time.Hour) // the first call is forgotten, hysteresis keeps the pool on
	want := first.Status(later)
	if !want[0].Cheaper {
		t.Fatalf("before the restart: %+v, want a pool that is switched on", want)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := Open(dir, later, quiet)
	if second.Cheaper("gpu", later) {
		t.Error("a pool is cheaper before the policy names it")
	}
	second.SetPools([]policies.Pool{gpu})
	if diff := cmp.Diff(want, second.Status(later)); diff != "" {
		t.Errorf("after the restart (-want +got):\n%s", diff)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestReadSeesTheStateAndLeavesItAlone(t *testing.T) {
	dir := t.TempDir()
	p := newPools(t, dir, gpu)
	p.Observe("gpu", gpuDay+1, 500, noon)
	if err := p.save(); err != nil {
		t.Fatal(err)
	}
	before := mustRead(t, filepath.Join(dir, stateFile))
	r, err := Read(dir, noon)
	if err != nil {
		t.Fatal(err)
	}
	r.SetPools([]policies.Pool{gpu})
	if diff := cmp.Diff(p.Status(noon), r.Status(noon)); diff != "" {
		t.Errorf("status (-saved +read):\n%s", diff)
	}
	r.Observe("gpu", 1, 1, noon)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if after := mustRead(t, filepath.Join(dir, stateFile)); !bytes.Equal(before, after) {
		t.Errorf("the file changed from\n%s\nto\n%s", before, after)
	}
}

func TestReadReportsABadFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(dir, noon); err != nil {
		t.Errorf("no file: %v, want no error", err)
	}
	if err := os.WriteFile(filepath.Join(dir, stateFile), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir, noon); err == nil {
		t.Error("a bad file: no error")
	}
}

func TestAProcessThatIsKilledLosesSecondsOnly(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := Open(dir, noon, quiet)
		p.SetPools([]policies.Pool{gpu})
		p.Observe("gpu", gpuDay, 1, noon)
		time.Sleep(saveEvery + time.Second)
		synctest.Wait()
		data, err := os.ReadFile(filepath.Join(dir, stateFile))
		if err != nil {
			t.Fatal(err)
		}
		if s, err := parseState(data); err != nil || len(s.Pools["gpu"].Buckets) != 1 {
			t.Errorf("file holds %+v, %v; want one bucket", s, err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestABadFileMeansAWarningAndAFreshStart(t *testing.T) {
	valid := string(formatState(map[policies.RouteName]*pool{"gpu": restored()}))
	for _, tt := range []struct{ name, content string }{
		{"empty", ""},
		{"cut", valid[:len(valid)/2]},
		{"digit changed", strings.Replace(valid, "1", "2", 1)},
		{"other version", sealed(`{"version":9}`)},
		{"not JSON", sealed(`{`)},
		{"negative cost", sealed(`{"version":1,"pools":{"gpu":{"buckets":[{"number":1,"cost_nanodollars":-1}]}}}`)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, stateFile), []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			p := Open(dir, noon, slog.New(slog.NewTextHandler(&log, nil)))
			p.SetPools([]policies.Pool{gpu})
			if !strings.Contains(log.String(), "level=WARN") {
				t.Errorf("log = %q, want a warning", log.String())
			}
			if got := p.Status(noon)[0]; got.APICost24h != 0 || got.Cheaper {
				t.Errorf("status = %+v, want a fresh one", got)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if s, err := parseState(mustRead(t, filepath.Join(dir, stateFile))); err != nil {
				t.Errorf("after Close the file is %+v, %v; want a good one", s, err)
			}
		})
	}
}

func restored() *pool {
	q := &pool{cheaper: true}
	q.history.add(noon, 111, 111)
	return q
}

// sealed prints a body as formatState would.
func sealed(body string) string { return checksum([]byte(body)) + "\n" + body + "\n" }

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestBucketsFarAheadOfTheClockAreLeftOut(t *testing.T) {
	q := savedState{Buckets: []bucket{
		{Number: bucketOf(noon), Cost: 1, Tokens: 1},
		{Number: bucketOf(noon) + maxFuture, Cost: 10, Tokens: 1},
		{Number: bucketOf(noon) + maxFuture + 1, Cost: 100, Tokens: 1},
		{Number: 1 << 60, Cost: 1000, Tokens: 1},
		{Number: bucketOf(noon) - 1000, Cost: 10000, Tokens: 1},
	}}.restore(noon)
	if q.history.cost != 11 {
		t.Errorf("cost = %d, want 11", q.history.cost)
	}
}

func TestSaveReportsADirectoryThatIsGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	p := Open(dir, noon, quiet)
	p.SetPools([]policies.Pool{gpu})
	if err := p.Close(); err == nil {
		t.Error("no error from Close")
	}
}
