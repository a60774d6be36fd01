package e2e

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// nanos is money: nano-dollars, 1e-9 USD. In farebox's JSON it is dollars as decimal text, in the provider's an
// integer.
type nanos int64

func (n *nanos) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	if text == string(b) {
		v, err := strconv.ParseInt(text, 10, 64)
		*n = nanos(v)
		return err
	}
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) > 9 {
		return fmt.Errorf("amount %q has more than nine decimals", text)
	}
	v, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", 9-len(fraction)), 10, 64)
	*n = nanos(v)
	return err
}

// String prints dollars, as a policy file takes them.
func (n nanos) String() string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%09d", sign, n/1e9, n%1e9)
}

// summary is the part of GET /api/summary that the tests look at.
type summary struct {
	Calls     int64 `json:"calls"`
	Cost      nanos `json:"cost_usd"`
	Baseline  nanos `json:"baseline_usd"`
	Saved     nanos `json:"saved_usd"`
	Estimated int64 `json:"estimated_calls"`
	Bound     nanos `json:"estimated_bound_usd"`
	Overruns  int64 `json:"overruns"`
	Levers    []struct {
		Lever string `json:"lever"`
		Saved nanos  `json:"saved_usd"`
	} `json:"levers"`
	Outcomes []struct {
		Name  string `json:"name"`
		Calls int64  `json:"calls"`
	} `json:"outcomes"`
	Budgets []balance `json:"budgets"`
	Pools   []struct {
		Pool    string `json:"pool"`
		Cheaper bool   `json:"cheaper"`
	} `json:"pools"`
	Latest []struct {
		Route     string `json:"route"`
		Asked     string `json:"asked"`
		Model     string `json:"model"`
		Cost      nanos  `json:"cost_usd"`
		Saved     nanos  `json:"saved_usd"`
		Outcome   string `json:"outcome"`
		Estimated bool   `json:"estimated"`
	} `json:"latest"`
}

type balance struct {
	Budget   string `json:"budget"`
	Scope    string `json:"scope"`
	Limit    nanos  `json:"limit_usd"`
	Spent    nanos  `json:"spent_usd"`
	Reserved nanos  `json:"reserved_usd"`
	Left     nanos  `json:"left_usd"`
}

// outcome is how many calls ended so.
func (s summary) outcome(name string) int64 {
	for _, o := range s.Outcomes {
		if o.Name == name {
			return o.Calls
		}
	}
	return 0
}

// lever is what a lever saved.
func (s summary) lever(name string) nanos {
	for _, l := range s.Levers {
		if l.Lever == name {
			return l.Saved
		}
	}
	return 0
}

// budget is the first balance, which stacks with one budget have.
func (s summary) budget(t *testing.T) balance {
	t.Helper()
	if len(s.Budgets) == 0 {
		t.Fatal("the summary shows no budget")
	}
	return s.Budgets[0]
}

// report is a range of the summary and when it was last asked for.
type report struct {
	name string
	at   time.Time
}

func newReports() [3]report { return [3]report{{name: "hour"}, {name: "day"}, {name: "month"}} }

// shownAgainFor is how long a report stays as it is: a second, and a little for the way.
const shownAgainFor = 1050 * time.Millisecond

// summary reads what farebox has booked so far. What a test does fits into every range, so it takes the one whose
// report is the oldest, and waits until that is made anew.
func (s *stack) summary(t *testing.T) summary {
	t.Helper()
	var sum summary
	r := &s.reports[0]
	for i := range s.reports {
		if s.reports[i].at.Before(r.at) {
			r = &s.reports[i]
		}
	}
	time.Sleep(time.Until(r.at.Add(shownAgainFor)))
	status, text := s.admin(t, "/api/summary?range="+r.name)
	r.at = time.Now() // it was made before
	if status != 200 {
		t.Fatalf("summary: status %d: %s", status, text)
	}
	if err := json.Unmarshal(text, &sum); err != nil {
		t.Fatalf("summary: %v in %s", err, text)
	}
	return sum
}

// settled waits until so many calls are booked, and returns the summary.
func (s *stack) settled(t *testing.T, calls int64) summary {
	t.Helper()
	var sum summary
	eventually(t, fmt.Sprintf("%d calls are booked", calls), func() bool {
		sum = s.summary(t)
		return sum.Calls >= calls
	})
	if sum.Calls > calls {
		t.Fatalf("%d calls are booked, want %d: %+v", sum.Calls, calls, sum.Outcomes)
	}
	return sum
}

// metric is the value of a Prometheus sample, 0 if it is not there. The name includes labels, if any.
func (s *stack) metric(t *testing.T, name string) float64 {
	t.Helper()
	_, text := s.admin(t, "/metrics")
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
	}
	return 0
}
