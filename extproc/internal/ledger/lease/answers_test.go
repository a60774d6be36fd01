package lease

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger/lease/redistest"
)

func TestAnswersAreKeptForAWhile(t *testing.T) {
	redistest.Each(t, testAnswersAreKeptForAWhile)
}

func testAnswersAreKeptForAWhile(t *testing.T, program string) {
	s := redistest.Start(t, program)
	ctx := t.Context()
	store := func(name string) *Redis { return openRedis(t, s, RedisOptions{Name: name}) }
	here, there, other := store("one"), store("one"), store("other")
	answers := []Answer{{"openai resp_1", []byte("first")}, {"openai resp_2", []byte("\x00second")}}
	for range 2 {
		if err := here.Put(ctx, answers, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	keys := []string{"openai resp_2", "openai resp_3", "openai resp_1"}
	for r, want := range map[*Redis][][]byte{there: {[]byte("\x00second"), nil, []byte("first")}, other: {nil, nil, nil}} {
		got, err := r.Get(ctx, keys)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.key, diff)
		}
	}
	if left := here.client.PTTL(ctx, here.answer("openai resp_1")).Val(); left <= 0 || left > time.Hour {
		t.Errorf("kept for %s, want an hour", left)
	}
	s.Kill()
	if _, err := there.Get(ctx, keys); err == nil {
		t.Error("get without a server: no error")
	}
	if err := here.Put(ctx, answers, time.Hour); err == nil {
		t.Error("put without a server: no error")
	}
}
