// Package policyfile reads the policy file that people write: YAML with units spelled out. It is the one importer
// of a YAML library; everything else takes the policies.Policy that Parse returns.
//
// Every key of the language, with its default where it has one:
//
//	version: 1                           # required
//	mode: observe | enforce              # observe: decide and record, change nothing
//	metering: active | passive           # active: keep answers readable; passive: edit nothing for metering
//	providers:                           # openai, anthropic and google are known without it
//	  NAME:                              # a vendor of the catalogue, or any name with a vendor and hosts
//	    hosts: [HOST, ...]               # the vendor's own if NAME is a vendor
//	    prefix: /PATH                    # of the path, for calls that the host does not tell
//	    vendor: NAME                     # whose prices apply; NAME itself
//	    region: NAME                     # where its hosts process calls, if that has a price of its own: us, eu
//	    service: standard | priority     # what its projects' settings serve calls with that name no class or "default"; standard
//	    credential: caller | file:/PATH  # caller: only calls that were for this provider come here
//	dimensions:
//	  NAME: SOURCE | [SOURCE, ...]       # header:NAME, jwt:CLAIM, mtls:namespace|workload|uri; first value wins, verified first
//	  NAME: {from: ..., trusted: true}   # its headers may divide budgets and caches; false
//	tiers:
//	  NAME: [ROUTE/MODEL, ...]           # a provider's or pool's model, in order of preference
//	rules:                               # first match wins
//	  - name: TEXT                       # "rule N"
//	    when: {CONDITION: VALUE, ...}    # all of them hold; every call without it
//	    tier: NAME                       # keeps the model without it
//	    max_output: 10 tokens            # a smaller cap of the caller stays
//	caches:
//	  exact:
//	    ttl: 24h                         # required; s, m, h or d
//	    per: DIMENSION | all             # required: who shares answers
//	    temperature: up to 1             # up to 0; requests without one are always cached
//	    tool_calls: true                 # cache answers that call tools; false
//	    size: 256 MB                     # or GB, of 1024 MB
//	  prompt: auto | off                 # place the providers' cache markers where they pay; off
//	pools:
//	  NAME:
//	    endpoints: [http://HOST:PORT, ...] # required
//	    cost: $2.10 per gpu-hour         # required; on demand
//	    spot: {cost: $0.90 per gpu-hour, share: 60%} # none; of the GPUs, how many are spot ones
//	    gpus: 2                          # 1
//	    throughput: 2500 tokens per second # required; of the whole pool
//	    models:                          # where the throughput differs
//	      NAME: {quantisation: fp8, throughput: 1800 tokens per second}
//	    context: 32k tokens              # unknown
//	    use: when cheaper | always | never | above 1M tokens per day # when cheaper
//	    credential: file:/PATH           # none
//	budgets:
//	  - name: TEXT                       # required
//	    limit: $14,200 per month         # required; or per hour, day or week, or per rolling 24h
//	    zone: Europe/Berlin              # where hours, days, weeks (from Monday) and months begin; UTC
//	    per: DIMENSION | [DIMENSION, ...] # a limit for each value; one for everybody
//	    for: {DIMENSION: VALUE, ...}     # which calls count, with lists and *; every call
//	    soft: true                       # counts expected costs and never refuses; false
//	    steps: {80%: STEP, 90%: [STEP, ...]} # from a part of the limit on; {100%: refuse}
//	    fit_output: down to 256 tokens   # lowers caps on the output before a call is refused; never
//	    stop_on_budget: true             # ends streams that have used up their reservation, and drops what the provider
//	                                     # still sends and bills until the client closes; false
//	    aborted: estimate | bound        # what a cut call counts; the most that it can have cost
//	    on_outage: refuse | allow        # when the store of shared balances is gone; refuse
//	prices:
//	  files: [PATH, ...]                 # as farebox prices import makes them; go before the catalogue, the last one first
//	  discounts:                         # first match wins
//	    - {provider: NAME, models: [gpt-*], off: 15%} # all of its models without models
//	unknown_model: refuse | allow | {charge: $30 per 1M, alert: true} # the last; allow: at the dearest rates listed
//	ledger: {keep: 400 days}             # for ever
//	refusal_status: 429 | 402 | 403      # of a refusal for money; 429
//
// A STEP is alert, cap at TIER (no tier above it in the file's order, unless that is dearer), prefer pools (cheaper or
// not), fit output (only from here on), refuse (keeps the rest in reserve) or, at 100%, free only (cache hits and pools
// stay usable). A hard budget refuses at 100% whatever its steps.
//
// Budgets know the declared dimensions and key (the caller's, hashed), namespace and workload (of its certificate),
// model and provider (that serve the call).
//
// Conditions are a dimension, header.NAME, model, provider, path and api, whose value is one text or a list of
// which any may match, with * for any characters (not in provider and api); tools, images and stream, true or false;
// and input and output: "below 2000 tokens", "above 8k tokens", "2k to 8k tokens". Output is the cap that the caller
// set; a call without one is above every number. A missing dimension or header matches "" only.
//
// Numbers may have a k for thousand or an M for million. A provider that a tier or rule names and the file does not
// list is the catalogue's, with credential caller. Files have at most 1 MiB, and sections 1000 entries. Anchors,
// aliases, merge keys, tags and further documents of YAML are refused.
//
// Problems have codes; CODES.md has a paragraph for each.
package policyfile
