package lease

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease/redistest"
)

func TestTheFirstOrderOfAKeyIsKept(t *testing.T) { redistest.Each(t, testTheFirstOrderOfAKeyIsKept) }

func testTheFirstOrderOfAKeyIsKept(t *testing.T, program string) {
	s := redistest.Start(t, program)
	here, there, other := openRedis(t, s, RedisOptions{}), openRedis(t, s, RedisOptions{}), openRedis(t, s, RedisOptions{Name: "other"})
	until := time.Now().Round(0).UTC()
	first, second := Order{"ticket 7", "one", until}, Order{"ticket 7", "two", until.Add(time.Hour)}
	next := Order{"ticket 8", "two", until}
	for _, tt := range []struct {
		store      *Redis
		give, want Order
	}{{here, first, first}, {there, second, first}, {here, second, first}, {there, next, next}, {other, second, second}} {
		got, err := tt.store.Order(t.Context(), tt.give, time.Hour)
		must(t, err)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s of %s (-want +got):\n%s", tt.give.Digest, tt.store.key, diff)
		}
	}
	if left := here.client.PTTL(t.Context(), here.order("ticket 7")).Val(); left <= 0 || left > time.Hour {
		t.Errorf("kept for %s, want an hour", left)
	}
	must(t, here.client.Set(t.Context(), here.order("ticket 9"), "nonsense", 0).Err())
	if got, err := here.Order(t.Context(), Order{Key: "ticket 9"}, time.Hour); err == nil {
		t.Errorf("nonsense in the store: got %+v, want an error", got)
	}
	s.Kill()
	if _, err := there.Order(t.Context(), first, time.Hour); err == nil {
		t.Error("without a server: no error")
	}
}
