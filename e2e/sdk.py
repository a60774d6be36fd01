"""Calls gateways with the official SDKs: sdk.py GROUP=URL...

Each check is a function. The group "served" has those of a gateway that serves and caches, "refused" those of one
whose budget is spent, "stopped" those of one whose budget ends streams. What came of a check is printed as a line of JSON: url, name, and error if it failed.
"""

import json
import sys
import traceback

import anthropic
import openai
from google import genai

OPENAI = openai.OpenAI(api_key="sk-caller", timeout=30)
ANTHROPIC = anthropic.Anthropic(api_key="sk-ant-caller", timeout=30)


def ask(text, **more):
    return {"messages": [{"role": "user", "content": text}], **more}


def chat_text(stream):
    return "".join(c.choices[0].delta.content or "" for c in stream if c.choices)


def chat():
    answer = OPENAI.chat.completions.create(model="gpt-4o", **ask("Hello"))
    assert answer.choices[0].message.content and answer.usage.total_tokens > 0, answer


def chat_stream():
    chunks = list(OPENAI.chat.completions.create(model="gpt-4o", stream=True, stream_options={"include_usage": True}, **ask("Hello")))
    assert chat_text(chunks) and chunks[-1].usage.total_tokens > 0, chunks[-1]


def chat_stream_that_does_not_ask():
    chunks = list(OPENAI.chat.completions.create(model="gpt-4o", stream=True, **ask("Hello")))
    assert all(len(c.choices) == 1 and not c.usage for c in chunks), "a chunk that nobody asked for"


def responses():
    answer = OPENAI.responses.create(model="gpt-5", input="Hello", store=False)
    assert answer.output_text and answer.usage.total_tokens > 0, answer


def responses_stream():
    with OPENAI.responses.stream(model="gpt-5", input="Hello", store=False) as stream:
        kinds = [event.type for event in stream]
        answer = stream.get_final_response()
    assert kinds[-1] == "response.completed" and answer.output_text, kinds


def messages():
    answer = ANTHROPIC.messages.create(model="claude-sonnet-5", max_tokens=300, **ask("Hello"))
    assert answer.content[0].text and answer.usage.output_tokens > 0, answer


def messages_stream():
    with ANTHROPIC.messages.stream(model="claude-sonnet-5", max_tokens=300, **ask("Hello")) as stream:
        text = "".join(stream.text_stream)
        answer = stream.get_final_message()
    assert text == answer.content[0].text and answer.usage.output_tokens > 0, answer


def models():
    assert any(m.id == "gpt-4o" for m in OPENAI.models.list())
    assert any(m.id.startswith("claude-") for m in ANTHROPIC.models.list())


def token_count():
    count = ANTHROPIC.messages.count_tokens(model="claude-sonnet-5", **ask("Hello"))
    assert count.input_tokens > 0, count


def tools():
    tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}
    first = OPENAI.chat.completions.create(model="gpt-4o", tools=[tool], **ask("[[tool]]"))
    call = first.choices[0].message.tool_calls[0]
    turns = [{"role": "user", "content": "[[tool]]"}, first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "42"}]
    second = OPENAI.chat.completions.create(model="gpt-4o", tools=[tool], tool_choice="none", messages=turns)
    assert second.choices[0].message.content, second


SOUND = ("a.mp3", b"ID3" + bytes(2500))


def transcription():
    answer = OPENAI.audio.transcriptions.create(model="gpt-4o-transcribe", file=SOUND)
    assert answer.text and answer.usage.total_tokens > 0, answer


def transcription_stream():
    events = list(OPENAI.audio.transcriptions.create(model="gpt-4o-transcribe", file=SOUND, stream=True))
    assert events[-1].type == "transcript.text.done" and events[-1].usage.total_tokens > 0, events[-1]


def image_edit():
    picture = ("a.png", b"PNG", "image/png")
    answer = OPENAI.images.edit(model="gpt-image-1", image=[picture, picture], prompt="A hat", n=2, quality="low")
    assert len(answer.data) == 2 and answer.usage.total_tokens > 0, answer


CACHED = {"x-team": "search"}


def cached_chat():
    twice = [OPENAI.chat.completions.with_raw_response.create(model="gpt-4o", extra_headers=CACHED, **ask("Cached")) for _ in range(2)]
    assert twice[1].headers["x-farebox-cache"] == "hit", twice[1].headers
    assert twice[0].parse() == twice[1].parse()


def cached_chat_stream():
    def once():
        with OPENAI.chat.completions.with_streaming_response.create(model="gpt-4o", stream=True, extra_headers=CACHED, **ask("Cached", stream_options={"include_usage": True})) as raw:
            return raw.headers.get("x-farebox-cache"), list(raw.parse())

    first, second = once(), once()
    assert first[0] is None and second[0] == "hit", (first[0], second[0])
    assert first[1] == second[1] and chat_text(second[1])


def cached_responses():
    twice = [OPENAI.responses.with_raw_response.create(model="gpt-5", input="Cached", store=False, extra_headers=CACHED) for _ in range(2)]
    assert twice[1].headers["x-farebox-cache"] == "hit", twice[1].headers
    assert twice[0].parse().output_text == twice[1].parse().output_text


def cached_responses_stream():
    texts = []
    for _ in range(2):
        with OPENAI.responses.stream(model="gpt-5", input="Cached", store=False, extra_headers=CACHED) as stream:
            texts.append((stream.get_final_response().id, stream.get_final_response().output_text))
    assert texts[0] == texts[1], texts


def cached_messages():
    twice = [ANTHROPIC.messages.with_raw_response.create(model="claude-sonnet-5", max_tokens=300, extra_headers=CACHED, **ask("Cached")) for _ in range(2)]
    assert twice[1].headers["x-farebox-cache"] == "hit", twice[1].headers
    assert twice[0].parse() == twice[1].parse()


def cached_messages_stream():
    answers = []
    for _ in range(2):
        with ANTHROPIC.messages.stream(model="claude-sonnet-5", max_tokens=300, extra_headers=CACHED, **ask("Cached")) as stream:
            answers.append(stream.get_final_message())
    assert answers[0] == answers[1], answers


REWRITTEN = {"x-farebox-feature": "cheap"}


def rewritten_chat():
    answer = OPENAI.chat.completions.create(model="gpt-4o", extra_headers=REWRITTEN, **ask("Hello"))
    assert answer.model.startswith("gpt-4.1-nano"), answer.model


def rewritten_chat_stream():
    chunks = list(OPENAI.chat.completions.create(model="gpt-4o", stream=True, extra_headers=REWRITTEN, **ask("Hello", stream_options={"include_usage": True})))
    assert chunks[0].model.startswith("gpt-4.1-nano") and chat_text(chunks), chunks[0]


def rewritten_messages():
    answer = ANTHROPIC.messages.create(model="claude-sonnet-5", max_tokens=300, extra_headers=REWRITTEN, **ask("Hello"))
    assert answer.model.startswith("claude-haiku-4-5"), answer.model


def refused(error, call, **more):
    try:
        call(**more)
    except error as e:
        assert e.status_code == 429 and "spend limit reached" in str(e), e
        return e
    raise AssertionError("not refused")


def refused_chat():
    e = refused(openai.RateLimitError, OPENAI.chat.completions.create, model="gpt-4o", **ask("Hello"))
    assert e.code == "insufficient_quota", e.code


def refused_chat_stream():
    refused(openai.RateLimitError, OPENAI.chat.completions.create, model="gpt-4o", stream=True, **ask("Hello"))


def refused_responses():
    refused(openai.RateLimitError, OPENAI.responses.create, model="gpt-5", input="Hello")


def refused_transcription():
    refused(openai.RateLimitError, OPENAI.audio.transcriptions.create, model="gpt-4o-transcribe", file=SOUND)


def refused_messages():
    refused(anthropic.RateLimitError, ANTHROPIC.messages.create, model="claude-sonnet-5", max_tokens=300, **ask("Hello"))


def refused_messages_stream():
    refused(anthropic.RateLimitError, ANTHROPIC.messages.create, model="claude-sonnet-5", max_tokens=300, stream=True, **ask("Hello"))


# The provider goes on beyond the cap that was reserved for, as some do with reasoning.
LONG = "[[tokens=3000]]"
BEYOND = {"x-test-overshoot": "1"}


def stopped_chat():
    chunks = list(OPENAI.chat.completions.create(model="gpt-4o", stream=True, max_tokens=100, extra_headers=BEYOND, **ask(LONG)))
    assert chunks[-1].choices[0].finish_reason == "length" and chat_text(chunks), chunks[-1]


def stopped_responses():
    events = list(OPENAI.responses.create(model="gpt-4.1", input=LONG, stream=True, max_output_tokens=100, extra_headers=BEYOND))
    assert events[-1].type == "response.incomplete" and events[-1].response.output_text, events[-1]


def stopped_messages():
    with ANTHROPIC.messages.stream(model="claude-sonnet-5", max_tokens=100, extra_headers=BEYOND, **ask(LONG)) as stream:
        answer = stream.get_final_message()
    assert answer.stop_reason == "max_tokens" and answer.content[0].text, answer


def stopped_gemini():
    client = genai.Client(api_key="AIza-caller", http_options={"base_url": str(ANTHROPIC.base_url), "headers": BEYOND})
    chunks = list(client.models.generate_content_stream(model="gemini-2.5-flash", contents=LONG, config={"max_output_tokens": 100}))
    assert chunks[-1].candidates[0].finish_reason.name == "MAX_TOKENS" and any(c.text for c in chunks), chunks[-1]


def malformed():
    try:
        OPENAI.chat.completions.create(model="gpt-4o", extra_body={"Model": "gpt-4o"}, **ask("Hello"))
    except openai.BadRequestError:
        return
    raise AssertionError("not refused")


CHECKS = {
    "served": [
        chat, chat_stream, chat_stream_that_does_not_ask, responses, responses_stream, messages, messages_stream, models, token_count, tools,
        transcription, transcription_stream, image_edit,
        cached_chat, cached_chat_stream, cached_responses, cached_responses_stream, cached_messages, cached_messages_stream,
        rewritten_chat, rewritten_chat_stream, rewritten_messages, malformed,
    ],
    "refused": [refused_chat, refused_chat_stream, refused_responses, refused_transcription, refused_messages, refused_messages_stream],
    "stopped": [stopped_chat, stopped_responses, stopped_messages, stopped_gemini],
}


def main():
    for argument in sys.argv[1:]:
        group, url = argument.split("=", 1)
        OPENAI.base_url, ANTHROPIC.base_url = url + "/v1", url
        for check in CHECKS[group]:
            result = {"url": url, "name": check.__name__}
            try:
                check()
            except Exception:
                result["error"] = traceback.format_exc()
            print(json.dumps(result))


if __name__ == "__main__":
    main()
