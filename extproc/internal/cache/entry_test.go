package cache

import (
	"errors"
	"strings"
	"testing"
)

func TestDecodeRefusesEveryDamage(t *testing.T) {
	whole := encodeOf(t, answer("body"))
	for n := range whole {
		if _, err := decode(whole[:n]); !errors.Is(err, errCorrupt) {
			t.Errorf("cut to %d bytes: error %v, want %v", n, err, errCorrupt)
		}
		flipped := append([]byte(nil), whole...)
		flipped[n] ^= 0x10
		if _, err := decode(flipped); !errors.Is(err, errCorrupt) {
			t.Errorf("bit flipped in byte %d: error %v, want %v", n, err, errCorrupt)
		}
	}
}

func TestEncodeRefusesNamesThatDoNotFit(t *testing.T) {
	e := answer("")
	e.ContentType = strings.Repeat("x", 1<<16)
	if _, err := encode(e, 1<<30); !errors.Is(err, errTooLarge) {
		t.Errorf("error %v, want %v", err, errTooLarge)
	}
}
