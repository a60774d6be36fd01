package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// results are the samples by load, stack and round.
type results [][][]sample

// report is what the benchmark prints.
type report struct {
	bench   *bench
	boots   []boot
	results results
}

// write prints a Markdown table and the lines around it.
func (r report) write(w io.Writer) {
	fmt.Fprintf(w, "%s; Envoy %s with one worker, %s; medians of %d rounds\n\n", machine(), r.bench.envoyVersion, runtime.Version(), r.bench.rounds)
	fmt.Fprintln(w, "| load | stack | CPU per request (Envoy + server) | to none | to empty | p50 | to none | to empty | p99 | to none | to empty |")
	fmt.Fprintln(w, "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
	for i, l := range r.bench.loads {
		for j, v := range variants() {
			name := ""
			if j == 0 {
				name = l.name
			}
			fmt.Fprintf(w, "| %s | %s | %s |\n", name, v.title(), strings.Join(r.cells(i, j), " | "))
		}
	}
	ready := middle(r.boots, func(b boot) float64 { return b.ready.Seconds() * 1e3 })
	resident := middle(r.boots, func(b boot) float64 { return float64(b.resident) / 1e6 })
	fmt.Fprintf(w, "\nReady %.0f ms after its start, %.0f MB resident at idle (medians of %d starts).\n", ready, resident, len(r.boots))
}

// cells are the numbers of a load on a stack.
func (r report) cells(load, stack int) []string {
	samples := r.results[load][stack]
	cpu := middle(samples, sample.cpu)
	text := fmt.Sprintf("%.0f µs (%.0f + %.0f)", cpu, middle(samples, sample.envoyCPU), middle(samples, sample.serverCPU))
	cells := append([]string{text}, r.ratios(load, stack, sample.cpu)...)
	for _, of := range []func(sample) float64{sample.median, sample.tail} {
		cells = append(cells, fmt.Sprintf("%.2f ms", middle(samples, of)/1e3))
		cells = append(cells, r.ratios(load, stack, of)...)
	}
	return cells
}

// ratios compares a stack with the first two, within each round.
func (r report) ratios(load, stack int, of func(sample) float64) []string {
	var cells []string
	for base := range 2 {
		if stack <= base {
			cells = append(cells, "")
			continue
		}
		var list []float64
		for round, s := range r.results[load][stack] {
			list = append(list, of(s)/of(r.results[load][base][round]))
		}
		cells = append(cells, fmt.Sprintf("%.2f", middle(list, func(f float64) float64 { return f })))
	}
	return cells
}

// The numbers of a sample, in microseconds.
func (s sample) cpu() float64       { return s.envoyCPU() + s.serverCPU() }
func (s sample) envoyCPU() float64  { return micros(s.envoy) }
func (s sample) serverCPU() float64 { return micros(s.server) }
func (s sample) median() float64    { return micros(s.p50) }
func (s sample) tail() float64      { return micros(s.p99) }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// middle is the median of a number of each element; the list must not be empty.
func middle[T any](list []T, of func(T) float64) float64 {
	values := make([]float64, len(list))
	for i := range list {
		values[i] = of(list[i])
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// quantile returns the value below or at which so many percent of a sorted list lie: the nearest rank.
func quantile(sorted []time.Duration, percent int) time.Duration {
	rank := (len(sorted)*percent + 99) / 100
	return sorted[max(rank, 1)-1]
}

var cpuModel = regexp.MustCompile(`(?m)^model name\s*: (.+)$`)

// machine names what the benchmark runs on.
func machine() string {
	name := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := cpuModel.FindSubmatch(text); m != nil {
			name = string(m[1])
		}
	}
	return fmt.Sprintf("%d cores of %s", runtime.NumCPU(), name)
}
