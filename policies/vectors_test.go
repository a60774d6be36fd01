package policies_test

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/policies/policyfile"
	"github.com/farebox-mesh/farebox/policies/policytest"
	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/catalog"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

var update = flag.Bool("update", false, "write what the Go API makes of testdata/vectors to them; review it")

// TestVectors runs the corpus through the packages themselves. The policy as written and its compiled form, and
// a response in one piece and byte by byte, must come to the same.
func TestVectors(t *testing.T) {
	vectors, err := policytest.Load("testdata/vectors", policytest.API)
	if err != nil {
		t.Fatal(err)
	}
	for i := range vectors {
		v := &vectors[i]
		t.Run(v.Name, func(t *testing.T) {
			written, decoded := compile(t, v)
			want := known(v, v.Want)
			got := known(v, run(t, v, written, 1<<20))
			if *update {
				if err := v.Update(got, policytest.Removed, policytest.Set); err != nil {
					t.Fatal(err)
				}
				return
			}
			compare(t, v, "the policy as written", want, got)
			compare(t, v, "a response byte by byte", want, known(v, run(t, v, written, 1)))
			compare(t, v, "the compiled policy", want, known(v, run(t, v, decoded, 1<<20)))
		})
	}
}

// known leaves out what the packages do not do: headers, and messages to clients whom policy refuses.
func known(v *policytest.Vector, r policytest.Result) policytest.Result {
	r = r.Without(policytest.Removed, policytest.Set)
	if v.Want.Facts[policytest.Refusal] != "" {
		r.Answer = nil
	}
	return r
}

func compare(t *testing.T, v *policytest.Vector, what string, want, got policytest.Result) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: %s (-want +got):\n%s", v.Title, what, diff)
	}
}

// compile returns the vector's policy as the file says it and as the filter reads it.
func compile(t *testing.T, v *policytest.Vector) (written, decoded *policies.Set) {
	t.Helper()
	p, problems := policyfile.Parse(v.Name, []byte(v.Policy))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	written, err := policies.Compile(*p, catalog.Table())
	if err != nil {
		t.Fatal(err)
	}
	q, listings, err := policies.DecodeJSON(policies.AppendJSON(nil, written.Policy(), written.Needed(catalog.Curated(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	if decoded, err = policies.Compile(*q, pricing.NewTable(listings)); err != nil {
		t.Fatal(err)
	}
	return written, decoded
}

// state is the one that a vector describes.
type state struct {
	policies.NoState
	*policytest.Vector
}

func (s state) Cheaper(pool policies.RouteName) bool { return string(pool) == s.Vector.Cheaper }

func (s state) Left(b *policies.Budget) (left, limit pricing.Money, covered bool) {
	return b.Limit - s.Spent[string(b.Name)], b.Limit, true
}

func (s state) PrefixSeen(policies.RouteName, pricing.ModelName, provider.Prefix) bool {
	return s.Prefix
}

// run is a call from its first byte to its bill. The response comes in pieces of that many bytes.
func run(t *testing.T, v *policytest.Vector, set *policies.Set, piece int) policytest.Result {
	t.Helper()
	out := policytest.Result{Facts: map[policytest.Fact]string{}}
	endpoint := provider.ParsePath(v.Request.Path)
	call, err := provider.ParseCall(endpoint, v.Request.Path, v.Request.Get("content-type"), v.Request.Get, v.Request.Body)
	if err != nil {
		unreadable(t, &out, endpoint.API, err)
		return out
	}
	d := set.Decide(request(v, set, &call), state{Vector: v}, v.At)
	served, short := d.Choose(func(o *policies.Option) error { return bear(v, set, o) })
	out.Note(policytest.Rule, string(d.Rule))
	out.Note(policytest.Tier, string(d.Tier))
	out.Note(policytest.Kept, d.Kept)
	out.Note(policytest.Pool, string(d.Pool))
	if d.Budget != "" {
		out.Note(policytest.Step, strings.TrimSpace(fmt.Sprintf("%s %d%% %s %s", d.Budget, d.Step.Percent, d.Step.Do, d.Step.Tier)))
	}
	switch {
	case v.Answered:
		replay(t, v, &d, &out)
		return out
	case !set.Enforcing():
		out.Note(policytest.Would, served.Kind.String())
		served = &d.Asked
	case served.Kind == policies.Refuse:
		refused(&out, served.Refusal, short)
		return out
	}
	forward(t, v, set, served, &call, &out)
	bill(t, v, set, &d, served, &call, piece, &out)
	return out
}

// unreadable is the answer to a call that cannot be read.
func unreadable(t *testing.T, out *policytest.Result, api provider.API, err error) {
	t.Helper()
	var bad *provider.RequestError
	if !errors.As(err, &bad) {
		t.Fatalf("parse request: got %T, want a *RequestError", err)
	}
	r := provider.Refuse(api, api.Vendor(), provider.Fault{Kind: provider.BadRequest, Message: bad.Message, Param: bad.Param})
	out.Note(policytest.Decision, "refuse")
	out.Note(policytest.Status, strconv.Itoa(r.Status))
	out.Answer = r.Body
}

// refused is the answer to a call that policy refuses. short is the error of a budget, if one was asked.
func refused(out *policytest.Result, why policies.Refusal, short error) {
	status := "403"
	if short != nil || why == policies.RefuseStep {
		status = "429"
	}
	out.Note(policytest.Decision, "refuse")
	out.Note(policytest.Refusal, why.String())
	out.Note(policytest.Status, status)
}

func request(v *policytest.Vector, set *policies.Set, call *provider.Request) policies.Request {
	path, _, _ := strings.Cut(v.Request.Path, "?")
	r := policies.Request{Call: call, Path: path, Header: v.Request.Get}
	r.Route, r.Vendor = set.Identify(v.Request.Get("host"), v.Request.Path, call.API, v.Request.Get)
	for _, d := range set.Policy().Dimensions {
		value := policies.Value{Name: d.Name}
		for _, s := range d.Sources {
			if s.Kind == policies.FromHeader && value.Value == "" {
				value.Value, value.Verified = v.Request.Get(s.Key), d.Verified(s.Kind)
			}
		}
		r.Dims = append(r.Dims, value)
	}
	return r
}

var errSpent = errors.New("the budget is spent")

// bear stands for the ledger. No budget of the vectors has a scope.
func bear(v *policytest.Vector, set *policies.Set, o *policies.Option) error {
	for _, b := range set.Policy().Budgets {
		if b.Soft {
			continue
		}
		left, need := b.Limit-v.Spent[string(b.Name)], o.Charge()
		if need > left || (need == 0 && left <= 0 && !b.FreeOnly) {
			return errSpent
		}
	}
	return nil
}

// forward notes what leaves.
func forward(t *testing.T, v *policytest.Vector, set *policies.Set, o *policies.Option, call *provider.Request, out *policytest.Result) {
	t.Helper()
	out.Note(policytest.Decision, o.Kind.String())
	out.Note(policytest.Route, string(o.Route))
	out.Note(policytest.Model, string(o.Model))
	if o.Bound > 0 {
		out.Note(policytest.Bound, o.Bound.String())
	}
	if !set.Enforcing() {
		out.Note(policytest.Path, v.Request.Path)
		out.Body = v.Request.Wire()
		return
	}
	edits, err := call.Rewrite(nil, o.Edit)
	if err != nil {
		t.Fatalf("rewrite refused after decision: %v", err)
	}
	out.Body = provider.Apply(nil, v.Request.Body, edits)
	path := call.RewritePath(o.Edit)
	if asked, _ := set.Identify(v.Request.Get("host"), v.Request.Path, call.API, v.Request.Get); o.Route != asked {
		path = provider.PathAt(o.Vendor, call.API, path)
	}
	out.Note(policytest.Path, path)
}

// read meters the response in pieces.
func read(v *policytest.Vector, at provider.Endpoint, vendor pricing.ProviderName, piece int) provider.Reading {
	m := provider.NewMeter(at, vendor)
	for part := range slices.Chunk(v.Response.Wire(), piece) {
		m.Write(part)
	}
	return m.Close()
}

// bill notes what the response came to.
func bill(t *testing.T, v *policytest.Vector, set *policies.Set, d *policies.Decision, o *policies.Option, call *provider.Request, piece int, out *policytest.Result) {
	t.Helper()
	r := read(v, call.Endpoint, o.Vendor, piece)
	if v.Response.Status >= 400 && !r.HasUsage {
		out.Money(pricing.Usage{}, 0, 0, pricing.Savings{}, false)
		return
	}
	usage, estimated := d.Usage(o, &r, call.InputEstimate())
	b, err := d.Bill(o, usage, set.Charged(o, &r, v.At))
	if err != nil {
		t.Fatal(err)
	}
	out.Money(usage, b.Cost, b.Baseline, b.Savings, estimated || b.Estimated)
	if b.ListCost != b.Cost {
		out.Note(policytest.ListCost, b.ListCost.String())
	}
}

// replay answers from the exact cache.
func replay(t *testing.T, v *policytest.Vector, d *policies.Decision, out *policytest.Result) {
	t.Helper()
	o := d.First()
	usage := read(v, provider.ParsePath(v.Request.Path), o.Vendor, 1<<20).Usage
	b, err := d.HitBill(usage)
	if err != nil {
		t.Fatal(err)
	}
	out.Note(policytest.Decision, "replay")
	out.Note(policytest.Route, string(o.Route))
	out.Note(policytest.Model, string(o.Model))
	out.Note(policytest.Status, "200")
	out.Money(usage, b.Cost, b.Baseline, b.Savings, false)
	out.Answer = v.Response.Body
}
