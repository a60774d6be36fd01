package ledger

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

const (
	// maxLearned bounds the memory of what was learned, in keys of about 200 bytes.
	maxLearned = 1 << 12
	// learnFrom is how many of the latest entries a process starts with.
	learnFrom = 2000
	// weight is the part that a new observation has in the mean: one in so many.
	weight = 16
)

// dimFeature is the dimension whose values are told apart, verified or not: it decides about no hard limit.
const dimFeature policies.DimensionName = "feature"

// learnKey is what calls have in common whose answers are alike. Without a feature it is all of a model's.
type learnKey struct {
	route   policies.RouteName
	model   pricing.ModelName
	feature string
}

// learned is how long answers were of late: moving means, in weight parts of a token. The zero value knows nothing.
type learned map[learnKey]int64

// Expect returns how many tokens a model's answers to a call's feature had of late, those to all its calls if that feature
// is new, and 0 if nothing is known. It is a moving mean, for soft budgets; nothing bounds an answer by it.
func (l *Ledger) Expect(route policies.RouteName, model pricing.ModelName, dims []Dim) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	mean, ok := l.learned[learnKey{route, model, featureOf(dims)}]
	if !ok {
		mean = l.learned[learnKey{route, model, ""}]
	}
	return mean / weight
}

// learn takes an entry into account if it says how long the whole answer was.
func (k *learned) learn(e *Entry) {
	if e.Outcome != OK || e.Estimated {
		return
	}
	k.observe(learnKey{e.Route, e.Model, featureOf(e.Dims)}, e.Usage.TotalOutput())
}

func featureOf(dims []Dim) string {
	for i := range dims {
		if dims[i].Name == dimFeature {
			return dims[i].Value
		}
	}
	return ""
}

// observe notes the length of an answer, for the feature and for the model.
func (k *learned) observe(key learnKey, tokens int64) {
	const most = 1 << 40 // far above every answer, so that no product overflows
	if tokens <= 0 || tokens > most {
		return
	}
	if *k == nil {
		*k = learned{}
	}
	k.update(key, tokens)
	if key.feature != "" {
		key.feature = ""
		k.update(key, tokens)
	}
}

func (k *learned) update(key learnKey, tokens int64) {
	mean, ok := (*k)[key]
	if ok {
		(*k)[key] = mean + tokens - mean/weight
		return
	}
	for other := range *k {
		if len(*k) < maxLearned {
			break
		}
		delete(*k, other) // any: what is in use comes back with the next call
	}
	(*k)[key] = tokens * weight
}

// learn reads how long the latest answers were.
func (st *store) learn(ctx context.Context, k *learned) error {
	rows, err := st.reader.QueryContext(ctx, `
		SELECT l.route, l.model, s.dims, t.output
		FROM (SELECT at, seq, label, scope, output FROM entries ORDER BY at DESC, seq DESC LIMIT ?) AS t
		CROSS JOIN labels AS l ON l.id = t.label CROSS JOIN scopes AS s ON s.id = t.scope
		WHERE l.outcome = 'ok' AND NOT l.estimated ORDER BY t.at, t.seq`, learnFrom)
	if err != nil {
		return fmt.Errorf("learn from entries: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var key learnKey
		var text string
		var tokens int64
		if err := rows.Scan(&key.route, &key.model, &text, &tokens); err != nil {
			return fmt.Errorf("learn from entries: %w", err)
		}
		var dims []Dim
		if err := json.Unmarshal([]byte(text), &dims); err != nil {
			return fmt.Errorf("learn from entries: %w", err)
		}
		key.feature = featureOf(dims)
		k.observe(key, tokens)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("learn from entries: %w", err)
	}
	return nil
}
