package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/farebox-mesh/farebox/pricing"
	"github.com/farebox-mesh/farebox/pricing/provider"
)

// Names of OpenTelemetry's conventions for generative AI, version 1.37.0 (status: development), spelled as
// Prometheus spells them: dots become underscores, the unit s becomes a suffix, {token} does not.
//
// Source of names, values and buckets:
// https://github.com/open-telemetry/semantic-conventions/blob/v1.37.0/docs/gen-ai/gen-ai-metrics.md
// Spelling: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
const (
	clientTokenUsage        = "gen_ai_client_token_usage"                // gen_ai.client.token.usage
	clientOperationDuration = "gen_ai_client_operation_duration_seconds" // gen_ai.client.operation.duration

	operationName = "gen_ai_operation_name" // gen_ai.operation.name
	providerName  = "gen_ai_provider_name"  // gen_ai.provider.name
	requestModel  = "gen_ai_request_model"  // gen_ai.request.model
	responseModel = "gen_ai_response_model" // gen_ai.response.model
	tokenType     = "gen_ai_token_type"     // gen_ai.token.type
	errorType     = "error_type"            // error.type
)

// genai holds the instruments of the conventions. A call that no provider saw is no operation in their sense.
type genai struct {
	tokens   *prometheus.HistogramVec
	duration *prometheus.HistogramVec
}

func newGenAI(f promauto.Factory) genai {
	return genai{
		tokens: f.NewHistogramVec(prometheus.HistogramOpts{
			Name:    clientTokenUsage,
			Help:    "Number of input and output tokens used.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 14),
		}, []string{operationName, providerName, requestModel, responseModel, tokenType}),
		duration: f.NewHistogramVec(prometheus.HistogramOpts{
			Name:    clientOperationDuration,
			Help:    "Duration of operations in seconds.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 14),
		}, []string{operationName, providerName, requestModel, responseModel, errorType}),
	}
}

func (g genai) record(c *Call) {
	operation, vendor := operationOf(c.API), vendorOf(c.Vendor)
	asked, served := c.Asked.label(), c.Served.label()
	g.duration.WithLabelValues(operation, vendor, asked, served, c.Error).Observe(c.Took.Seconds())
	// The conventions want no token counts but those that the provider stated.
	if c.Estimated || c.Usage == (pricing.Usage{}) {
		return
	}
	g.tokens.WithLabelValues(operation, vendor, asked, served, "input").Observe(float64(c.Usage.TotalInput()))
	g.tokens.WithLabelValues(operation, vendor, asked, served, "output").Observe(float64(c.Usage.Output))
}

// operationOf returns the convention's value of gen_ai.operation.name.
func operationOf(api provider.API) string {
	if api == provider.GeminiGenerate {
		return "generate_content"
	}
	return "chat"
}

// vendorOf returns the convention's value of gen_ai.provider.name; vendors that it does not list keep the
// name that the catalogue gives them.
func vendorOf(p pricing.ProviderName) string {
	switch p {
	case provider.Google:
		return "gcp.gemini"
	case "aws_bedrock":
		return "aws.bedrock"
	case "azure_openai":
		return "azure.ai.openai"
	case "mistral":
		return "mistral_ai"
	case "xai":
		return "x_ai"
	}
	return string(p)
}
