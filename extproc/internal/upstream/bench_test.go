package upstream

import "testing"

func BenchmarkCheaper(b *testing.B) {
	p := newPools(b, "", gpu)
	p.Observe("gpu", gpuDay+1, 1, noon)
	b.ReportAllocs()
	for b.Loop() {
		if !p.Cheaper("gpu", noon) {
			b.Fatal("not cheaper")
		}
	}
}

func BenchmarkObserve(b *testing.B) {
	p := newPools(b, "", gpu)
	b.ReportAllocs()
	for b.Loop() {
		p.Observe("gpu", 1, 1, noon)
	}
}
