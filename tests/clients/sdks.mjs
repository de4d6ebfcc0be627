// OpenAI's package and the AI SDK for Node, unchanged: plain, streamed, with a tool, by a schema, over both wire formats.
import assert from "node:assert/strict";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

const url = process.argv[2];
const schema = z.object({ city: z.string() });
const json = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

async function text(stream) {
  let whole = "";
  for await (const piece of stream) whole += piece;
  return whole;
}

async function openai(model) {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
  const messages = [{ role: "user", content: "2 + 2?" }];
  const plain = await client.chat.completions.create({ model, messages });
  assert.equal(plain.choices[0].message.content, "four");
  const tools = [{ type: "function", function: { name: "weather", parameters: json } }];
  const called = await client.chat.completions.stream({ model, messages, tools }).finalChatCompletion();
  assert.equal(called.choices[0].message.tool_calls[0].function.arguments, '{"city": "Oslo"}');
  const first = await client.responses.create({ model, input: "2 + 2?" });
  assert.equal(first.output_text, "four");
  const stream = client.responses.stream({ model, input: "Again?", previous_response_id: first.id });
  assert.equal((await stream.finalResponse()).output_text, "four");
}

async function aiSdk(model) {
  const weather = tool({ description: "Tell it.", inputSchema: schema, execute: async () => "-3" });
  assert.equal((await generateText({ model, prompt: "2 + 2?" })).text, "four");
  assert.equal(await text(streamText({ model, prompt: "2 + 2?" }).textStream), "four");
  const asked = { model, prompt: "The weather in Oslo?", tools: { weather }, stopWhen: stepCountIs(3) };
  const done = await generateText(asked);
  assert.equal(done.text, "four");
  assert.equal(done.steps.length, 2);
  assert.equal(await text(streamText(asked).textStream), "four");
  assert.deepEqual((await generateObject({ model, schema, prompt: "Where?" })).object, { city: "Oslo" });
}

const byOpenAI = createOpenAI({ baseURL: `${url}/v1`, apiKey: "none" });
const byAnthropic = createAnthropic({ baseURL: `${url}/v1`, apiKey: "none" });
for (const name of ["chat/m", "messages/m", "auto"]) {
  if (name !== "auto") await openai(name);
  await aiSdk(byOpenAI(name));
  await aiSdk(byOpenAI.chat(name));
  await aiSdk(byAnthropic(name));
}
