-- What the entries of a day (UTC) came to, those whose partition is gone included. Each replica has its own rows, so
-- that none waits for another.
CREATE TABLE farebox.totals (
	day date NOT NULL,
	scope bigint NOT NULL,
	label bigint NOT NULL,
	replica integer NOT NULL,
	calls bigint NOT NULL,
	overruns bigint NOT NULL,
	cost bigint NOT NULL,
	baseline bigint NOT NULL,
	eligible bigint NOT NULL,
	charge bigint NOT NULL,
	counted bigint NOT NULL,
	would_cost bigint NOT NULL,
	input bigint NOT NULL,
	cache_read bigint NOT NULL,
	cache_write_short bigint NOT NULL,
	cache_write_long bigint NOT NULL,
	output bigint NOT NULL,
	reasoning bigint NOT NULL,
	input_audio bigint NOT NULL,
	input_image bigint NOT NULL,
	cache_read_audio bigint NOT NULL,
	output_audio bigint NOT NULL,
	output_image bigint NOT NULL,
	web_searches bigint NOT NULL,
	file_searches bigint NOT NULL,
	code_runs bigint NOT NULL,
	search_units bigint NOT NULL,
	images bigint NOT NULL,
	seconds bigint NOT NULL,
	characters bigint NOT NULL,
	save_tier bigint NOT NULL,
	save_exact_cache bigint NOT NULL,
	save_semantic_cache bigint NOT NULL,
	save_prompt_cache bigint NOT NULL,
	save_trimming bigint NOT NULL,
	save_output_cap bigint NOT NULL,
	save_service_tier bigint NOT NULL,
	save_self_hosting bigint NOT NULL,
	PRIMARY KEY (day, scope, label, replica)
) WITH (fillfactor = 70); -- the rows of today are changed all the time

INSERT INTO farebox.totals
SELECT (e.at AT TIME ZONE 'UTC')::date, e.scope, e.label, e.replica, count(*), count(*) FILTER (WHERE (e.more ->> 'over')::boolean),
	sum(e.cost), sum(e.baseline), sum(coalesce((e.more ->> 'elig')::bigint, 0)), sum(e.charge), sum(e.counted),
	sum(coalesce((e.more ->> 'wcost')::bigint, 0)), sum(e.input), sum(e.cache_read),
	sum(coalesce((e.more -> 'use' ->> 'CacheWriteShort')::bigint, 0)), sum(coalesce((e.more -> 'use' ->> 'CacheWriteLong')::bigint, 0)),
	sum(e.output), sum(coalesce((e.more -> 'use' ->> 'Reasoning')::bigint, 0)),
	sum(coalesce((e.more -> 'use' ->> 'InputAudio')::bigint, 0)), sum(coalesce((e.more -> 'use' ->> 'InputImage')::bigint, 0)),
	sum(coalesce((e.more -> 'use' ->> 'CacheReadAudio')::bigint, 0)), sum(coalesce((e.more -> 'use' ->> 'OutputAudio')::bigint, 0)),
	sum(coalesce((e.more -> 'use' ->> 'OutputImage')::bigint, 0)), sum(coalesce((e.more -> 'use' ->> 'WebSearches')::bigint, 0)),
	sum(coalesce((e.more -> 'use' ->> 'FileSearches')::bigint, 0)), sum(coalesce((e.more -> 'use' ->> 'CodeRuns')::bigint, 0)),
	sum(coalesce((e.more -> 'use' ->> 'SearchUnits')::bigint, 0)), sum(coalesce((e.more -> 'use' ->> 'Images')::bigint, 0)),
	sum(coalesce((e.more -> 'use' ->> 'Seconds')::bigint, 0)), sum(coalesce((e.more -> 'use' ->> 'Characters')::bigint, 0)),
	sum(coalesce((e.more -> 'save' ->> 0)::bigint, 0)), sum(coalesce((e.more -> 'save' ->> 1)::bigint, 0)),
	sum(coalesce((e.more -> 'save' ->> 2)::bigint, 0)), sum(coalesce((e.more -> 'save' ->> 3)::bigint, 0)),
	sum(coalesce((e.more -> 'save' ->> 4)::bigint, 0)), sum(coalesce((e.more -> 'save' ->> 5)::bigint, 0)),
	sum(coalesce((e.more -> 'save' ->> 6)::bigint, 0)), sum(coalesce((e.more -> 'save' ->> 7)::bigint, 0))
FROM farebox.entries AS e GROUP BY 1, 2, 3, 4;

-- For people: what was spent by day and by whatever a call says of itself.
CREATE VIEW farebox.daily AS
SELECT t.day, s.dims, l.provider, l.model, l.asked, l.tier, l.rule, l.route, l.outcome, l.estimated, l.observed, r.id AS replica,
	t.calls, t.cost / 1e9 AS cost_usd, t.baseline / 1e9 AS baseline_usd, t.input, t.cache_read,
	t.cache_write_short + t.cache_write_long AS cache_write, t.output, t.reasoning
FROM farebox.totals AS t
JOIN farebox.scopes AS s ON s.number = t.scope
JOIN farebox.labels AS l ON l.number = t.label
JOIN farebox.replicas AS r ON r.number = t.replica;
