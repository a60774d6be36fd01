// Command wasm is the light filter: farebox's decisions and meter inside Envoy, as a proxy-wasm module.
//
//	GOOS=wasip1 GOARCH=wasm go build -trimpath -buildvcs=false -buildmode=c-shared -ldflags="-s -w" -o farebox.wasm ./wasm
//
// The plugin configuration is the output of "farebox policy compile". The filter needs
// allow_on_headers_stop_iteration, without which a rewritten body arrives truncated, and failure_policy FAIL_RELOAD;
// package envoy renders both. It routes by the request header x-farebox-route and writes what a call was and cost
// to the filter state wasm.farebox, in access logs %FILTER_STATE(wasm.farebox:PLAIN)%. What it does to a request,
// and what it cannot do, stands in package filter.
//
// Envoy takes no configuration that does not compile, and says in its log what is wrong with it.
package main

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"

	"github.com/farebox-mesh/farebox/wasm/internal/filter"
)

func main() {}

// The module is a library: the proxy calls its initialisation and its callbacks, never main.
func init() {
	proxywasm.SetPluginContext(func(uint32) types.PluginContext { return &plugin{} })
}

// plugin is one configuration of the filter in one worker.
type plugin struct {
	types.DefaultPluginContext
	filter *filter.Filter // nil until a configuration was taken
}

// OnPluginStart takes the configuration.
func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	config, err := proxywasm.GetPluginConfiguration()
	if err != nil {
		proxywasm.LogCritical("no plugin configuration: want the output of farebox policy compile")
		return types.OnPluginStartStatusFailed
	}
	p.filter, err = filter.New(config)
	if err != nil {
		proxywasm.LogCritical(err.Error())
		return types.OnPluginStartStatusFailed
	}
	for _, w := range p.filter.Warnings() {
		proxywasm.LogWarn(w)
	}
	return types.OnPluginStartStatusOK
}

// NewHttpContext starts an exchange.
func (p *plugin) NewHttpContext(uint32) types.HttpContext {
	s := &stream{}
	s.exchange = p.filter.Begin(s)
	return s
}

// stream is one HTTP stream: the proxy's callbacks for its exchange.
type stream struct {
	exchange *filter.Exchange
}

func (s *stream) OnHttpRequestHeaders(_ int, last bool) types.Action {
	return action(s.exchange.RequestHeaders(last))
}

func (s *stream) OnHttpRequestBody(_ int, last bool) types.Action {
	return action(s.exchange.RequestBody(last))
}

func (s *stream) OnHttpRequestTrailers(int) types.Action {
	return action(s.exchange.RequestTrailers())
}

func (s *stream) OnHttpResponseHeaders(int, bool) types.Action {
	s.exchange.ResponseHeaders()
	return types.ActionContinue
}

func (s *stream) OnHttpResponseBody(size int, _ bool) types.Action {
	s.exchange.ResponseBody(size)
	return types.ActionContinue
}

func (s *stream) OnHttpResponseTrailers(int) types.Action { return types.ActionContinue }

func (s *stream) OnHttpStreamDone() { s.exchange.Done() }

func action(a filter.Action) types.Action {
	if a == filter.Pause {
		return types.ActionPause
	}
	return types.ActionContinue
}
