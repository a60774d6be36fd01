package provider

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type textEvent struct{ Name, Data string }

// readEvents feeds the pieces to one reader and returns what it hands out.
func readEvents(pieces ...string) (events []textEvent) {
	var r eventReader
	emit := func(e event) { events = append(events, textEvent{string(e.name), string(e.data)}) }
	for _, p := range pieces {
		r.feed([]byte(p), emit)
	}
	r.flush(emit)
	return events
}

var streams = []struct {
	name, in string
	want     []textEvent
}{
	{"LF ends lines", "data: a\n\ndata: b\n\n", []textEvent{{"", "a"}, {"", "b"}}},
	{"CRLF ends lines", "event: x\r\ndata: a\r\n\r\ndata: b\r\n\r\n", []textEvent{{"x", "a"}, {"", "b"}}},
	{"CR ends lines", "event: x\rdata: a\r\rdata: b\r\r", []textEvent{{"x", "a"}, {"", "b"}}},
	{"line endings mix", "data: a\r\rdata: b\n\r\ndata: c\r\n\n", []textEvent{{"", "a"}, {"", "b"}, {"", "c"}}},
	{"data lines join with LF", "data: a\ndata:\ndata: b\n\n", []textEvent{{"", "a\n\nb"}}},
	{"one space after the colon goes", "data:a\n\ndata:  b\n\n", []textEvent{{"", "a"}, {"", " b"}}},
	{"an empty data line is an event", "data\n\ndata:\n\n", []textEvent{{"", ""}, {"", ""}}},
	{"comments and other fields are nothing", ": hi\n\nid: 1\nretry: 5\nfoo: bar\ndata: a\n: x\n\n", []textEvent{{"", "a"}}},
	{"an event without data is none, and its name goes", "event: x\n\ndata: a\n\n", []textEvent{{"", "a"}}},
	{"the last name of an event counts", "event: x\nevent: y\ndata: a\n\n", []textEvent{{"y", "a"}}},
	{"the end of the stream ends the event", "data: a\n\nevent: x\ndata: b", []textEvent{{"", "a"}, {"x", "b"}}},
	{"several empty lines are one", "\n\n\ndata: a\n\n\n\n", []textEvent{{"", "a"}}},
	{"bare JSON is an event", "data: a\n\n{\n \"error\": {}\n}\n", []textEvent{{"", "a"}, {"", "{\n \"error\": {}\n}"}}},
	{"UTF-8 passes", "data: Grüße 😀\n\n", []textEvent{{"", "Grüße 😀"}}},
	{"nothing", "", nil},
}

func TestEventReader(t *testing.T) {
	for _, tt := range streams {
		t.Run(tt.name, func(t *testing.T) {
			got := readEvents(tt.in)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("events of %q (-want +got):\n%s", tt.in, diff)
			}
			for i := range tt.in {
				for j := i; j < len(tt.in); j++ {
					if got := readEvents(tt.in[:i], tt.in[i:j], tt.in[j:]); !cmp.Equal(tt.want, got) {
						t.Fatalf("events of %q, %q, %q: got %v, want %v", tt.in[:i], tt.in[i:j], tt.in[j:], got, tt.want)
					}
				}
			}
		})
	}
}

func TestEventReaderSkipsWhatIsTooLarge(t *testing.T) {
	const half = maxEvent / 2
	long := strings.Repeat("x", half+1)
	a := []textEvent{{"", "a"}}
	for _, tt := range []struct {
		name, in string
		want     []textEvent
	}{
		{"one line", "data: " + long + long + "\n\ndata: a\n\n", a},
		{"several lines", "data: " + long + "\ndata: " + long + "\n\ndata: a\n\n", a},
		{"a comment", ":" + long + long + "\n\ndata: a\n\n", a},
		{"at the end", "data: a\n\ndata: " + long + long, a},
		{"just below", "data: a\n\ndata", []textEvent{{"", "a"}, {"", ""}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{len(tt.in), 1 << 20, 64<<10 - 1} {
				var pieces []string
				for rest := tt.in; rest != ""; {
					n := min(size, len(rest))
					pieces, rest = append(pieces, rest[:n]), rest[n:]
				}
				if got := readEvents(pieces...); !slices.Equal(got, tt.want) {
					t.Errorf("in pieces of %d: got %d events, want %v", size, len(got), tt.want)
				}
			}
		})
	}
}

func TestEventReaderDoesNotAllocate(t *testing.T) {
	stream := []byte("event: x\ndata: {\"a\":\ndata: 1}\n\n: ping\n\n")
	var r eventReader
	n := 0
	emit := func(e event) { n += len(e.data) }
	r.feed(stream, emit)
	if allocs := testing.AllocsPerRun(100, func() {
		r.feed(stream[:7], emit)
		r.feed(stream[7:], emit)
	}); allocs != 0 {
		t.Errorf("allocated %v times for one event, want 0", allocs)
	}
}

func FuzzEventReader(f *testing.F) {
	for _, tt := range streams {
		f.Add([]byte(tt.in), 3, 5)
	}
	f.Fuzz(func(t *testing.T, in []byte, i, j int) {
		i = min(max(i, 0), len(in))
		j = min(max(j, i), len(in))
		want := readEvents(string(in))
		var pieces []string
		for _, b := range bytes.Split(in, nil) {
			pieces = append(pieces, string(b))
		}
		if got := readEvents(pieces...); !cmp.Equal(want, got) {
			t.Errorf("byte by byte: got %q, want %q", got, want)
		}
		if got := readEvents(string(in[:i]), string(in[i:j]), string(in[j:])); !cmp.Equal(want, got) {
			t.Errorf("split at %d and %d: got %q, want %q", i, j, got, want)
		}
	})
}
