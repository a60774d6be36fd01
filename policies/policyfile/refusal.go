package policyfile

// defaultRefusal is the status of a refusal for money.
const defaultRefusal = 429

// refusalStatus reads the HTTP status of a refusal for money.
func (p *parser) refusalStatus(f fields) {
	statuses := map[string]int{"429": 429, "402": 402, "403": 403}
	text := choice(&p.source, f.get("refusal_status"), "refusal_status", "429", "402", "403")
	if status := statuses[text]; status != defaultRefusal {
		p.policy.Refusal = status
	}
}
