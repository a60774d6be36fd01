package filter

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/policies/policyfile"
	"github.com/farebox-mesh/farebox/policies/policytest"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog"
)

// TestVectors runs the corpus that the other doors run through the filter, from the compiled policy on.
func TestVectors(t *testing.T) {
	vectors, err := policytest.Load("../../../policies/testdata/vectors", policytest.Filter)
	if err != nil {
		t.Fatal(err)
	}
	for i := range vectors {
		v := &vectors[i]
		t.Run(v.Name, func(t *testing.T) {
			want := v.Want.Without(policytest.Kept, policytest.Refusal, policytest.Pool, policytest.Step, policytest.Bound,
				policytest.ListCost, policytest.Savings)
			if diff := cmp.Diff(want, throughFilter(t, v)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", v.Title, diff)
			}
		})
	}
}

// momentHost is a proxy at the moment of a vector.
type momentHost struct {
	fakeHost
	at time.Time
}

func (h *momentHost) Now() time.Time { return h.at }

// throughFilter sends a vector's call and its response, and returns what became of them.
func throughFilter(t *testing.T, v *policytest.Vector) policytest.Result {
	t.Helper()
	f, err := New(vectorPolicy(t, v))
	if err != nil {
		t.Fatal(err)
	}
	host := &momentHost{at: v.At}
	host.headers = [][2]string{{":method", v.Request.Method}, {":path", v.Request.Path}}
	for _, h := range v.Request.Header {
		if h[0] == "host" {
			h[0] = ":authority"
		}
		host.headers = append(host.headers, h)
	}
	sent := fields(host.headers)
	x := f.Begin(host)
	x.RequestHeaders(false)
	host.body = v.Request.Wire()
	x.RequestBody(true)
	out := policytest.Result{Facts: map[policytest.Fact]string{}}
	if host.answer != nil {
		x.Done()
		out.Note(policytest.Decision, host.answer.Headers["x-farebox-decision"])
		out.Note(policytest.Status, strconv.Itoa(host.answer.Status))
		out.Answer = []byte(host.answer.Body)
		return out
	}
	host.forwarded(sent, &out)
	host.status, host.details = v.Response.Status, "via_upstream"
	x.ResponseHeaders()
	for piece := range slices.Chunk(v.Response.Wire(), 41) {
		host.piece = string(piece)
		x.ResponseBody(len(piece))
	}
	x.Done()
	host.recorded(t, &out)
	return out
}

// vectorPolicy compiles the vector's policy as "farebox policy compile" does.
func vectorPolicy(t *testing.T, v *policytest.Vector) []byte {
	t.Helper()
	p, problems := policyfile.Parse(v.Name, []byte(v.Policy))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	set, err := policies.Compile(*p, catalog.Table())
	if err != nil {
		t.Fatal(err)
	}
	return policies.AppendJSON(nil, set.Policy(), set.Needed(catalog.Curated(), nil))
}

// forwarded notes the request as the proxy would send it on.
func (h *momentHost) forwarded(sent map[string]string, out *policytest.Result) {
	leaving := fields(h.headers)
	var removed, set []string
	for name, value := range sent {
		if _, ok := leaving[name]; !ok && name != "content-encoding" {
			removed = append(removed, name)
		} else if ok && leaving[name] != value && name != ":path" {
			set = append(set, name+" "+leaving[name])
		}
	}
	slices.Sort(removed)
	out.Note(policytest.Path, leaving[":path"])
	out.Note(policytest.Removed, strings.Join(removed, ", "))
	out.Note(policytest.Set, strings.Join(set, ", "))
	out.Body = h.body
}

// recorded notes the last record that went to the access log.
func (h *momentHost) recorded(t *testing.T, out *policytest.Result) {
	t.Helper()
	r := lastRecord(t, &h.fakeHost)
	out.Note(policytest.Decision, r.Decision)
	out.Note(policytest.Would, r.Would)
	out.Note(policytest.Rule, r.Rule)
	out.Note(policytest.Tier, r.Tier)
	out.Note(policytest.Route, r.Route)
	out.Note(policytest.Model, r.Model)
	out.Note(policytest.Cost, r.CostUSD)
	out.Note(policytest.Baseline, r.BaselineUSD)
	out.Note(policytest.Usage, policytest.UsageText(pricing.Usage{
		Input: r.Usage["input"], CacheRead: r.Usage["cache_read"], CacheWriteShort: r.Usage["cache_write_short"],
		CacheWriteLong: r.Usage["cache_write_long"], Output: r.Usage["output"], Reasoning: r.Usage["reasoning"],
	}))
	if r.Estimated {
		out.Note(policytest.Estimated, "true")
	}
}

// lastRecord decodes the record that counts.
func lastRecord(t *testing.T, h *fakeHost) (r record) {
	t.Helper()
	if len(h.records) == 0 {
		t.Fatal("no record was published")
	}
	if err := json.Unmarshal([]byte(h.records[len(h.records)-1]), &r); err != nil {
		t.Fatalf("record %s: %v", h.records[len(h.records)-1], err)
	}
	return r
}
