package ledger

import (
	"strings"
	"testing"
	"time"
)

func TestIDsSortByTimeAndSurviveText(t *testing.T) {
	seen := map[ID]bool{}
	var last string
	for i := range 1000 {
		id := NewID(noon.Add(time.Duration(i) * time.Millisecond))
		text := id.String()
		if text <= last || seen[id] {
			t.Fatalf("%s does not follow %s", text, last)
		}
		if text[14] != '7' || !strings.ContainsRune("89ab", rune(text[19])) {
			t.Fatalf("%s is no UUID of version 7", text)
		}
		back, err := ParseID(text)
		if err != nil || back != id {
			t.Fatalf("parse %s: got %s, %v", text, back, err)
		}
		last, seen[id] = text, true
	}
}

func TestTextThatIsNoID(t *testing.T) {
	for _, text := range []string{"", "0198c9a4", "0198c9a4-7a6e-7c3e-9d51-0f4f9f5be2ag", "0198c9a4a7a6e-7c3e-9d51-0f4f9f5be2aa"} {
		if id, err := ParseID(text); err == nil {
			t.Errorf("parse %q: got %s, want an error", text, id)
		}
	}
}
