package sparse

import (
	"testing"
	"time"
)

func TestGate(t *testing.T) {
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	var g Gate
	for i, step := range []struct {
		after int // seconds
		held  int64
		ok    bool
	}{{0, 0, true}, {1, 0, false}, {4, 0, false}, {5, 2, true}, {5, 0, false}, {60, 1, true}, {2, 0, true}, {3, 0, false}} {
		held, ok := g.Pass(noon.Add(time.Duration(step.after)*time.Second), 5*time.Second)
		if held != step.held || ok != step.ok {
			t.Errorf("step %d: got %d, %v, want %d, %v", i, held, ok, step.held, step.ok)
		}
	}
}
