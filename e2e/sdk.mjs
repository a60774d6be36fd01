// Calls gateways with the official SDKs: node sdk.mjs GROUP=URL...
//
// The environment's FAREBOX_NODE is the folder that the SDKs are installed in. Each check is a function. The group
// "served" has those of a gateway that serves and caches, "refused" those of one whose budget is spent, "stopped" those
// of one whose budget ends streams. What came of a check is printed as a line of JSON: url, name, and error if it failed.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.FAREBOX_NODE, "package.json"));
const { OpenAI, toFile } = require("openai");
const { Anthropic } = require("@anthropic-ai/sdk");

const MINUTE = 30_000;

function ask(text, more = {}) {
  return { messages: [{ role: "user", content: text }], ...more };
}

async function all(stream) {
  const list = [];
  for await (const item of stream) list.push(item);
  return list;
}

const sound = () => toFile(Buffer.concat([Buffer.from("ID3"), Buffer.alloc(2500)]), "a.mp3");

const chatText = (chunks) => chunks.map((c) => c.choices[0]?.delta.content ?? "").join("");

const served = {
  async chat({ openai }) {
    const answer = await openai.chat.completions.create({ model: "gpt-4o", ...ask("Hello") });
    assert.ok(answer.choices[0].message.content && answer.usage.total_tokens > 0);
  },
  async chatStream({ openai }) {
    const chunks = await all(await openai.chat.completions.create({ model: "gpt-4o", stream: true, stream_options: { include_usage: true }, ...ask("Hello") }));
    assert.ok(chatText(chunks) && chunks.at(-1).usage.total_tokens > 0);
  },
  async chatStreamThatDoesNotAsk({ openai }) {
    const chunks = await all(await openai.chat.completions.create({ model: "gpt-4o", stream: true, ...ask("Hello") }));
    assert.ok(chunks.every((c) => c.choices.length === 1 && !c.usage), "a chunk that nobody asked for");
  },
  async responses({ openai }) {
    const answer = await openai.responses.create({ model: "gpt-5", input: "Hello", store: false });
    assert.ok(answer.output_text && answer.usage.total_tokens > 0);
  },
  async responsesStream({ openai }) {
    const events = await all(await openai.responses.create({ model: "gpt-5", input: "Hello", store: false, stream: true }));
    assert.equal(events.at(-1).type, "response.completed");
  },
  async messages({ anthropic }) {
    const answer = await anthropic.messages.create({ model: "claude-sonnet-5", max_tokens: 300, ...ask("Hello") });
    assert.ok(answer.content[0].text && answer.usage.output_tokens > 0);
  },
  async messagesStream({ anthropic }) {
    const answer = await anthropic.messages.stream({ model: "claude-sonnet-5", max_tokens: 300, ...ask("Hello") }).finalMessage();
    assert.ok(answer.content[0].text && answer.usage.output_tokens > 0);
  },
  async transcription({ openai }) {
    const answer = await openai.audio.transcriptions.create({ model: "gpt-4o-transcribe", file: await sound() });
    assert.ok(answer.text && answer.usage.total_tokens > 0);
  },
  async transcriptionStream({ openai }) {
    const events = await all(await openai.audio.transcriptions.create({ model: "gpt-4o-transcribe", file: await sound(), stream: true }));
    assert.equal(events.at(-1).type, "transcript.text.done");
  },
  async imageEdit({ openai }) {
    const picture = () => toFile(Buffer.from("PNG"), "a.png", { type: "image/png" });
    const answer = await openai.images.edit({ model: "gpt-image-1", image: [await picture(), await picture()], prompt: "A hat", n: 2, quality: "low" });
    assert.ok(answer.data.length === 2 && answer.usage.total_tokens > 0);
  },
  async cachedChat({ openai }) {
    const twice = [];
    for (let i = 0; i < 2; i++) {
      twice.push(await openai.chat.completions.create({ model: "gpt-4o", ...ask("Cached") }, { headers: { "x-team": "node" } }).withResponse());
    }
    assert.equal(twice[1].response.headers.get("x-farebox-cache"), "hit");
    assert.deepEqual(twice[0].data, twice[1].data);
  },
  async rewrittenMessages({ anthropic }) {
    const answer = await anthropic.messages.create({ model: "claude-sonnet-5", max_tokens: 300, ...ask("Hello") }, { headers: { "x-farebox-feature": "cheap" } });
    assert.ok(answer.model.startsWith("claude-haiku-4-5"), answer.model);
  },
};

// isRefused checks that a call is refused at its first attempt.
async function isRefused(kind, call) {
  await assert.rejects(call, (e) => {
    assert.ok(e instanceof kind, `${e}`);
    assert.equal(e.status, 429);
    assert.match(e.message, /spend limit reached/);
    return true;
  });
}

const refused = {
  chat: ({ openai }) => isRefused(OpenAI.RateLimitError, openai.chat.completions.create({ model: "gpt-4o", ...ask("Hello") })),
  chatStream: ({ openai }) => isRefused(OpenAI.RateLimitError, openai.chat.completions.create({ model: "gpt-4o", stream: true, ...ask("Hello") })),
  responses: ({ openai }) => isRefused(OpenAI.RateLimitError, openai.responses.create({ model: "gpt-5", input: "Hello" })),
  embeddings: ({ openai }) => isRefused(OpenAI.RateLimitError, openai.embeddings.create({ model: "text-embedding-3-small", input: "Hello" })),
  messages: ({ anthropic }) => isRefused(Anthropic.RateLimitError, anthropic.messages.create({ model: "claude-sonnet-5", max_tokens: 300, ...ask("Hello") })),
  messagesStream: ({ anthropic }) => isRefused(Anthropic.RateLimitError, anthropic.messages.create({ model: "claude-sonnet-5", max_tokens: 300, stream: true, ...ask("Hello") })),
};

// The provider goes on beyond the cap that was reserved for, as some do with reasoning.
const LONG = "[[tokens=3000]]";
const BEYOND = { headers: { "x-test-overshoot": "1" } };

const stopped = {
  async chat({ openai }) {
    const chunks = await all(await openai.chat.completions.create({ model: "gpt-4o", stream: true, max_tokens: 100, ...ask(LONG) }, BEYOND));
    assert.equal(chunks.at(-1).choices[0].finish_reason, "length");
    assert.ok(chatText(chunks));
  },
  async responses({ openai }) {
    const events = await all(await openai.responses.create({ model: "gpt-4.1", input: LONG, stream: true, max_output_tokens: 100 }, BEYOND));
    assert.equal(events.at(-1).type, "response.incomplete");
    assert.ok(events.at(-1).response.output[0].content[0].text);
  },
  async messages({ anthropic }) {
    const answer = await anthropic.messages.stream({ model: "claude-sonnet-5", max_tokens: 100, ...ask(LONG) }, BEYOND).finalMessage();
    assert.equal(answer.stop_reason, "max_tokens");
    assert.ok(answer.content[0].text);
  },
};

const groups = { served, refused, stopped };

for (const argument of process.argv.slice(2)) {
  const at = argument.indexOf("=");
  const url = argument.slice(at + 1);
  const clients = {
    openai: new OpenAI({ apiKey: "sk-caller", baseURL: `${url}/v1`, timeout: MINUTE }),
    anthropic: new Anthropic({ apiKey: "sk-ant-caller", baseURL: url, timeout: MINUTE }),
  };
  for (const [name, check] of Object.entries(groups[argument.slice(0, at)])) {
    const result = { url, name };
    try {
      await check(clients);
    } catch (e) {
      result.error = e.stack;
    }
    console.log(JSON.stringify(result));
  }
}
