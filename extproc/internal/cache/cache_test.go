package cache

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/farebox-mesh/farebox/extproc/internal/metrics"
	"github.com/farebox-mesh/farebox/pricing"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newCache(t testing.TB, megabytes int) (*Cache, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	c, err := New(megabytes, metrics.New(reg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, reg
}

func answer(body string) Entry {
	return Entry{
		ContentType: "text/event-stream; charset=utf-8",
		Body:        []byte(body),
		Usage:       pricing.Usage{Input: 1, CacheRead: 2, CacheWriteShort: 3, CacheWriteLong: 4, Output: 5, Reasoning: 6},
		Model:       "gpt-6-luna",
		Stored:      noon,
		Expires:     noon.Add(time.Hour),
	}
}

func keyOf(n int) (k Key) {
	binary.LittleEndian.PutUint64(k[:], uint64(n))
	return k
}

func TestGetReturnsWhatPutStored(t *testing.T) {
	c, _ := newCache(t, 8)
	want := answer("data: {}\n\n")
	if err := c.Put(keyOf(1), want); err != nil {
		t.Fatal(err)
	}
	got, ok := c.Get(keyOf(1), noon)
	if !ok {
		t.Fatal("Get found nothing")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
	got.Body[0] = 'X'
	if again, _ := c.Get(keyOf(1), noon); again.Body[0] != 'd' {
		t.Error("changing a returned body changed the cache")
	}
}

func TestPutReplaces(t *testing.T) {
	c, _ := newCache(t, 8)
	for _, body := range []string{"first", "second, which is longer"} {
		if err := c.Put(keyOf(1), answer(body)); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := c.Get(keyOf(1), noon); string(got.Body) != "second, which is longer" {
		t.Errorf("body = %q, want the second one", got.Body)
	}
}

func TestTimeToLiveEndsAtExpires(t *testing.T) {
	c, _ := newCache(t, 8)
	if err := c.Put(keyOf(1), answer("x")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		at   time.Time
		want bool
	}{
		{noon, true},
		{noon.Add(time.Hour - 1), true},
		{noon.Add(time.Hour), false},
		{noon.Add(48 * time.Hour), false},
	} {
		if _, got := c.Get(keyOf(1), tt.at); got != tt.want {
			t.Errorf("hit at %s = %t, want %t", tt.at, got, tt.want)
		}
	}
}

// Whatever the size of the cache and whatever it already holds, an entry within the limit fits.
func TestEveryEntryWithinTheLimitFits(t *testing.T) {
	for _, megabytes := range []int{1, 8, 64} {
		c, reg := newCache(t, megabytes)
		rnd := rand.New(rand.NewPCG(3, 4))
		header := len(encodeOf(t, answer("")))
		for n := range 60 {
			size := rnd.IntN(c.maxEntry - header + 1)
			if n%3 == 0 {
				size = c.maxEntry - header
			}
			e := answer(strings.Repeat("y", size))
			if err := c.Put(keyOf(n), e); err != nil {
				t.Fatalf("%d MB: entry %d of %d bytes: %v", megabytes, n, size, err)
			}
			got, ok := c.Get(keyOf(n), noon)
			if !ok || !bytes.Equal(got.Body, e.Body) {
				t.Fatalf("%d MB: entry %d of %d bytes was not kept", megabytes, n, size)
			}
		}
		if got, limit := c.Stats().Bytes, megabytes*megabyte; got > limit {
			t.Errorf("%d MB: takes %d bytes, want at most %d", megabytes, got, limit)
		}
		if err := c.Put(keyOf(0), answer(strings.Repeat("z", c.maxEntry-header+1))); err != nil {
			t.Errorf("%d MB: an answer that is too large is an error: %v", megabytes, err)
		}
		if text := expose(reg); !strings.Contains(text, `farebox_cache_stores_total{result="too_large"} 1`) {
			t.Errorf("%d MB: the answer that is too large was not counted:\n%s", megabytes, text)
		}
	}
}

func encodeOf(t testing.TB, e Entry) []byte {
	t.Helper()
	b, err := encode(e, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func expose(g prometheus.Gatherer) string {
	rec := httptest.NewRecorder()
	promhttp.HandlerFor(g, promhttp.HandlerOpts{}).ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	return rec.Body.String()
}

func TestLookupsAreCounted(t *testing.T) {
	c, reg := newCache(t, 8)
	if err := c.Put(keyOf(1), answer("x")); err != nil {
		t.Fatal(err)
	}
	c.Get(keyOf(1), noon)
	c.Get(keyOf(2), noon)
	c.Get(keyOf(1), noon.Add(time.Hour))
	text := expose(reg)
	for _, want := range []string{`{result="hit"} 1`, `{result="miss"} 1`, `{result="expired"} 1`} {
		if !strings.Contains(text, "farebox_cache_lookups_total"+want) {
			t.Errorf("no sample %s in\n%s", want, text)
		}
	}
}

func TestAnEmptyCacheIsSmallAndRunsNothing(t *testing.T) {
	heap := func() uint64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	before, running := heap(), runtime.NumGoroutine()
	c, _ := newCache(t, 512)
	if got := runtime.NumGoroutine(); got != running {
		t.Errorf("goroutines = %d, want %d", got, running)
	}
	if took := int64(heap()) - int64(before); took > 2<<20 {
		t.Errorf("an empty cache of 512 MB takes %d bytes, want at most 2 MB", took)
	}
	runtime.KeepAlive(c)
}

func TestNewRefusesACacheWithoutSize(t *testing.T) {
	if _, err := New(0, metrics.New(nil)); err == nil {
		t.Error("no error for a cache of 0 MB")
	}
}

func TestCloseTwice(t *testing.T) {
	c, _ := newCache(t, 1)
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	c, _ := newCache(t, 8)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for n := range 500 {
				k := keyOf(n % 50)
				if e, ok := c.Get(k, noon); ok && len(e.Body) != 1000 {
					t.Errorf("body of %d bytes, want 1000", len(e.Body))
				}
				if err := c.Put(k, answer(strings.Repeat(string(rune('a'+g)), 1000))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
