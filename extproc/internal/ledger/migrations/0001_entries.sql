-- Amounts are nano-dollars (1e-9 USD); moments are nanoseconds since 1970, UTC.

-- Up to where the journal has been applied; one row, changed in the transaction that adds the entries.
CREATE TABLE position (segment INTEGER NOT NULL, place INTEGER NOT NULL, seq INTEGER NOT NULL);
INSERT INTO position VALUES (0, 0, 0);

-- Sets of dimensions as JSON: [{"n": name, "v": value, "ok": verified}].
CREATE TABLE scopes (id INTEGER PRIMARY KEY, dims TEXT NOT NULL UNIQUE);

-- Sets of names that calls have in common; "" for none.
CREATE TABLE labels (
	id INTEGER PRIMARY KEY,
	provider TEXT NOT NULL,
	api TEXT NOT NULL,
	route TEXT NOT NULL,
	asked TEXT NOT NULL,
	model TEXT NOT NULL,
	responded TEXT NOT NULL,
	rule TEXT NOT NULL,
	tier TEXT NOT NULL,
	outcome TEXT NOT NULL,
	price_source TEXT NOT NULL,
	would TEXT NOT NULL,
	would_model TEXT NOT NULL,
	UNIQUE (provider, api, route, asked, model, responded, rule, tier, outcome, price_source, would, would_model)
);

CREATE TABLE entries (
	seq INTEGER PRIMARY KEY, -- of the journal record
	id BLOB NOT NULL UNIQUE,
	at INTEGER NOT NULL,
	settled INTEGER NOT NULL,
	scope INTEGER NOT NULL REFERENCES scopes (id),
	label INTEGER NOT NULL REFERENCES labels (id),
	pool TEXT NOT NULL,
	observed INTEGER NOT NULL,
	status INTEGER NOT NULL,
	detail TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	input INTEGER NOT NULL,
	cache_read INTEGER NOT NULL,
	cache_write_short INTEGER NOT NULL,
	cache_write_long INTEGER NOT NULL,
	output INTEGER NOT NULL,
	reasoning INTEGER NOT NULL,
	cost INTEGER NOT NULL,
	baseline INTEGER NOT NULL,
	save_tier INTEGER NOT NULL,
	save_exact_cache INTEGER NOT NULL,
	save_semantic_cache INTEGER NOT NULL,
	save_prompt_cache INTEGER NOT NULL,
	save_trimming INTEGER NOT NULL,
	save_output_cap INTEGER NOT NULL,
	save_service_tier INTEGER NOT NULL,
	save_self_hosting INTEGER NOT NULL,
	eligible INTEGER NOT NULL,
	estimated INTEGER NOT NULL,
	charge INTEGER NOT NULL,
	bound INTEGER NOT NULL,
	counted INTEGER NOT NULL,
	overrun INTEGER NOT NULL,
	would_cost INTEGER NOT NULL
);

-- Balances are rebuilt from this index alone.
CREATE INDEX entries_at ON entries (at, scope, charge, counted);
