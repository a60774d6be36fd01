package exchange

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
)

// TestAStreamThatIsAnArrayIsEnded sends Gemini's stream in the form that it has without alt=sse, in pieces that end
// anywhere.
func TestAStreamThatIsAnArrayIsEnded(t *testing.T) {
	element := `{"candidates":[{"content":{"parts":[{"text":"` + strings.Repeat("word ", 100) + `"}],"role":"model"},"index":0}],"modelVersion":"gemini-2.5-flash"}`
	whole := "[" + strings.Repeat(element+"\n,\r\n", 19) + element + "\n]\n"
	for _, size := range []int{1, 997, len(whole)} {
		w := newWorld(t, "mode: enforce\nproviders: {google: {hosts: [generativelanguage.googleapis.com], credential: caller}}\n"+
			"budgets: [{name: a, limit: $1 per day, stop_on_budget: true}]\n")
		x, reply := w.send(t, call{host: "generativelanguage.googleapis.com", path: "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
			body: `{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":100}}`})
		if reply.Answer != nil {
			t.Fatalf("answered with %d: %s", reply.Answer.Status, reply.Answer.Body)
		}
		x.ResponseStatus(Status{Code: 200, Details: "via_upstream", Attempts: 1})
		var passed strings.Builder
		for i := 0; i < len(whole); i += size {
			end := min(i+size, len(whole))
			p, err := x.ResponseBody([]byte(whole[i:end]), false)
			must(t, err)
			passed.Write(p.Body)
		}
		x.End(StreamEnded)
		var elements []struct {
			Candidates []struct{ FinishReason string }
		}
		if err := json.Unmarshal([]byte(passed.String()), &elements); err != nil {
			t.Fatalf("in pieces of %d: %v in %s", size, err, passed.String())
		}
		if n := len(elements); size < len(whole) && n > 10 || elements[n-1].Candidates[0].FinishReason != "MAX_TOKENS" {
			t.Errorf("in pieces of %d: %d elements passed, ending %s", size, n, passed.String()[max(0, passed.Len()-200):])
		}
		if e := w.entry(t); e.Outcome != ledger.Cut || e.Detail != "ended at the spend limit" || e.Cost <= e.Bound {
			t.Errorf("in pieces of %d: entry %+v, want it cut beyond its bound", size, e)
		}
	}
}
