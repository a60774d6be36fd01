package admin

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/farebox-mesh/farebox/extproc/internal/ledger"
	"github.com/farebox-mesh/farebox/policies"
	"github.com/farebox-mesh/farebox/pricing"
)

// maxOrder bounds the body of a top-up, in bytes.
const maxOrder = 16 << 10

// Budgets is how all budgets stand: GET /api/budgets.
type Budgets struct {
	At      time.Time `json:"at"`
	Budgets []Budget  `json:"budgets"`

	// Of balances that replicas share: the store cannot be reached or hands nothing out, and since when. They are as last
	// known then.
	Outage bool      `json:"shared_out_of_reach,omitempty"`
	Since  time.Time `json:"shared_out_of_reach_since,omitzero"`
}

// Budget is how a budget stands for one scope in its present window.
type Budget struct {
	Budget   policies.BudgetName               `json:"budget"`
	Scope    map[policies.DimensionName]string `json:"scope"`     // "(none)" for calls without a value
	Limit    Dollars                           `json:"limit_usd"` // with top-ups
	Spent    Dollars                           `json:"spent_usd"`
	Reserved Dollars                           `json:"reserved_usd"`
	Left     *Dollars                          `json:"left_usd,omitempty"` // nil: shared, and never told
	Since    time.Time                         `json:"since"`
	Refills  time.Time                         `json:"refills"`
	Zone     string                            `json:"zone"` // of its windows, as in the IANA database
	Soft     bool                              `json:"soft,omitempty"`
	FreeOnly bool                              `json:"free_only,omitempty"`
	Steps    []Step                            `json:"steps,omitempty"`
	TopUps   []TopUp                           `json:"top_ups,omitempty"`

	// Of balances that replicas share, Spent and Reserved are of this replica, and Left is what calls through it can still
	// take: Left = Limit - Granted + Leased. Granted and Leased are nil elsewhere and where Left is.
	Shared  bool     `json:"shared,omitempty"`
	Granted *Dollars `json:"granted_usd,omitempty"` // to all replicas, with what they have spent
	Leased  *Dollars `json:"leased_usd,omitempty"`  // to this replica, and neither spent nor reserved
	// Elsewhere is the part of Limit that it was topped up by at other replicas, which know by whom.
	Elsewhere *Dollars `json:"topped_up_elsewhere_usd,omitempty"`
}

// SharedNote says what the columns of shared balances mean.
const SharedNote = "shared through Redis: GRANTED is what all replicas together have spent, reserved or leased, as Redis said last; " +
	"SPENT, RESERVED and LEASED are of this replica, which may spend what it has LEASED without asking; " +
	"LEFT is what calls through this replica can still take, LIMIT less GRANTED and with LEASED, so each replica has its own"

// OutageNote says how balances stand while the store that replicas share them in is away, "" if it is not.
func (b *Budgets) OutageNote() string { return outageNote(b.Outage, b.Since) }

func outageNote(outage bool, since time.Time) string {
	if !outage {
		return ""
	}
	from := ""
	if !since.IsZero() {
		from = " since " + clock(since)
	}
	return "Redis is out of reach, or hands nothing out," + from + ": numbers are as last known. Calls pass as far as LEASED goes; " +
		"beyond that the budget's on_outage decides"
}

// Step is what a budget does from a part of its limit on.
type Step struct {
	Percent int64               `json:"percent"`
	Do      policies.StepAction `json:"do"`
	Tier    policies.TierName   `json:"tier,omitempty"`
	Passed  bool                `json:"passed"`
}

// TopUp is a raise of a limit that is in force.
type TopUp struct {
	Amount Dollars   `json:"amount_usd"`
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	Who    string    `json:"who"`
	Reason string    `json:"reason"`

	// Where an order is answered: whom it is for, and the zone of the budget.
	Scope map[policies.DimensionName]string `json:"scope,omitempty"`
	Zone  string                            `json:"zone,omitempty"`
}

// Order asks for a top-up: POST /api/budgets/{name}/topup.
type Order struct {
	Amount Dollars                           `json:"amount_usd"`
	Scope  map[policies.DimensionName]string `json:"scope,omitempty"` // "(none)" is for calls without a value
	Until  time.Time                         `json:"until,omitzero"`  // zero: the end of the window
	Who    string                            `json:"who,omitempty"`
	Reason string                            `json:"reason"`
}

// Token is what an operator knows and nobody else: a hash of it, so that it is nowhere to be printed. The zero Token is
// none.
type Token struct{ sum [sha256.Size]byte }

// NewToken returns the token of a text.
func NewToken(text string) Token { return Token{sha256.Sum256([]byte(text))} }

// equals compares in a time that says nothing about the token.
func (t Token) equals(other Token) bool {
	return subtle.ConstantTimeCompare(t.sum[:], other.sum[:]) == 1
}

// UnmarshalText reads what MarshalText writes, and any other decimal number of dollars.
func (d *Dollars) UnmarshalText(text []byte) error {
	m, err := pricing.ParseMoney(string(text))
	*d = Dollars(m)
	return err
}

// NewBudgets returns balances as the API shows them.
func NewBudgets(balances []ledger.Balance, now time.Time) Budgets {
	out := Budgets{At: now, Budgets: make([]Budget, 0, len(balances))}
	for i := range balances {
		out.Budgets = append(out.Budgets, budgetOf(&balances[i]))
	}
	return out
}

func budgetOf(b *ledger.Balance) Budget {
	row := Budget{
		Budget: b.Budget, Scope: map[policies.DimensionName]string{}, Limit: Dollars(b.Limit), Spent: Dollars(b.Spent),
		Reserved: Dollars(b.Reserved), Since: b.Start, Refills: b.Refills, Zone: b.Refills.Location().String(), Soft: b.Soft, FreeOnly: b.FreeOnly, Shared: b.Shared,
	}
	if b.Known || !b.Shared {
		row.Left = new(Dollars(b.Left))
	}
	if b.Elsewhere > 0 {
		row.Elsewhere = new(Dollars(b.Elsewhere))
	}
	if b.Known && b.Shared {
		row.Granted, row.Leased = new(Dollars(b.Granted)), new(Dollars(b.Leased))
	}
	for _, d := range b.Scope {
		row.Scope[d.Name] = d.Value
	}
	for _, s := range b.Steps {
		row.Steps = append(row.Steps, Step{s.Percent, s.Do, s.Tier, b.Passed(s)})
	}
	for _, t := range b.TopUps {
		row.TopUps = append(row.TopUps, TopUp{Amount: Dollars(t.Amount), From: t.From, Until: t.Until, Who: t.Who, Reason: t.Reason})
	}
	return row
}

// serveBudgets writes how the budgets stand, with ?budget=NAME one of them.
func (h *handler) serveBudgets(w http.ResponseWriter, r *http.Request) {
	now := h.Now()
	balances := h.Ledger.Balances(now)
	if name := r.URL.Query().Get("budget"); name != "" {
		balances = slices.DeleteFunc(balances, func(b ledger.Balance) bool { return string(b.Budget) != name })
	}
	out := NewBudgets(balances, now)
	if stats, shared := h.Ledger.Shared(); shared && stats.Down {
		out.Outage, out.Since = true, stats.Since
	}
	writeJSON(w, http.StatusOK, out)
}

// serveTopUp raises a limit. Browsers cannot be made to send what it demands: a bearer token and JSON.
func (h *handler) serveTopUp(w http.ResponseWriter, r *http.Request) {
	if !h.authorised(w, r) {
		return
	}
	var o Order
	if status, err := readOrder(r, &o); err != nil {
		refuse(w, status, err)
		return
	}
	key, err := keyOf(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	order := ledger.TopUp{
		Budget: policies.BudgetName(r.PathValue("name")), Scope: scopeOf(o.Scope), Amount: pricing.Money(o.Amount), Until: o.Until,
		Who: o.Who, Reason: o.Reason, Key: key,
	}
	t, err := h.Ledger.TopUp(order, h.Now())
	if err != nil {
		refuse(w, statusOf(err), err)
		return
	}
	h.Logger.LogAttrs(r.Context(), slog.LevelInfo, "budget topped up", slog.String("id", t.ID.String()), slog.String("budget", string(t.Budget)), slog.String("scope", scopeWords(t.Scope)),
		slog.String("amount_usd", t.Amount.String()), slog.String("who", t.Who), slog.String("reason", t.Reason))
	answer := TopUp{Amount: Dollars(t.Amount), From: t.From, Until: t.Until, Who: t.Who, Reason: t.Reason, Zone: t.Until.Location().String()}
	for _, d := range t.Scope {
		if answer.Scope == nil {
			answer.Scope = map[policies.DimensionName]string{}
		}
		answer.Scope[d.Name] = d.Value
	}
	writeJSON(w, http.StatusOK, answer)
}

// scopeWords prints the values of a scope: "team=search model=gpt-6-luna".
func scopeWords(scope []ledger.Dim) string {
	words := make([]string, len(scope))
	for i, d := range scope {
		words[i] = string(d.Name) + "=" + d.Value
	}
	return cmp.Or(strings.Join(words, " "), "everybody")
}

// authorised reports whether a request bears the token, or answers that it does not.
func (h *handler) authorised(w http.ResponseWriter, r *http.Request) bool {
	if h.Token == (Token{}) {
		refuse(w, http.StatusNotFound, errors.New("top-ups are off: farebox serve --admin-token switches them on"))
		return false
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") || !h.Token.equals(NewToken(strings.TrimSpace(token))) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="farebox"`)
		refuse(w, http.StatusUnauthorized, errors.New("this needs the operator's token"))
		return false
	}
	return true
}

// readOrder reads the body of a request. The status says what is wrong with it.
func readOrder(r *http.Request, o *Order) (int, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType, errors.New("content-type must be application/json")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxOrder+1))
	switch {
	case err != nil:
		return http.StatusBadRequest, fmt.Errorf("read order: %w", err)
	case len(body) > maxOrder:
		return http.StatusRequestEntityTooLarge, fmt.Errorf("read order: more than %d bytes", maxOrder)
	case !utf8.Valid(body): // which the decoder would mend
		return http.StatusBadRequest, errors.New("read order: no valid UTF-8")
	}
	in := json.NewDecoder(bytes.NewReader(body))
	in.DisallowUnknownFields()
	if err := in.Decode(o); err != nil {
		return http.StatusBadRequest, fmt.Errorf("read order: %w", err)
	}
	if in.More() {
		return http.StatusBadRequest, errors.New("read order: something follows it")
	}
	o.Who, o.Reason = strings.TrimSpace(o.Who), strings.TrimSpace(o.Reason)
	if o.Who == "" {
		o.Who = "operator"
	}
	if o.Reason == "" {
		return http.StatusBadRequest, errors.New("a top-up needs a reason")
	}
	return 0, nil
}

// KeyHeader names an order, so that one that is sent again counts once.
const KeyHeader = "Idempotency-Key"

// maxKey is the longest name of an order, in bytes.
const maxKey = 128

// keyOf returns the name of an order, "" for none.
func keyOf(r *http.Request) (string, error) {
	values := r.Header.Values(KeyHeader)
	if len(values) == 0 {
		return "", nil
	}
	if key := strings.TrimSpace(values[0]); len(values) == 1 && CheckKey(key) {
		return key, nil
	}
	return "", fmt.Errorf("%s must be one value of 1 to %d visible ASCII characters", KeyHeader, maxKey)
}

// CheckKey reports whether a text can name an order: up to 128 visible ASCII characters and spaces.
func CheckKey(key string) bool {
	invisible := func(c rune) bool { return c < ' ' || c > '~' }
	return key != "" && len(key) <= maxKey && !strings.ContainsFunc(key, invisible)
}

// scopeOf returns the values that were given, in the order of names.
func scopeOf(values map[policies.DimensionName]string) []ledger.Dim {
	var scope []ledger.Dim
	for _, name := range slices.Sorted(maps.Keys(values)) {
		scope = append(scope, ledger.Dim{Name: name, Value: values[name], Verified: values[name] != ledger.None})
	}
	return scope
}

// statusOf says whose fault it is that a top-up failed.
func statusOf(err error) int {
	switch {
	case errors.Is(err, ledger.ErrNoBudget):
		return http.StatusNotFound
	case errors.Is(err, ledger.ErrBadOrder):
		return http.StatusBadRequest
	case errors.Is(err, ledger.ErrTaken):
		return http.StatusConflict
	}
	return http.StatusServiceUnavailable
}

// refuse answers with a reason.
func refuse(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, struct {
		Error string `json:"error"`
	}{err.Error()})
}

// writeJSON answers with a value. A client that has gone is not worth a word.
func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	_ = out.Encode(value)
}
