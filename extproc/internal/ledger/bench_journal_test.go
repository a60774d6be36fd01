package ledger

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkJournalLatency is how long a record takes into the file, for callers at once: half of them, and all but one
// in a hundred, take no longer than is reported.
func BenchmarkJournalLatency(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("%d callers", callers), func(b *testing.B) {
			l := openAt(b, b.TempDir(), Options{FlushInterval: time.Hour, SegmentBytes: 1 << 40})
			r, e := typical(hold(cent), paid(NewID(noon), cent))
			e.Call = r.Call
			frame, err := encodeRecord(kindEntry, &e)
			must(b, err)
			var writes atomic.Int64
			l.journal.file = countedFile{l.journal.file, &writes}
			took := make([][]time.Duration, callers)
			b.ResetTimer()
			var all sync.WaitGroup
			for c := range callers {
				all.Go(func() {
					for range b.N / callers {
						start := time.Now()
						if _, err := l.journal.book(kindEntry, frame, &e); err != nil {
							b.Error(err)
							return
						}
						took[c] = append(took[c], time.Since(start))
					}
				})
			}
			all.Wait()
			b.StopTimer()
			times := slices.Sorted(slices.Values(slices.Concat(took...)))
			if len(times) == 0 {
				return
			}
			b.ReportMetric(float64(times[len(times)/2]), "p50-ns")
			b.ReportMetric(float64(times[len(times)*99/100]), "p99-ns")
			b.ReportMetric(float64(len(times))/b.Elapsed().Seconds(), "entries/s")
			b.ReportMetric(float64(writes.Load())/float64(len(times)), "writes/entry")
		})
	}
}

// countedFile is a journal file that counts its writes.
type countedFile struct {
	journalFile
	writes *atomic.Int64
}

func (f countedFile) WriteAt(b []byte, offset int64) (int, error) {
	f.writes.Add(1)
	return f.journalFile.WriteAt(b, offset)
}
