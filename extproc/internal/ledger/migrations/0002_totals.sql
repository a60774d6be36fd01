-- Entries keep what most calls have; the rest goes into labels, which few combinations need, or into one column of
-- JSON. Totals per day outlive the entries and answer most questions.

ALTER TABLE labels RENAME TO labels_1;
ALTER TABLE entries RENAME TO entries_1;
DROP INDEX entries_at;

-- What many calls have in common; "" and 0 for none.
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
	pool TEXT NOT NULL,
	service TEXT NOT NULL,
	region TEXT NOT NULL,
	outcome TEXT NOT NULL,
	price_source TEXT NOT NULL,
	would TEXT NOT NULL,
	would_model TEXT NOT NULL,
	status INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	observed INTEGER NOT NULL,
	estimated INTEGER NOT NULL,
	stated INTEGER NOT NULL,
	UNIQUE (provider, api, route, asked, model, responded, rule, tier, pool, service, region, outcome, price_source,
		would, would_model, status, attempts, observed, estimated, stated)
);

CREATE TABLE entries (
	seq INTEGER PRIMARY KEY, -- of the journal record
	id BLOB NOT NULL UNIQUE,
	at INTEGER NOT NULL,
	settled INTEGER NOT NULL,
	scope INTEGER NOT NULL REFERENCES scopes (id),
	label INTEGER NOT NULL REFERENCES labels (id),
	input INTEGER NOT NULL,
	cache_read INTEGER NOT NULL,
	output INTEGER NOT NULL,
	cost INTEGER NOT NULL,
	baseline INTEGER NOT NULL,
	charge INTEGER NOT NULL,
	bound INTEGER NOT NULL,
	counted INTEGER NOT NULL,
	more TEXT NOT NULL -- members of the journal's JSON that have no column; "" for none
);

INSERT INTO labels (provider, api, route, asked, model, responded, rule, tier, pool, service, region, outcome,
	price_source, would, would_model, status, attempts, observed, estimated, stated)
SELECT DISTINCT l.provider, l.api, l.route, l.asked, l.model, l.responded, l.rule, l.tier, e.pool, '', '', l.outcome,
	l.price_source, l.would, l.would_model, e.status, e.attempts, e.observed, e.estimated, 0
FROM entries_1 AS e JOIN labels_1 AS l ON l.id = e.label;

INSERT INTO entries (seq, id, at, settled, scope, label, input, cache_read, output, cost, baseline, charge, bound, counted, more)
SELECT e.seq, e.id, e.at, e.settled, e.scope, n.id, e.input, e.cache_read, e.output, e.cost, e.baseline, e.charge,
	e.bound, e.counted, json_object('detail', e.detail,
		'use', json_object('CacheWriteShort', e.cache_write_short, 'CacheWriteLong', e.cache_write_long, 'Reasoning', e.reasoning),
		'save', json_array(e.save_tier, e.save_exact_cache, e.save_semantic_cache, e.save_prompt_cache, e.save_trimming,
			e.save_output_cap, e.save_service_tier, e.save_self_hosting),
		'elig', e.eligible, 'wcost', e.would_cost, 'over', json(iif(e.overrun, 'true', 'false')))
FROM entries_1 AS e JOIN labels_1 AS l ON l.id = e.label JOIN labels AS n ON n.provider = l.provider AND n.api = l.api
	AND n.route = l.route AND n.asked = l.asked AND n.model = l.model AND n.responded = l.responded AND n.rule = l.rule
	AND n.tier = l.tier AND n.pool = e.pool AND n.service = '' AND n.region = '' AND n.outcome = l.outcome
	AND n.price_source = l.price_source AND n.would = l.would AND n.would_model = l.would_model
	AND n.status = e.status AND n.attempts = e.attempts AND n.observed = e.observed AND n.estimated = e.estimated
	AND n.stated = 0;

CREATE INDEX entries_at ON entries (at);

-- What the entries of a day (days since 1970, UTC) came to, those that were forgotten included.
CREATE TABLE totals (
	day INTEGER NOT NULL,
	scope INTEGER NOT NULL REFERENCES scopes (id),
	label INTEGER NOT NULL REFERENCES labels (id),
	calls INTEGER NOT NULL,
	overruns INTEGER NOT NULL,
	cost INTEGER NOT NULL,
	baseline INTEGER NOT NULL,
	eligible INTEGER NOT NULL,
	charge INTEGER NOT NULL,
	counted INTEGER NOT NULL,
	would_cost INTEGER NOT NULL,
	input INTEGER NOT NULL,
	cache_read INTEGER NOT NULL,
	cache_write_short INTEGER NOT NULL,
	cache_write_long INTEGER NOT NULL,
	output INTEGER NOT NULL,
	reasoning INTEGER NOT NULL,
	input_audio INTEGER NOT NULL DEFAULT 0,
	input_image INTEGER NOT NULL DEFAULT 0,
	cache_read_audio INTEGER NOT NULL DEFAULT 0,
	output_audio INTEGER NOT NULL DEFAULT 0,
	output_image INTEGER NOT NULL DEFAULT 0,
	web_searches INTEGER NOT NULL DEFAULT 0,
	file_searches INTEGER NOT NULL DEFAULT 0,
	code_runs INTEGER NOT NULL DEFAULT 0,
	search_units INTEGER NOT NULL DEFAULT 0,
	images INTEGER NOT NULL DEFAULT 0,
	seconds INTEGER NOT NULL DEFAULT 0,
	characters INTEGER NOT NULL DEFAULT 0,
	save_tier INTEGER NOT NULL,
	save_exact_cache INTEGER NOT NULL,
	save_semantic_cache INTEGER NOT NULL,
	save_prompt_cache INTEGER NOT NULL,
	save_trimming INTEGER NOT NULL,
	save_output_cap INTEGER NOT NULL,
	save_service_tier INTEGER NOT NULL,
	save_self_hosting INTEGER NOT NULL,
	PRIMARY KEY (day, scope, label)
) WITHOUT ROWID;

INSERT INTO totals (day, scope, label, calls, overruns, cost, baseline, eligible, charge, counted, would_cost,
	input, cache_read, cache_write_short, cache_write_long, output, reasoning,
	save_tier, save_exact_cache, save_semantic_cache, save_prompt_cache, save_trimming, save_output_cap, save_service_tier, save_self_hosting)
SELECT e.at / 86400000000000, e.scope, n.label, COUNT(*), SUM(e.overrun), SUM(e.cost), SUM(e.baseline), SUM(e.eligible),
	SUM(e.charge), SUM(e.counted), SUM(e.would_cost), SUM(e.input), SUM(e.cache_read), SUM(e.cache_write_short),
	SUM(e.cache_write_long), SUM(e.output), SUM(e.reasoning), SUM(e.save_tier), SUM(e.save_exact_cache),
	SUM(e.save_semantic_cache), SUM(e.save_prompt_cache), SUM(e.save_trimming), SUM(e.save_output_cap),
	SUM(e.save_service_tier), SUM(e.save_self_hosting)
FROM entries_1 AS e JOIN entries AS n ON n.seq = e.seq GROUP BY 1, 2, 3;

DROP TABLE entries_1;
DROP TABLE labels_1;

-- Entries from before this moment may be gone; one row.
CREATE TABLE kept (since INTEGER NOT NULL);
INSERT INTO kept VALUES (0);
