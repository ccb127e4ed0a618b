import assert from "node:assert/strict";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { test } from "node:test";
import { hasCode } from "../errors/index.ts";
import { Refusal } from "./refusal.ts";
import { type Target, toTarget } from "./target.ts";

function targetOf(url: string, { method = "GET", host = "a" } = {}): Target {
  const request = new IncomingMessage(new Socket());
  return toTarget(Object.assign(request, { url, method, headers: { host } }));
}

function statusOf(url: string, options?: { method?: string; host?: string }): number {
  try {
    targetOf(url, options);
    return 200;
  } catch (thrown) {
    assert.ok(hasCode(thrown, "invalid"));
    return thrown instanceof Refusal ? thrown.status : 400;
  }
}

test("a target is split into its path and its query, both as sent", () => {
  assert.deepEqual(targetOf("/"), { path: "/", query: "" });
  assert.deepEqual(targetOf("/a/b%20c?d=e&f=%2F?g"), { path: "/a/b%20c", query: "d=e&f=%2F?g" });
  assert.deepEqual(targetOf("/?"), { path: "/", query: "" });
  assert.deepEqual(targetOf("/a?/../b"), { path: "/a", query: "/../b" });
});

test("the absolute form is a path, too, when it is for the host that was asked", () => {
  for (const url of ["http://a/b?c", "https://a/b?c", "HTTP://A/b?c"])
    assert.deepEqual(targetOf(url), { path: "/b", query: "c" });
  assert.deepEqual(targetOf("http://a"), { path: "/", query: "" });
  assert.deepEqual(targetOf("http://a?c"), { path: "/", query: "c" });
  for (const url of ["http://b/", "http://a:80/", "http://a@b/", "http:///", "ftp://a/", "http:a", "a/b", ""]) {
    assert.equal(statusOf(url), 400, url);
  }
});

test("a star is for OPTIONS alone", () => {
  assert.deepEqual(targetOf("*", { method: "OPTIONS" }), { path: "*", query: "" });
  assert.equal(statusOf("*"), 400);
});

test("a path that could be read as another one is refused", () => {
  for (const path of [
    "/a//b",
    "/a/../b",
    "/a/..",
    "/.",
    "/./a",
    "/a/%2e",
    "/a/.%2E/b",
    "/a%2fb",
    "/a%5Cb",
    "/a\\b",
    "/a%00",
    "/a#b",
  ]) {
    assert.equal(statusOf(path), 400, path);
  }
  for (const path of ["/...", "/.a", "/a.", "/a..b", "/..a", "/a/.well-known", "/%2e%2e%2e", "/~a"])
    assert.equal(statusOf(path), 200, path);
});

test("a path must be percent-encoded UTF-8 without control characters", () => {
  for (const path of ["/%", "/%2", "/%zz", "/%ff", "/%c0%af", "/%ed%a0%80", "/%0a", "/%7f", "/\u00e9", "/a b"]) {
    assert.equal(statusOf(path), 400, path);
  }
  for (const path of ["/%C3%A9", "/%f0%9f%91%a9", "/%c2%85", "/%25"]) assert.equal(statusOf(path), 200, path);
});

test("a target may have 8192 bytes", () => {
  assert.equal(statusOf(`/${"x".repeat(8191)}`), 200);
  assert.equal(statusOf(`/${"x".repeat(8192)}`), 414);
});
