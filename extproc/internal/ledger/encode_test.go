package ledger

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// names are strings that are easy to spell wrong in JSON. words are those and some that are not UTF-8.
var (
	names = []string{
		"gpt-6-luna", "easy questions", "(none)", `a"b`, `back\slash`, "a<b", "a>b", "a&b", "tab\tline\n\x00", "\x7f", "Zürich 東京 🙂",
		"\u2028", "{", "",
	}
	words = append(names[:len(names):len(names)], "\xff\xfe", "a\xc3")
)

// scramble fills a value with random content, a third of it zero. It covers fields that are yet to come.
func scramble(t *testing.T, v reflect.Value, r *rand.Rand) {
	t.Helper()
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(r.Int64N(1<<33), r.Int64N(1e9)).UTC()))
		return
	}
	if v.Kind() != reflect.Struct && r.IntN(3) == 0 {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			scramble(t, v.Field(i), r)
		}
	case reflect.Array:
		for i := range v.Len() {
			scramble(t, v.Index(i), r)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(4), 4))
		for i := range v.Len() {
			scramble(t, v.Index(i), r)
		}
	case reflect.String:
		v.SetString(words[r.IntN(len(words))])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(r.Int64() >> r.IntN(63) * (1 - 2*r.Int64N(2)))
	case reflect.Uint8:
		v.SetUint(r.Uint64N(256))
	default:
		t.Fatalf("nobody said how to scramble a %s", v.Type())
	}
}

// zeroCounts finds the counts of a usage that appendJSON leaves out.
var zeroCounts = regexp.MustCompile(`"[A-Z][A-Za-z]*":0,?`)

func TestRecordsAreWhatEncodingJSONWrites(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		for _, p := range []payload{&Reservation{}, &Entry{}} {
			scramble(t, reflect.ValueOf(p).Elem(), r)
			want, err := json.Marshal(p)
			must(t, err)
			want = bytes.ReplaceAll(zeroCounts.ReplaceAll(want, nil), []byte(",}"), []byte("}"))
			got, err := p.appendJSON([]byte("before"))
			must(t, err)
			if diff := cmp.Diff("before"+string(want), string(got)); diff != "" {
				t.Fatalf("%T %+v (-want +got):\n%s", p, p, diff)
			}
		}
	}
}

func TestDimensionsAreWhatEncodingJSONWrites(t *testing.T) {
	for _, dims := range [][]Dim{nil, team("search"), {{Name: "team", Value: "<x>"}, {}, {Name: "user", Verified: true}}} {
		want, err := json.Marshal(dims)
		must(t, err)
		if got := appendDims(nil, dims); string(got) != string(want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestAMomentThatJSONCannotCarryIsRefused(t *testing.T) {
	e := paid(NewID(noon), cent)
	e.At = noon
	e.Settled = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	if frame, err := encodeRecord(kindEntry, &e); err == nil {
		t.Errorf("got %q, want an error", frame)
	}
}

func TestARecordThatIsTooLongIsRefused(t *testing.T) {
	e := paid(NewID(noon), cent)
	e.Detail = string(make([]byte, maxPayload))
	if frame, err := encodeRecord(kindEntry, &e); err == nil {
		t.Errorf("got %d bytes, want an error", len(frame))
	}
}
