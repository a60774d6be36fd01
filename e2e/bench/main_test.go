package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestShortRunMeasuresEverything runs the benchmark as a program. It looks at the shape of what comes out, as no
// number is the same on any two machines.
func TestShortRunMeasuresEverything(t *testing.T) {
	bin := t.TempDir()
	build(t, filepath.Join(bin, "bench"), ".")
	build(t, filepath.Join(bin, "farebox"), module+"/extproc/cmd/farebox")
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "bench"), "-short", "-bin", bin)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it stops what it started
	var progress bytes.Buffer
	cmd.Stderr = &progress
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("bench: %v\n%s", err, progress.Bytes())
	}
	var want []string
	for _, l := range loads(1, 1, 1) {
		for i, v := range variants() {
			want = append(want, strings.Join([]string{map[bool]string{true: l.name}[i == 0], v.title()}, " | "))
		}
	}
	if diff := cmp.Diff(want, rows(t, string(out))); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	for _, pattern := range []string{
		`^\d+ cores? of .+; Envoy \d+\.\d+\.\d+ with one worker, go\S+; medians of 1 rounds\n`,
		`\nReady \d+ ms after its start, [1-9]\d* MB resident at idle \(medians of 1 starts\)\.\n$`,
	} {
		if !regexp.MustCompile(pattern).Match(out) {
			t.Errorf("no line like %s in\n%s", pattern, out)
		}
	}
}

func build(t *testing.T, path, pkg string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, pkg).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
}

// A cell is a number, or empty where there is nothing to compare with.
var (
	cpuCell     = regexp.MustCompile(`^\d+ µs \(\d+ \+ \d+\)$`)
	latencyCell = regexp.MustCompile(`^\d+\.\d\d ms$`)
	ratioCell   = regexp.MustCompile(`^(\d+\.\d\d|\+Inf|NaN|)$`) // a short run may count no tick of the clock
)

// rows checks the numbers of a table and returns load and stack of each row.
func rows(t *testing.T, table string) []string {
	t.Helper()
	cells := []*regexp.Regexp{cpuCell, ratioCell, ratioCell, latencyCell, ratioCell, ratioCell, latencyCell, ratioCell, ratioCell}
	var names []string
	for line := range strings.Lines(table) {
		fields := strings.Split(strings.TrimSpace(line), "|")
		if len(fields) < 3 || strings.HasPrefix(line, "| load") || strings.HasPrefix(line, "| ---") {
			continue
		}
		if len(fields) != len(cells)+4 {
			t.Errorf("%d fields, want %d: %s", len(fields), len(cells)+4, line)
			continue
		}
		names = append(names, strings.TrimSpace(fields[1])+" | "+strings.TrimSpace(fields[2]))
		for i, want := range cells {
			if got := strings.TrimSpace(fields[i+3]); !want.MatchString(got) {
				t.Errorf("cell %d is %q, want %s: %s", i+3, got, want, line)
			}
		}
	}
	return names
}

func TestCPUOfAProcessIsUserAndKernelTime(t *testing.T) {
	const stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 500 0 0 0 123 45 6 7 20 0 9 0 100 1000000 2000\n"
	got, err := parseCPU(stat)
	if want := 1680 * time.Millisecond; err != nil || got != want {
		t.Errorf("parseCPU(%q) = %v, %v, want %v", stat, got, err, want)
	}
	for _, bad := range []string{"", "42 (short) S 1 2", strings.Replace(stat, "123", "x", 1)} {
		if got, err := parseCPU(bad); err == nil {
			t.Errorf("parseCPU(%q) = %v, want an error", bad, got)
		}
	}
}

func TestQuantileIsTheNearestRank(t *testing.T) {
	for _, tt := range []struct {
		count, percent int
		want           time.Duration
	}{
		{1, 50, 1}, {1, 99, 1}, {2, 50, 1}, {3, 50, 2}, {100, 50, 50}, {100, 99, 99}, {101, 99, 100}, {96, 99, 96},
	} {
		sorted := make([]time.Duration, tt.count)
		for i := range sorted {
			sorted[i] = time.Duration(i + 1)
		}
		if got := quantile(sorted, tt.percent); got != tt.want {
			t.Errorf("quantile(1..%d, %d) = %d, want %d", tt.count, tt.percent, got, tt.want)
		}
	}
}

func TestRatiosAreTakenWithinARound(t *testing.T) {
	sampled := func(ms ...int) (list []sample) {
		for _, n := range ms {
			list = append(list, sample{envoy: time.Duration(n) * time.Millisecond})
		}
		return list
	}
	// The second round meets a machine that is ten times slower.
	r := report{results: results{{sampled(1, 10, 1), sampled(2, 20, 2), sampled(3, 30, 4)}}}
	want := []string{"3.00", "1.50"}
	if diff := cmp.Diff(want, r.ratios(0, 2, sample.cpu)); diff != "" {
		t.Errorf("ratios (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"", ""}, r.ratios(0, 0, sample.cpu)); diff != "" {
		t.Errorf("ratios of the first stack (-want +got):\n%s", diff)
	}
}

func TestMiddleOfAnEvenNumberIsBetweenTheTwo(t *testing.T) {
	same := func(f float64) float64 { return f }
	if got := middle([]float64{4, 1, 3, 2}, same); got != 2.5 {
		t.Errorf("middle = %v, want 2.5", got)
	}
	if got := middle([]float64{9, 1, 2}, same); got != 2 {
		t.Errorf("middle = %v, want 2", got)
	}
}

func TestRequestsAndAnswersHaveTheStatedSizes(t *testing.T) {
	const sentence = 64 // texts are made of whole sentences
	for _, stream := range []bool{false, true} {
		_, body, ok := bytes.Cut(wire(stream), []byte("\r\n\r\n"))
		if !ok || len(body) > requestBytes || len(body) < requestBytes-sentence || streams(body) != stream {
			t.Errorf("wire(%t): %d bytes of body, stream %t", stream, len(body), streams(body))
		}
	}
	if n := len(wholeAnswer()); n > answerBytes || n < answerBytes-sentence {
		t.Errorf("wholeAnswer: %d bytes, want about %d", n, answerBytes)
	}
	events := eventsOfAnswer()
	if len(events) != streamEvents || !bytes.HasSuffix(events[len(events)-1], []byte("data: [DONE]\n\n")) {
		t.Errorf("eventsOfAnswer: %d events, the last one %q", len(events), events[len(events)-1])
	}
}
