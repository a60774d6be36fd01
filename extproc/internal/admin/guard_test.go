package admin

import (
	"net/http"
	"strings"
	"testing"
)

func TestForeignHostNamesAreRefusedOnLoopback(t *testing.T) {
	c := config(&book{})
	onLoopback := New(c)
	c.Loopback = false
	elsewhere := New(c)
	for _, tt := range []struct {
		host string
		want int
	}{
		{"localhost", 200},
		{"LOCALHOST:9901", 200},
		{"localhost.:9901", 200},
		{"farebox.localhost:9901", 200},
		{"127.0.0.1:9901", 200},
		{"127.1.2.3", 200},
		{"[::1]:9901", 200},
		{"[::1]", 200},
		{"[::ffff:127.0.0.1]:80", 200},
		{"rebound.example.com", 421},
		{"rebound.example.com:9901", 421},
		{"localhost.example.com", 421},
		{"127.0.0.1.example.com", 421},
		{"notlocalhost", 421},
		{"10.0.0.5:9901", 421},
		{"0.0.0.0", 421},
		{"", 421},
	} {
		for _, path := range []string{"/", "/api/summary", "/policy", "/metrics", "/healthz"} {
			if w := send(t, onLoopback, "GET", tt.host, path); w.Code != tt.want {
				t.Errorf("host %q, %s: status %d, want %d", tt.host, path, w.Code, tt.want)
			}
			if w := send(t, elsewhere, "GET", tt.host, path); w.Code != 200 {
				t.Errorf("host %q, %s, not bound to loopback: status %d, want 200", tt.host, path, w.Code)
			}
		}
	}
}

func TestEveryAnswerIsStrict(t *testing.T) {
	h := New(config(&book{}))
	for _, path := range []string{"/", "/api/summary", "/policy", "/healthz", "/nowhere", "/?range=year"} {
		head := get(t, h, path).Header()
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'",
			"X-Content-Type-Options":  "nosniff",
			"X-Frame-Options":         "DENY",
			"Referrer-Policy":         "no-referrer",
			"Cache-Control":           "no-store",
		} {
			if got := head.Get(name); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s = %q, want %q", path, name, got, want)
			}
		}
		if strings.Contains(head.Get("Content-Security-Policy"), "unsafe") {
			t.Errorf("%s: the content policy allows something unsafe", path)
		}
	}
	if got := send(t, h, http.MethodGet, "evil.example", "/").Header().Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("a refusal lacks the headers: %q", got)
	}
}
