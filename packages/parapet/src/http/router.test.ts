import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hasCode } from "../errors/index.ts";
import { Refusal } from "./refusal.ts";
import { type Route, rawRoute, routeGroup } from "./route.ts";
import { createRouter, type Match, routeOf } from "./router.ts";

function handled(method: "GET" | "POST" | "DELETE", path: string): Route {
  return { kind: "handled", method, path, handler: async () => ({ status: 200 }) };
}

function find(routes: readonly Route[], path: string): Match | undefined {
  try {
    return createRouter(routes).find({ path, query: "" });
  } catch (thrown) {
    if (hasCode(thrown, "not_found")) return undefined;
    throw thrown;
  }
}

const raw = (path: string) => rawRoute(path, () => {});

test("a path finds its template and its parameters", () => {
  const routes = [
    handled("GET", "/"),
    handled("GET", "/users"),
    handled("GET", "/users/{id}"),
    handled("GET", "/users/{id}/notes/{note_id}"),
  ];
  assert.equal(find(routes, "/")?.endpoint.template, "/");
  assert.equal(find(routes, "/users")?.endpoint.template, "/users");
  assert.deepEqual({ ...find(routes, "/users/7")?.params }, { id: "7" });
  assert.deepEqual({ ...find(routes, "/users/7/notes/8")?.params }, { id: "7", note_id: "8" });
  for (const path of ["/user", "/users/", "/users/7/notes", "/Users", "/users/7/notes/8/9"])
    assert.equal(find(routes, path), undefined, path);
});

test("a plain segment goes before a parameter", () => {
  const routes = [handled("GET", "/users/{id}"), handled("GET", "/users/me")];
  assert.equal(find(routes, "/users/me")?.endpoint.template, "/users/me");
  assert.equal(find(routes, "/users/mee")?.endpoint.template, "/users/{id}");
});

test("a parameter arrives as it was before it was encoded, whatever it is", () => {
  const router = createRouter([handled("GET", "/{a}/x/{b}")]);
  const segment = fc.string({ unit: "binary", minLength: 1 });
  fc.assert(
    fc.property(segment, segment, (a, b) => {
      const { params } = router.find({ path: `/${encodeURIComponent(a)}/x/${encodeURIComponent(b)}`, query: "" });
      assert.deepEqual({ ...params }, { a, b });
    }),
  );
});

test("a method that is not there is refused with those that are; GET brings HEAD", () => {
  const match = find([handled("POST", "/a"), handled("GET", "/a")], "/a");
  assert.ok(match);
  assert.equal(match.endpoint.allow, "GET, HEAD, OPTIONS, POST");
  assert.equal(routeOf(match.endpoint, "HEAD").method, "GET");
  assert.throws(
    () => routeOf(match.endpoint, "DELETE"),
    (thrown) => thrown instanceof Refusal && thrown.status === 405 && thrown.headers.allow === match.endpoint.allow,
  );
});

test("routes that clash are found at boot", () => {
  const clashes: readonly (readonly Route[])[] = [
    [handled("GET", "/a"), handled("GET", "/a")],
    [handled("GET", "/{a}"), handled("GET", "/{b}")],
    [handled("GET", "/{a}/x"), handled("POST", "/{b}/x")],
    [handled("GET", "/a"), ...raw("/a")],
    [...raw("/a"), ...raw("/a")],
    [...raw("/a/*"), ...raw("/a/*")],
  ];
  for (const routes of clashes) assert.throws(() => createRouter(routes), { code: "internal" }, JSON.stringify(routes));
});

test("paths that are no templates are found at boot", () => {
  for (const path of ["", "a", "/a/", "/{a}.json", "/:a", "/a/*", "/*", "/(a)", "/a?", "//"]) {
    assert.throws(() => createRouter([handled("GET", path)]), { code: "internal" }, path);
  }
  for (const path of ["*", "a/*", "/{a}.json/*", "/**"])
    assert.throws(() => createRouter(raw(path)), { code: "internal" }, path);
});

test("a raw route takes what is below it, and gives way to what is more exact", () => {
  const routes = [...raw("/old/*"), handled("GET", "/old/new"), handled("GET", "/other")];
  for (const path of ["/old", "/old/", "/old/a", "/old/a/b"])
    assert.equal(find(routes, path)?.endpoint.template, "/old/*", path);
  assert.equal(find(routes, "/old/new")?.endpoint.template, "/old/new");
  assert.equal(find(routes, "/older"), undefined);
  assert.equal(find([...raw("/old/*"), handled("GET", "/old")], "/old")?.endpoint.template, "/old");
  const all = [...raw("/*"), handled("GET", "/a")];
  assert.deepEqual(
    ["/", "/a", "/b/c"].map((path) => find(all, path)?.endpoint.template),
    ["/*", "/a", "/*"],
  );
});

test("groups give their prefix, and run their middleware from the outside in", async () => {
  const order: string[] = [];
  const noted =
    (name: string) =>
    (next: Extract<Route, { kind: "handled" }>["handler"]) =>
    async (...args: Parameters<typeof next>) => {
      order.push(name);
      return next(...args);
    };
  const inner = routeGroup({ prefix: "/b", use: [noted("inner")] }, [handled("GET", "/c")]);
  const routes = routeGroup({ prefix: "/a", use: [noted("first"), noted("second")] }, inner);
  const route = find(routes, "/a/b/c")?.endpoint.methods.get("GET");
  assert.ok(route);
  await Reflect.apply(route.handler, undefined, []);
  assert.deepEqual(order, ["first", "second", "inner"]);
  assert.deepEqual(routeGroup({}, inner), inner);
});
