import assert from "node:assert/strict";
import test from "node:test";
import type { Message } from "../message.ts";
import type { AmqpDelivery } from "./amqp-channel.ts";
import { ERROR, FAILURES, failureOf, failuresOf, toCopy, toProperties, toReceived, toReplay } from "./amqp-message.ts";

const MESSAGE: Message = {
  id: "id-1",
  type: "users.user.created.v1",
  source: "users",
  key: "käy",
  time: new Date("2026-01-31T12:00:00.123Z"),
  data: Buffer.from('{"n":1}'),
  headers: { traceparent: "00-ab-cd-01" },
};

/** A message as the driver hands it over. */
function delivered(properties: object, fields: object = {}): AmqpDelivery {
  const from = { exchange: "events", routingKey: "users.user.created.v1", redelivered: false };
  return { content: MESSAGE.data, properties, fields: { ...from, ...fields } };
}

test("what is published arrives as it was", () => {
  assert.deepEqual(toReceived(delivered(toProperties(MESSAGE))), MESSAGE);
});

test("attributes go by their names of CloudEvents, and are kept on disk", () => {
  const { persistent, contentType, headers } = toProperties(MESSAGE);
  assert.deepEqual([persistent, contentType], [true, "application/json"]);
  assert.deepEqual(headers, {
    traceparent: "00-ab-cd-01",
    cloudEvents_id: "id-1",
    cloudEvents_type: "users.user.created.v1",
    cloudEvents_source: "users",
    cloudEvents_subject: "käy",
    cloudEvents_time: "2026-01-31T12:00:00.123Z",
    cloudEvents_specversion: "1.0",
  });
});

test("the other separator of CloudEvents is read too", () => {
  const { id, key, time } = toReceived(
    delivered({
      headers: { "cloudEvents:id": "x", "cloudEvents:subject": "k", "cloudEvents:time": "2026-01-01T00:00:00Z" },
    }),
  );
  assert.deepEqual({ id, key, time }, { id: "x", key: "k", time: new Date("2026-01-01T00:00:00Z") });
});

test("a message of somebody who knows no CloudEvents has what AMQP says of it", () => {
  assert.deepEqual(toReceived(delivered({ messageId: "m", appId: "a" })), {
    data: MESSAGE.data,
    headers: {},
    id: "m",
    source: "a",
    type: "users.user.created.v1",
  });
});

test("what is not what it should be is left out", () => {
  const headers = { cloudEvents_id: 7, cloudEvents_time: "yesterday", tracestate: { a: 1 }, "x-death": [], n: 7 };
  assert.deepEqual(toReceived(delivered({ headers }, { exchange: "", routingKey: "q.bench" })), {
    data: MESSAGE.data,
    headers: {},
  });
});

test("a copy is the message, with its failures, and without what the broker noted of its way", () => {
  const properties = { ...toProperties(MESSAGE), expiration: "1" };
  const headers = { ...properties.headers, "x-death": [{ count: 1 }] };
  const copy = toCopy(delivered({ ...properties, headers }), 2, "unavailable: not now");
  assert.equal("expiration" in copy, false);
  const { "x-parapet-failed-at": failedAt, ...others } = copy.headers ?? {};
  assert.deepEqual(others, { ...toProperties(MESSAGE).headers, [FAILURES]: 2, [ERROR]: "unavailable: not now" });
  assert.equal(failuresOf(delivered(copy)), 2);
  assert.deepEqual(failureOf(delivered(copy)), { error: "unavailable: not now", failedAt: new Date(String(failedAt)) });
  assert.deepEqual(toReceived(delivered(copy)), MESSAGE);
});

test("a copy says what it is, also of a message whose sender only published it under its type", () => {
  const copy = toCopy(delivered({ messageId: "m" }), 1, "unavailable: not now");
  const atTheQueue = { exchange: "", routingKey: "q.bench" };
  assert.equal(toReceived(delivered(copy, atTheQueue)).type, "users.user.created.v1");
});

test("a replay is the message as it was published, or the same under another id", () => {
  const copy = delivered(toCopy(delivered(toProperties(MESSAGE)), 6, "unavailable: not now"));
  const moved = {
    ...copy.properties.headers,
    "x-first-death-queue": "q.bench",
    "x-death": [{ reason: "delivery_limit" }],
  };
  const parked = delivered({ ...copy.properties, headers: moved });
  assert.deepEqual(toReplay(parked, undefined), toProperties(MESSAGE));
  assert.deepEqual(toReplay(parked, "id-2"), toProperties({ ...MESSAGE, id: "id-2" }));
});

test("failures are counted from one on", () => {
  for (const value of [undefined, -1, 1.5, "2", null])
    assert.equal(failuresOf(delivered({ headers: { [FAILURES]: value } })), 0);
});
