package main

import (
	"os"
	"testing"
)

func TestWhatAPollFindsIsNewsOnce(t *testing.T) {
	gone := os.ErrNotExist
	type poll struct {
		text   string
		err    error
		forced bool
		news   bool
	}
	for _, tt := range []struct {
		name  string
		polls []poll
	}{
		{"the same text", []poll{{"a", nil, false, false}, {"a", nil, false, false}}},
		{"another text", []poll{{"b", nil, false, true}, {"b", nil, false, false}, {"a", nil, false, true}}},
		{"away for a moment", []poll{{"", gone, false, false}, {"", gone, false, false}, {"a", nil, false, false}, {"", gone, false, false}, {"", gone, false, false}, {"b", nil, false, true}}},
		{"gone for good", []poll{{"", gone, false, false}, {"", gone, false, false}, {"", gone, false, true}, {"", gone, false, false}, {"", gone, false, false}, {"", gone, false, false}}},
		{"back as it was", []poll{{"", gone, false, false}, {"", gone, false, false}, {"", gone, false, true}, {"a", nil, false, true}, {"a", nil, false, false}}},
		{"asked for", []poll{{"a", nil, true, true}, {"", gone, true, true}, {"a", nil, false, true}, {"a", nil, false, false}}},
		{"emptied", []poll{{"", nil, false, true}, {"", nil, false, false}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := watched{seen: &sources{text: []byte("a")}}
			for i, p := range tt.polls {
				if got := w.changed(sources{text: []byte(p.text)}, p.err, p.forced); got != p.news {
					t.Errorf("poll %d: news %t, want %t", i, got, p.news)
				}
			}
		})
	}
}
