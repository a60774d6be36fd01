package main

import "sync"

// A billed call is one line of the invoice.
type billed struct {
	ID        string `json:"id"` // of the response
	API       string `json:"api"`
	Model     string `json:"model"` // as the response names it
	Usage     usage  `json:"usage"`
	CostNanos int64  `json:"cost_nanos"` // nano-dollars, 1e-9 USD
	Cancelled bool   `json:"cancelled"`  // the answer did not reach its end, so the client never saw this usage
	RequestID string `json:"request_id"` // x-request-id or x-test-id as received
}

// totals sums an invoice.
type totals struct {
	Calls     int   `json:"calls"`
	CostNanos int64 `json:"cost_nanos"`
	Leaks     int   `json:"leaks"` // calls to a pool that carried a credential of somebody else
}

// An invoice is what the vendor charges, in order of billing. The zero value is empty; it is safe for concurrent use.
type invoice struct {
	mu    sync.Mutex
	calls []billed
	sum   totals
}

func (v *invoice) add(b billed) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls = append(v.calls, b)
	v.sum.Calls++
	v.sum.CostNanos += b.CostNanos
}

func (v *invoice) leak() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sum.Leaks++
}

// read returns the lines so far, not to be changed, and their sum.
func (v *invoice) read() ([]billed, totals) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.calls[:len(v.calls):len(v.calls)], v.sum
}

func (v *invoice) reset() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls, v.sum = nil, totals{}
}
