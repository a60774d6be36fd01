package ledger

import (
	"math"
	"math/bits"

	"github.com/farebox-mesh/farebox/pricing"
)

// RatioEdges are the upper edges of the buckets of Ratios, in thousandths.
var RatioEdges = [...]int64{50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 1250, 1500, 2000, 4000}

// Ratios is how what calls came to compares with what was said before: a histogram of cost by prediction.
type Ratios struct {
	Buckets [len(RatioEdges)]int64 // how many are at most the edge and above the one before
	Count   int64                  // of all, those above the last edge included
	Sum     int64                  // in thousandths
}

// Cumulative returns how many are at most as large as each edge, by edge.
func (r *Ratios) Cumulative() map[float64]uint64 {
	out, sum := make(map[float64]uint64, len(RatioEdges)), int64(0)
	for i, n := range r.Buckets {
		sum += n
		out[float64(RatioEdges[i])/1000] = uint64(sum)
	}
	return out
}

// add notes what a call came to. What was not predicted is left out.
func (r *Ratios) add(cost, predicted pricing.Money) {
	if predicted <= 0 || cost < 0 {
		return
	}
	ratio := thousandths(cost, predicted)
	r.Count++
	r.Sum = pricing.AddCapped(r.Sum, ratio)
	for i, edge := range RatioEdges {
		if ratio <= edge {
			r.Buckets[i]++
			return
		}
	}
}

// thousandths is a by b, rounded up, so that what is above an edge stays above it. It stops at the largest int64.
func thousandths(a, b pricing.Money) int64 {
	hi, lo := bits.Mul64(uint64(a), 1000)
	if hi >= uint64(b) {
		return math.MaxInt64
	}
	q, rest := bits.Div64(hi, lo, uint64(b))
	if rest > 0 {
		q++
	}
	return int64(min(q, math.MaxInt64))
}

// compare notes how a settled call compares with what was expected of it.
func (s *Stats) compare(e *Entry, estimate pricing.Money) {
	if e.Estimated || e.Outcome != OK {
		return
	}
	s.Bounds.add(e.Cost, e.Bound)
	s.Estimates.add(e.Cost, estimate)
}
