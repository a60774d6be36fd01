package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// vendor is a running provider, or own pool, of examples/provider.
type vendor struct {
	*process
	url    string
	houses map[string]string // URLs by the names of those that have an address of their own
}

// bill is a line of a vendor's invoice.
type bill struct {
	Model     string `json:"model"`
	CostNanos nanos  `json:"cost_nanos"`
	Cancelled bool   `json:"cancelled"`
	RequestID string `json:"request_id"`

	Usage json.RawMessage `json:"usage"`
}

// usage is the part of a bill's usage that the tests look at.
func (b bill) usage(t *testing.T) (u struct{ Input, Output nanos }) {
	t.Helper()
	decode(t, string(b.Usage), &u)
	return u
}

// invoice is the sum of a vendor's bills.
type invoice struct {
	Calls     int64 `json:"calls"`
	CostNanos nanos `json:"cost_nanos"`
	Leaks     int   `json:"leaks"`
}

// received is a request as it reached a vendor.
type received struct {
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"`
	Body    []byte            `json:"body"`
}

func startVendor(t *testing.T, name string, flags ...string) *vendor {
	t.Helper()
	p := start(t, name, filepath.Join(bin, "provider"), flags...)
	var hello struct {
		Listening string            `json:"listening"`
		Houses    map[string]string `json:"houses"`
	}
	eventually(t, name+" says where it listens", func() bool {
		if p.ended() {
			t.Fatalf("%s ended: %v\n%s", name, p.err, p.log)
		}
		return json.Unmarshal([]byte(p.out.String()), &hello) == nil
	})
	v := &vendor{p, "http://" + hello.Listening, map[string]string{}}
	for name, address := range hello.Houses {
		v.houses[name] = "http://" + address
	}
	return v
}

// control calls one of the endpoints by which a test steers a vendor, and returns the lines of the answer.
func (v *vendor) control(t *testing.T, method, path string) io.Reader {
	t.Helper()
	req, err := http.NewRequest(method, v.url+"/_/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		t.Fatalf("%s %s: status %d, %v: %s", method, path, res.StatusCode, err, body)
	}
	return strings.NewReader(string(body))
}

func lines[T any](t *testing.T, r io.Reader) []T {
	t.Helper()
	var list []T
	for d := json.NewDecoder(r); ; {
		var line T
		err := d.Decode(&line)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, line)
	}
}

func (v *vendor) total(t *testing.T) invoice {
	t.Helper()
	return lines[invoice](t, v.control(t, "GET", "total"))[0]
}

func (v *vendor) bills(t *testing.T) []bill {
	t.Helper()
	return lines[bill](t, v.control(t, "GET", "invoice"))
}

func (v *vendor) requests(t *testing.T) []received {
	t.Helper()
	return lines[received](t, v.control(t, "GET", "requests"))
}

// last is the latest request.
func (v *vendor) last(t *testing.T) received {
	t.Helper()
	all := v.requests(t)
	if len(all) == 0 {
		t.Fatalf("%s received no request", v.name)
	}
	return all[len(all)-1]
}

// fail makes the next calls fail.
func (v *vendor) fail(t *testing.T, next int, fault string) {
	t.Helper()
	v.control(t, "POST", fmt.Sprintf("fault?next=%d&fault=%s", next, url.QueryEscape(fault)))
}

func (v *vendor) reset(t *testing.T) {
	t.Helper()
	v.control(t, "POST", "reset")
}
